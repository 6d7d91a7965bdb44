"""Categories as numbers: lookups, hashing, buckets and encodings."""
