"""Model infrastructure: catalogue, files, loading, optimization, and residency on the device."""
