"""Speech recognition: sessions that say what to decode, the engine that decodes for all of them, and Whisper."""
