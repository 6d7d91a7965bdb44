"""Networks for accelerators, each in several frameworks; `benchmarks.accelerator` runs them."""
