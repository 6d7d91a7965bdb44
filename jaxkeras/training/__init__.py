"""The engine: from strings and data to one compiled program."""
