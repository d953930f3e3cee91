"""Optimisations of the networks: named flags, how they are applied, and what decides their defaults."""
