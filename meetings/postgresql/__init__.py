"""Django's PostgreSQL backend with a timeout on every wait."""
