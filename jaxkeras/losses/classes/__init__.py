"""The built-in losses as classes: each is a function of `jaxkeras.losses` and its settings."""
