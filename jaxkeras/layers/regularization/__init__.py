"""Dropout, noise and activity penalties."""
