"""Layers that move values without computing: reshape, crop, pad, repeat."""
