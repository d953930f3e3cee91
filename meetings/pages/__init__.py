"""The pages of hosts and readers."""
