"""Forms for GPUs. None has been measured yet; each says where it comes from."""
