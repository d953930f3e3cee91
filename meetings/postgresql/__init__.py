"""Django's PostgreSQL, with a bound on every wait."""
