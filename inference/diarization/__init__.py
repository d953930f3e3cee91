"""Speaker diarization: local speakers per sliding window, an embedding of each, and clustering into speakers."""
