"""Low-rank adaptation (LoRA) of a weight (Hu et al., 2021)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import placement
from jaxkeras.core.context import setting
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.arguments import positive_int
from jaxkeras.layers._base.layer import Layer


def adapted_weight(name: str) -> Any:
    """A property that returns the variable `_<name>`, or with LoRA the sum of the weight and its update, an array."""

    def read(self: LowRank) -> Any:
        if f"_{name}" not in vars(self):
            raise AttributeError(f"Layer '{self.name}' has no `{name}` until it is built.")
        return self.adapted_value() if self.lora_enabled else vars(self)[f"_{name}"]

    return property(read, lambda self, value: setattr(self, f"_{name}", value))


class LowRank(Layer):
    """A layer with a weight that can be frozen, with a trained low-rank update `a @ b` added to it.

    A subclass names the weight in `adapted`, declares it with `adapted_weight` and calls `set_lora` in its constructor
    and `begin_lora` at the end of its `build`. The variable itself is the attribute with an underscore.
    """

    adapted = "kernel"
    lora_rank: int | None = None
    lora_alpha: float | None = None
    lora_enabled = False

    def set_lora(self, rank: int | None, alpha: float | None) -> None:
        """Store the rank and alpha given to the constructor."""
        if rank is not None:
            self.lora_rank = positive_int(rank, "lora_rank", self)
            self.lora_alpha = self.lora_rank if alpha is None else alpha

    def begin_lora(self) -> None:
        """Enable LoRA at the end of `build`, if the constructor was given a rank.

        Unlike in Keras's Dense and Embedding, the constructor's `lora_alpha` has an effect.
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
        """Freeze the weight and train a low-rank update of it, which is zero at first.

        Compile the model again afterwards, since the set of trained weights changes.

        Args:
            rank: the rank of the update.
            lora_alpha: the update is scaled by `lora_alpha / rank`; defaults to `rank`.
            a_initializer, b_initializer: initializers of the two factors.

        Raises:
            ValueError: if the layer is not built, has a constraint on the weight, or has a low-rank update already.

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
        weight = self._base_weight()
        if weight.constraint is not None:
            raise ValueError(
                f"Layer '{self.name}' has a constraint on its {self.adapted}, which a low-rank update would bypass. "
                f"Leave out {self.adapted}_constraint."
            )
        if self.lora_enabled:
            raise ValueError(f"Layer '{self.name}' has a low-rank update already.")
        shapes = {"a": (*weight.shape[:-1], rank), "b": (rank, weight.shape[-1])}
        for factor, initializer in (("a", a_initializer), ("b", b_initializer)):
            name = f"lora_{self.adapted}_{factor}"
            # float32 for any dtype of the weight, since the updates are small.
            variable = self.add_weight(
                shapes[factor], initializer, dtype="float32", regularizer=weight.regularizer, name=name
            )
            setattr(self, name, variable)
        weight.trainable = False
        self.lora_rank, self.lora_alpha, self.lora_enabled = rank, alpha, True

    def _base_weight(self) -> Variable:
        return getattr(self, f"_{self.adapted}")

    def factors(self) -> tuple[jax.Array, jax.Array]:
        """The factors `a` and `b * lora_alpha / rank` of the update."""
        a, b = (getattr(self, f"lora_{self.adapted}_{factor}").value for factor in "ab")
        return a, b * (self.lora_alpha / self.lora_rank)  # type: ignore[operator]

    def adapted_value(self) -> jax.Array:
        """The weight with its low-rank update."""
        weight = self._base_weight().value
        if not self.lora_enabled:
            return weight
        a, b = self.factors()
        return weight + jnp.matmul(a, b).astype(weight.dtype)

    def save_own_variables(self, store: Any) -> None:
        if not self.lora_enabled:
            return super().save_own_variables(store)
        # Files hold the sum, so that a layer without LoRA can read them.
        a, b = (np.asarray(getattr(self, f"lora_{self.adapted}_{factor}").cell()) for factor in "ab")
        for i, v in enumerate(self._saved()):
            value = placement.to_host(v.cell())
            if v is self._base_weight():
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
        return [v for v in self._own_variables() if not v.name.startswith("lora_")]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        lora = {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha} if self.lora_rank else {}
        return {**{k: v for k, v in config.items() if k not in ("lora_rank", "lora_alpha")}, **lora}
