"""WebSockets of hosts and viewers, and the fan-out of captions to all viewers."""
