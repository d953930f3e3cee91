"""What operators see: metrics, charts, and the state of workers."""
