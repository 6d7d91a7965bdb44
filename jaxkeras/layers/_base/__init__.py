"""What every layer is made of: the base class, weights, calls, input checks and shared argument handling."""
