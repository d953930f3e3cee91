"""The HTTP and WebSocket servers, and the limits on every connection."""
