"""What serves pages and sockets, and holds every connection to its bounds."""
