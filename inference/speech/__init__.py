"""Speech recognition: sessions request decodes, the engine batches them across sessions, and Whisper performs them."""
