"""Sockets: the wire, who may speak on it, and the fan-out to everybody who reads."""
