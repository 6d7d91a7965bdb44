"""jaxkeras: a graph-compiling trainer on JAX with Keras's API."""

__version__ = "0.1.0"
