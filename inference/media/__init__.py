"""Recordings of strangers: decoded in a child process, where no file can do harm."""
