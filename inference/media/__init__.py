"""Decoding of untrusted recordings in a sandboxed child process."""
