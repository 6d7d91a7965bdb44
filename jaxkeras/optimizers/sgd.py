"""Optimizers that follow the gradient, or its sign, with momentum."""

from __future__ import annotations

from typing import Unpack

import jax.numpy as jnp

from jaxkeras.optimizers.base import Optimizer, Options, with_options
from jaxkeras.optimizers.rule import Array, Rule, Scalars, Slots, one_minus, slots_like_parameter
from jaxkeras.optimizers.variables import Rate
from jaxkeras.registry import register


def sgd(momentum: float = 0.0, nesterov: bool = False) -> Rule:
    """The rule of `SGD`.

    `optax.sgd` multiplies by the rate after the momentum, so that a changed rate also acts on past gradients.
    """

    def plain(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        return p - scalars["lr"] * g, {}

    def with_momentum(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        move = scalars["lr"] * g
        m = slots["momentum"] * momentum - move
        return p + (m * momentum - move if nesterov else m), {"momentum": m}

    if momentum == 0:
        return Rule(slots_like_parameter(), plain, elementwise=True)
    return Rule(slots_like_parameter(momentum=0.0), with_momentum, elementwise=True)


@register("keras.optimizers")
class SGD(Optimizer):
    """Stochastic gradient descent, optionally with momentum.

    Without momentum, a step is `p = p - lr * g`. With it, `m = momentum * m - lr * g` and `p = p + m`, or, in
    Nesterov's form, `p = p + momentum * m - lr * g`.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        momentum: the decay of past steps, in [0, 1]; 0 for none.
        nesterov: whether to use Nesterov's form.
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if `momentum` is not in [0, 1] or an option is out of range.

    Reference:
        - [Sutskever et al., 2013, On the importance of initialization and momentum in deep learning](
          https://proceedings.mlr.press/v28/sutskever13.html)

    Example:

    >>> optimizer = SGD(0.5, momentum=0.9)
    >>> params, grads = {"w": jnp.zeros(2)}, {"w": jnp.ones(2)}
    >>> state = optimizer.init(params)
    >>> for _ in range(2):
    ...     params, state = optimizer.update(grads, state, params)
    >>> params["w"].round(3)
    Array([-1.45, -1.45], dtype=float32)
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
    """The rule of `Lion`; the same as `optax.lion`."""

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        m = slots["momentum"]
        direction = jnp.sign(m * beta_1 + g * one_minus(beta_1, p.dtype))
        return p - scalars["lr"] * direction, {"momentum": m * beta_2 + g * one_minus(beta_2, p.dtype)}

    return Rule(slots_like_parameter(momentum=0.0), step, elementwise=True)


@register("keras.optimizers")
class Lion(Optimizer):
    """Evolved sign momentum: every element of a parameter moves by exactly the learning rate.

    `p = p - lr * sign(beta_1 * m + (1 - beta_1) * g)`, then `m = beta_2 * m + (1 - beta_2) * g`. Use a learning rate 3
    to 10 times smaller than for Adam, and a weight decay as many times larger.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        beta_1: the weight of the momentum in the direction of a step, in (0, 1].
        beta_2: the decay of the momentum, in [0, 1).
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if `beta_1` is not in (0, 1] or an option is out of range.

    Reference:
        - [Chen et al., 2023, Symbolic Discovery of Optimization Algorithms](https://arxiv.org/abs/2302.06675)

    Example:

    >>> optimizer = Lion(0.5)
    >>> params = {"w": jnp.zeros(2)}
    >>> params, _ = optimizer.update({"w": jnp.array([3.0, -0.1])}, optimizer.init(params), params)
    >>> params["w"].tolist()
    [-0.5, 0.5]
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
