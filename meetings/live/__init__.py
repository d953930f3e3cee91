"""The WebSockets of hosts and viewers, and the fan-out of captions to everyone who reads."""
