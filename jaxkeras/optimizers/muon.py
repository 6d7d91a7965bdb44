"""Muon: orthogonalized momentum for matrices, Adam for all other parameters."""

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
    """A matrix with the singular vectors of `x` and singular values near 1, by Newton-Schulz iteration.

    Each step is `x = a * x + (b * s + c * s @ s) @ x` with `s = x @ x.T`. With the usual coefficients the singular
    values end up between about 0.7 and 1.2, which works as well as exactly 1.

    Args:
        x: an array of shape (rows, columns).
        coefficients: a, b and c.
        steps: the number of steps.

    Returns:
        An array of the shape and dtype of `x`.
    """
    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (jnp.sqrt(jnp.sum(jnp.square(x))) + 1e-7)
    for _ in range(steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x.T if tall else x


def scale_to_rms(x: Array, rms_rate: float | None) -> Array:
    """Scale an orthogonalized matrix to elements with the root mean square `rms_rate`; None for no scaling."""
    return x if rms_rate is None else x * (float(max(x.shape)) ** 0.5) * rms_rate


def muon(
    momentum: float,
    nesterov: bool,
    coefficients: tuple[float, float, float],
    ns_steps: int,
    rms_rate: float | None,
) -> Rule:
    """The rule of `Muon` for matrices.

    `optax.contrib.muon` scales by `sqrt(max(1, columns / rows))` by default, averages the momentum and corrects its
    bias.
    """

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        m = slots["momentum"] + (g + slots["momentum"] * (momentum - 1))
        move = scalars["lr"] * orthogonalize(g + momentum * m if nesterov else m, coefficients, ns_steps)
        return p - scale_to_rms(move, rms_rate), {"momentum": m}

    return Rule(slots_like_parameter(momentum=0.0), step)


@register("keras.optimizers")
class Muon(Optimizer):
    """Orthogonalized momentum for matrices, Adam for all other parameters.

    `m = momentum * m + g` and `p = p - lr * rms_rate * sqrt(max(rows, columns)) * orthogonalize(m)`; in Nesterov's
    form, `g + momentum * m` is orthogonalized. The scale makes a learning rate that is right for Adam right for Muon
    too.

    Adam updates the parameters that are not matrices, those with "embedding" in their path, and those that match
    `exclude_layers`. The last dense layer should be excluded too: `exclude_layers=["name_of_the_output_layer"]`.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        adam_beta_1: `beta_1` of Adam.
        adam_beta_2: `beta_2` of Adam.
        adam_weight_decay: the weight decay of parameters that Adam updates, or None.
        epsilon: `epsilon` of Adam.
        weight_decay: the weight decay of parameters that Muon updates, or None.
        exclude_layers: regular expressions; Adam updates the parameters whose path contains a match.
        exclude_embeddings: whether Adam updates embeddings.
        muon_a: the first coefficient of the Newton-Schulz iteration.
        muon_b: the second coefficient.
        muon_c: the third coefficient.
        adam_lr_ratio: the learning rate of Adam, relative to that of Muon.
        momentum: the decay of the sum of the gradients, in [0, 1).
        ns_steps: the number of Newton-Schulz steps.
        nesterov: whether to use Nesterov's form.
        rms_rate: the root mean square of a step, relative to the learning rate; None for no scaling.
        **options: the options of all optimizers, such as `clipnorm` and `use_ema`; see `Optimizer`.

    Raises:
        ValueError: if an option is out of range; see `Optimizer`.

    Reference:
        - [Jordan et al., 2024, Muon: An optimizer for hidden layers in neural
          networks](https://kellerjordan.github.io/posts/muon/)
        - [Liu et al., 2025, Muon is Scalable for LLM Training](https://arxiv.org/abs/2502.16982)

    Example:

    >>> optimizer = Muon(learning_rate=0.1, exclude_layers=["output"], weight_decay=None)
    >>> params = {"dense": {"kernel": jnp.ones((2, 3))}, "output": {"kernel": jnp.ones((3, 1))}}
    >>> state = optimizer.init(params)
    >>> jax.tree.map(jnp.shape, state["velocity"])  # only Adam has this slot
    {'dense': {'kernel': None}, 'output': {'kernel': (3, 1)}}
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

    @property
    def _coefficients(self) -> tuple[float, float, float]:
        return self.muon_a, self.muon_b, self.muon_c

    def lr_adjust(self, x: Any) -> Array:
        """Scale an orthogonalized matrix by `rms_rate * sqrt(max(rows, columns))`, or not if `rms_rate` is None.

        Args:
            x: an array of shape (rows, columns).
        """
        return scale_to_rms(jnp.asarray(x), self.rms_rate)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Array:
        """Orthogonalize a matrix by Newton-Schulz iteration with the coefficients `muon_a`, `muon_b` and `muon_c`.

        Args:
            x: an array of shape (rows, columns).
            steps: the number of steps.
        """
        return orthogonalize(jnp.asarray(x), self._coefficients, steps)

    def rule(self) -> Rule:
        return muon(self.momentum, self.nesterov, self._coefficients, self.ns_steps, self.rms_rate)

    def _rules(self, infos: Sequence[Any]) -> list[Rule | None]:
        for_matrices, for_others = self.rule(), adam(self.adam_beta_1, self.adam_beta_2, self.epsilon)
        if self.adam_lr_ratio != 1:
            scalars = for_others.scalars
            for_others = for_others._replace(scalars=lambda lr, *rest: scalars(lr * self.adam_lr_ratio, *rest))
        return [for_others if self._should_use_adamw(info) else for_matrices for info in infos]

    def _should_use_adamw(self, info: Any) -> bool:
        if len(info.shape) != 2 or self.exclude_embeddings and "embedding" in info.path.lower():
            return True
        return any(re.search(pattern, info.path) for pattern in self.exclude_layers)

    def _weight_decay_of(self, info: Any) -> float | None:
        return self.adam_weight_decay if self._should_use_adamw(info) else self.weight_decay
