"""Pictures and videos through a network."""
