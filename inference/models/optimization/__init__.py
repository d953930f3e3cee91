"""Optimizations of the networks: named flags, how they are applied, and how their defaults are decided."""
