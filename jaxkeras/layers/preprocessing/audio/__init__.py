"""Spectrograms."""
