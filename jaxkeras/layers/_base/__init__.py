"""The base class of layers, with its weights, calls and input checks, and helpers for the arguments of layers."""
