"""The ops of Keras's `image` namespace by topic; `jaxkeras.ops.image` re-exports them.

An image is `(height, width, channels)`, or channels first; most ops take one image or a batch of them.
"""
