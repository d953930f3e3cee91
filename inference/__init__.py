"""Speech in, caption events out. Knows nothing of Django, sockets or database rows."""
