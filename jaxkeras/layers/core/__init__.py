"""Layers without a family of their own: dense and embedding layers, inputs, activations, masking, wrappers."""
