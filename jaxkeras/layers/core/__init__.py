"""Core layers: dense and embedding layers, inputs, activations, masking, wrappers."""
