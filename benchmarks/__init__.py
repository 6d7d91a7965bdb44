"""Timings of jaxkeras against hand-written JAX, Keras, TensorFlow and PyTorch: `python -m benchmarks`."""
