"""JAX's settings, as something that may be read: `jax.config` gives them to whoever asks, but declares none."""

from __future__ import annotations

from typing import Any

import jax

settings: Any = jax.config
