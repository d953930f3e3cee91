"""Transcripts as files: what an entry is, every format, and where results are stored."""
