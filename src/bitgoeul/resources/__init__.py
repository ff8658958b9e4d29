"""What the cluster offers and who may use how much of it."""
