"""Captions in other languages: `translator` is what callers see, `bergamot` and `m2m100` are the models behind it."""
