"""Muon: orthogonalized momentum for matrices, Adam for the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp

from jaxkeras.optimizers.adam import adam
from jaxkeras.optimizers.base import Optimizer, OptionsButDecay, with_options
from jaxkeras.optimizers.rule import Array, Rule, Scalars, Slots, slots_like_parameter
from jaxkeras.optimizers.variables import Rate
from jaxkeras.registry import register


def orthogonalize(x: Array, coefficients: tuple[float, float, float], steps: int) -> Array:
    """A matrix with nearly the singular vectors of `x` and singular values near 1, by Newton-Schulz iteration.

    Each step is `x = a * x + (b * s + c * s @ s) @ x` with `s = x @ x.T`. With the usual coefficients the singular
    values end between about 0.7 and 1.2, which serves as well as 1.

    Args:
        x: an array of shape (rows, columns).
        coefficients: a, b and c.
        steps: the number of steps.
    """
    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (jnp.sqrt(jnp.sum(jnp.square(x))) + 1e-7)
    for _ in range(steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x.T if tall else x


def muon(
    momentum: float,
    nesterov: bool,
    coefficients: tuple[float, float, float],
    ns_steps: int,
    rms_rate: float | None,
) -> Rule:
    """`p - lr * rms_rate * sqrt(max(rows, columns)) * orthogonalize(m)` with `m = momentum * m + g`.

    With Nesterov's form, `g + momentum * m` is orthogonalized. Jordan et al., "Muon: An optimizer for hidden layers in
    neural networks", https://kellerjordan.github.io/posts/muon/; the scale is that of Liu et al., "Muon is Scalable
    for LLM Training", https://arxiv.org/abs/2502.16982, and makes a rate for Adam fit. `optax.contrib.muon` scales by
    `sqrt(max(1, columns / rows))` unless told otherwise, averages the momentum and corrects its bias.
    """

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        m = slots["momentum"] + (g + slots["momentum"] * (momentum - 1))
        move = scalars["lr"] * orthogonalize(g + momentum * m if nesterov else m, coefficients, ns_steps)
        if rms_rate is not None:
            move = move * (float(max(p.shape)) ** 0.5) * rms_rate
        return p - move, {"momentum": m}

    return Rule(slots_like_parameter(momentum=0.0), step)


@register("keras.optimizers")
class Muon(Optimizer):
    """Orthogonalized momentum; see `muon` for the formula, and `Adam` for what it does to other parameters.

    Parameters that are not matrices, those with "embedding" in their path, and those that match `exclude_layers` move
    by Adam. Exclude the last dense layer too: `exclude_layers=["name_of_the_output_layer"]`.

    Args:
        learning_rate: see `Optimizer`.
        adam_beta_1: see `Adam`.
        adam_beta_2: see `Adam`.
        adam_weight_decay: the weight decay of parameters that move by Adam.
        epsilon: see `Adam`.
        weight_decay: the weight decay of parameters that move by Muon. With None there is none for either.
        exclude_layers: regular expressions; parameters whose path contains a match move by Adam.
        exclude_embeddings: whether embeddings move by Adam.
        muon_a: first coefficient of the iteration.
        muon_b: second coefficient.
        muon_c: third coefficient.
        adam_lr_ratio: the rate of Adam, relative to that of Muon.
        momentum: the decay of the sum of gradients.
        ns_steps: the number of Newton-Schulz steps.
        nesterov: look ahead along the momentum.
        rms_rate: the root mean square of a step, relative to the rate; None for no scaling.
        **options: see `Optimizer`.
    """

    hyperparameters = (
        "adam_beta_1", "adam_beta_2", "epsilon", "exclude_layers", "muon_a", "muon_b", "muon_c", "adam_lr_ratio",
        "momentum", "ns_steps", "nesterov", "exclude_embeddings", "adam_weight_decay", "rms_rate",
    )  # fmt: skip

    @with_options
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **options: Unpack[OptionsButDecay],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.adam_beta_1, self.adam_beta_2, self.adam_weight_decay = adam_beta_1, adam_beta_2, adam_weight_decay
        self.epsilon, self.adam_lr_ratio = epsilon, adam_lr_ratio
        self.exclude_layers, self.exclude_embeddings = list(exclude_layers or ()), exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c = muon_a, muon_b, muon_c
        self.momentum, self.ns_steps, self.nesterov, self.rms_rate = momentum, ns_steps, nesterov, rms_rate

    def rule(self) -> Rule:
        coefficients = (self.muon_a, self.muon_b, self.muon_c)
        return muon(self.momentum, self.nesterov, coefficients, self.ns_steps, self.rms_rate)

    def _rules(self, infos: Sequence[Any]) -> list[Rule | None]:
        for_matrices, for_others = self.rule(), adam(self.adam_beta_1, self.adam_beta_2, self.epsilon)
        if self.adam_lr_ratio != 1:
            scalars = for_others.scalars
            for_others = for_others._replace(scalars=lambda lr, *rest: scalars(lr * self.adam_lr_ratio, *rest))
        return [for_others if self._by_adam(info) else for_matrices for info in infos]

    def _by_adam(self, info: Any) -> bool:
        if len(info.shape) != 2 or self.exclude_embeddings and "embedding" in info.path.lower():
            return True
        return any(re.search(pattern, info.path) for pattern in self.exclude_layers)

    def _weight_decay_of(self, info: Any) -> float | None:
        return self.adam_weight_decay if self._by_adam(info) else self.weight_decay
