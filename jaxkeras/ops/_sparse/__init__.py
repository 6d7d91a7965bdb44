"""Ops on the sparse arrays of `jax.experimental.sparse`: a table of rules (`rules.py`), and the rules.

Imported when an op is called with a sparse array, or asked for a sparse result.
"""
