"""What operators see of workers and meetings, and what they may order."""
