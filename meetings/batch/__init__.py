"""Recorded files: transcribed, summarized, or replayed into a meeting."""
