"""Low-rank adaptation of a weight (Hu et al., 2021), for the layers that offer it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.context import setting
from jaxkeras.layers._base.layer import Layer


class LowRank(Layer):
    """A layer one of whose weights can be frozen and corrected by `a @ b` of a small rank instead.

    A subclass names the weight in `adapted` and calls `set_lora` in its constructor and `begin_lora` at the end of its
    `build`.
    """

    adapted = "kernel"
    lora_rank: int | None = None
    lora_alpha: float | None = None
    lora_enabled = False

    def set_lora(self, rank: int | None, alpha: float | None) -> None:
        """Take the constructor's arguments."""
        if rank is not None and rank <= 0:
            raise ValueError(f"`lora_rank` of {type(self).__name__} must be a positive integer; got {rank!r}.")
        if rank:
            self.lora_rank, self.lora_alpha = rank, rank if alpha is None else alpha

    def begin_lora(self) -> None:
        """Enable it in `build` if the constructor was given a rank.

        Keras's Dense and Embedding forget the constructor's `lora_alpha` here; these do not.
        """
        if self.lora_rank:
            self._enable(self.lora_rank, self.lora_alpha, "he_uniform", "zeros")

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the weight and train a correction of a small rank, which starts at zero.

        Compile the model again afterwards, since other weights are trained from here on.

        Args:
            rank: of the correction.
            lora_alpha: the correction is scaled by `lora_alpha / rank`; defaults to `rank`.
            a_initializer, b_initializer: of the two factors.

        Raises:
            ValueError: if the layer is not built, constrains the weight, or has a correction already.

        Example:

        >>> from jaxkeras.layers import Embedding
        >>> layer = Embedding(1000, 64)
        >>> layer(jnp.array([[1, 2]])).shape
        (1, 2, 64)
        >>> layer.enable_lora(4)
        >>> sum(v.size for v in layer.trainable_variables)
        4256
        """
        if not self.built:
            raise ValueError(f"Layer '{self.name}' is not built: call it on data, or `build` it, before enable_lora.")
        with setting(names=tuple((self._path or self.name).split("/"))):
            self._enable(rank, rank if lora_alpha is None else lora_alpha, a_initializer, b_initializer)

    def _enable(self, rank: int, alpha: float | None, a_initializer: Any, b_initializer: Any) -> None:
        weight = getattr(self, self.adapted)
        if weight.constraint is not None:
            raise ValueError(
                f"Layer '{self.name}' constrains its {self.adapted}, which a low-rank correction would escape. Leave "
                f"out {self.adapted}_constraint."
            )
        if self.lora_enabled:
            raise ValueError(f"Layer '{self.name}' has a low-rank correction already.")
        shapes = {"a": (*weight.shape[:-1], rank), "b": (rank, weight.shape[-1])}
        for factor, initializer in (("a", a_initializer), ("b", b_initializer)):
            name = f"lora_{self.adapted}_{factor}"
            # In float32 whatever the weight's type: the corrections are small.
            variable = self.add_weight(
                shapes[factor], initializer, dtype="float32", regularizer=weight.regularizer, name=name
            )
            setattr(self, name, variable)
        weight.trainable = False
        self.lora_rank, self.lora_alpha, self.lora_enabled = rank, alpha, True

    def factors(self) -> tuple[jax.Array, jax.Array]:
        """The factors of the correction, the second scaled."""
        a, b = (getattr(self, f"lora_{self.adapted}_{factor}").value for factor in "ab")
        return a, b * (self.lora_alpha / self.lora_rank)  # type: ignore[operator]

    def corrected(self) -> jax.Array:
        """The weight with its correction."""
        weight = getattr(self, self.adapted).value
        if not self.lora_enabled:
            return weight
        a, b = self.factors()
        return weight + jnp.matmul(a, b).astype(weight.dtype)

    def save_own_variables(self, store: Any) -> None:
        if not self.lora_enabled:
            return super().save_own_variables(store)
        # Files hold the corrected weight, so that any layer of this kind can read them.
        a, b = (np.asarray(getattr(self, f"lora_{self.adapted}_{factor}").cell()) for factor in "ab")
        for i, v in enumerate(self._saved()):
            value = np.asarray(v.cell())
            if v is getattr(self, self.adapted):
                value = value + (self.lora_alpha / self.lora_rank * (a @ b)).astype(value.dtype)  # type: ignore[operator]
            store[str(i)] = value

    def load_own_variables(self, store: Any) -> None:
        if not self.lora_enabled:
            return super().load_own_variables(store)
        for i, v in enumerate(self._saved()):
            v.assign(store[str(i)])
        for factor in "ab":
            variable = getattr(self, f"lora_{self.adapted}_{factor}")
            variable.assign(np.zeros(variable.shape, np.float32))

    def _saved(self) -> list[Any]:
        return [v for v in self.own_variables() if not v.name.startswith("lora_")]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        lora = {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha} if self.lora_rank else {}
        return {**{k: v for k, v in config.items() if k not in ("lora_rank", "lora_alpha")}, **lora}
