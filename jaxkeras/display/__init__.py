"""How results are shown: numbers, learning curves, and tables in notebooks."""
