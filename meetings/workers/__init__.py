"""The inference worker, and what it does beside its captions."""
