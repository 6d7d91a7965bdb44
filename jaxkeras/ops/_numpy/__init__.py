"""The ops of Keras's NumPy namespace by topic; `jaxkeras.ops.numpy` re-exports them.

Most are functions of `jax.numpy` under Keras's parameter names.
"""
