"""Everything that an installation stores as one file, made while it runs, and an installation from such a file."""
