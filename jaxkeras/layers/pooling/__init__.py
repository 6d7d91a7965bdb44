"""Max, average, global and adaptive pooling."""
