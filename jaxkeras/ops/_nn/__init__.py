"""The ops of Keras's `nn` namespace by topic; `jaxkeras.ops.nn` re-exports them.

Heavy ones are expressed by `jaxkeras.lowering`, in the form that is fast on each platform.
"""
