"""Recurrent cells and layers, the loop that runs them, and the wrappers for sequences."""
