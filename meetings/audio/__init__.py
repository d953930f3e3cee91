"""Sound that is kept: the log that captions are made from, and recordings."""
