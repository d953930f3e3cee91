"""Recordings by upload: announced, received in chunks, taken by a worker."""
