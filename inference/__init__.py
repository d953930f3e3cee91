"""Turns speech into caption events. Independent of Django, sockets and the database."""
