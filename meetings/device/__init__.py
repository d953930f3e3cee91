"""Models by the settings: which there are, how large they are, and how the pool moves them."""
