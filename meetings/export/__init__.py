"""Transcripts as files: their entries, every format, and where results are stored."""
