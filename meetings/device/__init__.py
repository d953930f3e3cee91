"""The models of a worker: which ones the settings choose, how they are loaded, and the watchdog over their calls."""
