"""The machinery behind `jaxkeras.as_keras`: a finder for imports of `keras`, and Keras's private names."""
