"""Backup of a running installation into one file, and restoring from it."""
