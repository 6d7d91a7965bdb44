"""Convolutions, depthwise and separable convolutions, and their transposes, in one to three dimensions."""
