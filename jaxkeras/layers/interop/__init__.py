"""Layers that wrap modules of other libraries."""
