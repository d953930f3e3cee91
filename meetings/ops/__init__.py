"""The operators' view: metrics, charts, and the state of workers."""
