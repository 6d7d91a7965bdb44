"""Optimizers that follow the gradient, or its sign, with momentum."""

from __future__ import annotations

from typing import Unpack

import jax.numpy as jnp

from jaxkeras.optimizers.base import Optimizer, Options, with_options
from jaxkeras.optimizers.rule import Array, Rule, Scalars, Slots, one_minus, slots_like_parameter
from jaxkeras.optimizers.variables import Rate
from jaxkeras.registry import register


def sgd(momentum: float = 0.0, nesterov: bool = False) -> Rule:
    """`p - lr * g`, or with momentum `m = momentum * m - lr * g` and then `p + m`.

    Nesterov's form is `p + momentum * m - lr * g`. Sutskever et al., "On the importance of initialization and momentum
    in deep learning", ICML 2013. `optax.sgd` multiplies by the rate after the momentum, so that a changed rate acts on
    old gradients too.
    """

    def plain(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        return p - scalars["lr"] * g, {}

    def with_momentum(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        move = scalars["lr"] * g
        m = slots["momentum"] * momentum - move
        return p + (m * momentum - move if nesterov else m), {"momentum": m}

    if momentum == 0:
        return Rule(slots_like_parameter(), plain)
    return Rule(slots_like_parameter(momentum=0.0), with_momentum)


@register("keras.optimizers")
class SGD(Optimizer):
    """Gradient descent, with momentum if wanted; see `sgd` for the formula.

    Args:
        learning_rate: see `Optimizer`.
        momentum: how much of the last move is repeated, in [0, 1].
        nesterov: look ahead along the momentum.
        **options: see `Optimizer`.

    Raises:
        ValueError: for a momentum outside [0, 1].

    Example:

    >>> SGD(0.1, momentum=0.9).get_config()["momentum"]
    0.9
    """

    hyperparameters = ("momentum", "nesterov")

    @with_options
    def __init__(
        self, learning_rate: Rate = 0.01, momentum: float = 0.0, nesterov: bool = False, **options: Unpack[Options]
    ) -> None:
        super().__init__(learning_rate, **options)
        if not 0 <= momentum <= 1:
            raise ValueError(f"`momentum` must be in [0, 1]; got {momentum}.")
        self.momentum, self.nesterov = momentum, nesterov

    def rule(self) -> Rule:
        return sgd(self.momentum, self.nesterov)


def lion(beta_1: float, beta_2: float) -> Rule:
    """`p - lr * sign(beta_1 * m + (1 - beta_1) * g)`, then `m = beta_2 * m + (1 - beta_2) * g`.

    Chen et al., "Symbolic Discovery of Optimization Algorithms", https://arxiv.org/abs/2302.06675; as `optax.lion`.
    """

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        m = slots["momentum"]
        direction = jnp.sign(m * beta_1 + g * one_minus(beta_1, p.dtype))
        return p - scalars["lr"] * direction, {"momentum": m * beta_2 + g * one_minus(beta_2, p.dtype)}

    return Rule(slots_like_parameter(momentum=0.0), step)


@register("keras.optimizers")
class Lion(Optimizer):
    """Evolved sign momentum; see `lion` for the formula. It wants a rate 3 to 10 times smaller than Adam's.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: the weight of the momentum in the direction, in (0, 1].
        beta_2: the decay of the momentum.
        **options: see `Optimizer`.

    Raises:
        ValueError: for `beta_1` outside (0, 1].
    """

    hyperparameters = ("beta_1", "beta_2")

    @with_options
    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **options: Unpack[Options]
    ) -> None:
        super().__init__(learning_rate, **options)
        if not 0 < beta_1 <= 1:
            raise ValueError(f"`beta_1` must be in (0, 1]; at 0 Lion is only the sign of the gradient. Got {beta_1}.")
        self.beta_1, self.beta_2 = beta_1, beta_2

    def rule(self) -> Rule:
        return lion(self.beta_1, self.beta_2)
