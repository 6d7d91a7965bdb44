"""Preprocessing layers: text, categories, audio and images, normalization and rescaling."""
