"""The ops of Keras's `core` module by topic; `jaxkeras.ops.core` re-exports them."""
