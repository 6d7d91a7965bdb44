"""The ops of Keras's `math` module by topic; `jaxkeras.ops.math` re-exports them."""
