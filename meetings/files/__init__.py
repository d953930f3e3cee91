"""Recordings in, transcripts out, in every format and into every storage."""
