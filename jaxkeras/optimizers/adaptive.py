"""Optimizers that divide by a history of squared gradients."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from jaxkeras.core.variable import Variable
from jaxkeras.optimizers.base import Optimizer, Options, with_options
from jaxkeras.optimizers.rule import Array, Rule, Scalars, Slot, Slots, ordinal, slots_like_parameter
from jaxkeras.optimizers.variables import Rate
from jaxkeras.registry import register


def rmsprop(rho: float, momentum: float, epsilon: float, centered: bool) -> Rule:
    """`p - lr * g / sqrt(v + epsilon)` with `v = rho * v + (1 - rho) * g^2`.

    Centered, `v` is reduced by the square of the running mean of `g`; with momentum, the steps are summed with decay
    `momentum`. Tieleman and Hinton, "Lecture 6.5 - RMSProp", 2012; Graves, https://arxiv.org/abs/1308.0850.
    `optax.rmsprop` has another epsilon (1e-8, so that tiny gradients step farther).
    """

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        v = rho * slots["velocity"] + (1 - rho) * jnp.square(g)
        new = {"velocity": v}
        if centered:
            mean = new["average_gradient"] = rho * slots["average_gradient"] + (1 - rho) * g
            v = v - jnp.square(mean)
        move = scalars["lr"] * g / jnp.sqrt(v + epsilon)
        if momentum > 0:
            move = new["momentum"] = momentum * slots["momentum"] + move
        return p - move, new

    used = {"velocity": True, "momentum": momentum > 0, "average_gradient": centered}
    return Rule(slots_like_parameter(**{slot: 0.0 for slot, use in used.items() if use}), step)


@register("keras.optimizers")
class RMSprop(Optimizer):
    """Divide by the root of the mean of recent squared gradients; see `rmsprop` for the formula.

    Args:
        learning_rate: see `Optimizer`.
        rho: the decay of the mean.
        momentum: how much of the last move is repeated.
        epsilon: added to the mean, under the root.
        centered: use the variance of the gradients instead of their mean square.
        **options: see `Optimizer`.
    """

    hyperparameters = ("rho", "momentum", "epsilon", "centered")
    slot_groups = (("velocity",), ("momentum",), ("average_gradient",))

    @with_options
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def rule(self) -> Rule:
        return rmsprop(self.rho, self.momentum, self.epsilon, self.centered)


def adagrad(initial_accumulator_value: float, epsilon: float) -> Rule:
    """`p - lr * g / sqrt(a + epsilon)` with `a` the sum of all `g^2`.

    Duchi et al., "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 2011; as
    `optax.adagrad`.
    """

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        a = slots["accumulator"] + jnp.square(g)
        return p - scalars["lr"] * g / jnp.sqrt(a + epsilon), {"accumulator": a}

    return Rule(slots_like_parameter(accumulator=initial_accumulator_value), step)


@register("keras.optimizers")
class Adagrad(Optimizer):
    """Divide by the root of the sum of all squared gradients; see `adagrad` for the formula.

    Args:
        learning_rate: see `Optimizer`.
        initial_accumulator_value: where the sum starts.
        epsilon: added to the sum.
        **options: see `Optimizer`.
    """

    hyperparameters = ("initial_accumulator_value", "epsilon")

    @with_options
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def rule(self) -> Rule:
        return adagrad(self.initial_accumulator_value, self.epsilon)


def adadelta(rho: float, epsilon: float) -> Rule:
    """`p - lr * d` with `d = g * sqrt(D + epsilon) / sqrt(G + epsilon)`.

    `G` and `D` are running means of `g^2` and `d^2`. Zeiler, "ADADELTA: An Adaptive Learning Rate Method",
    https://arxiv.org/abs/1212.5701, whose rate is 1; as `optax.adadelta`, but for its epsilon of 1e-6.
    """

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        squares = rho * slots["accumulated_grad"] + (1 - rho) * jnp.square(g)
        moves = slots["accumulated_delta_var"]
        d = jnp.sqrt(moves + epsilon) * g / jnp.sqrt(squares + epsilon)
        moves = rho * moves + (1 - rho) * jnp.square(d)
        return p - scalars["lr"] * d, {"accumulated_grad": squares, "accumulated_delta_var": moves}

    return Rule(slots_like_parameter(accumulated_grad=0.0, accumulated_delta_var=0.0), step)


@register("keras.optimizers")
class Adadelta(Optimizer):
    """Adagrad with a fading memory and steps in the units of the parameters; see `adadelta` for the formula.

    Args:
        learning_rate: see `Optimizer`.
        rho: the decay of both means.
        epsilon: added to both, under the roots.
        **options: see `Optimizer`.
    """

    hyperparameters = ("rho", "epsilon")

    @with_options
    def __init__(
        self, learning_rate: Rate = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **options: Unpack[Options]
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho, self.epsilon = rho, epsilon

    def rule(self) -> Rule:
        return adadelta(self.rho, self.epsilon)


def ftrl(power: float, initial_accumulator_value: float, l1: float, l2: float, shrinkage: float, beta: float) -> Rule:
    """Follow the regularized leader: the parameter is set to the minimizer of all linearized losses so far.

    `a' = a + g^2`; `z += g + 2 * shrinkage * p - (a'^-power - a^-power) / lr * p`; then
    `p = (clip(z, -l1, l1) - z) / (a'^-power / lr + 2 * l2 + beta / lr)`. McMahan et al., "Ad Click Prediction: a View
    from the Trenches", KDD 2013. Optax has no Ftrl.
    """

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        lr, a, z = scalars["lr"], slots["accumulator"], slots["linear"]
        grown = a + jnp.square(g)
        root = jnp.power(grown, -power)
        slope = g if shrinkage == 0 else g + 2 * shrinkage * p
        z = z + (slope - (root - jnp.power(a, -power)) / lr * p)
        quadratic = root / lr + 2 * (l2 + beta / (2.0 * lr))
        return (jnp.clip(z, -l1, l1) - z) / quadratic, {"accumulator": grown, "linear": z}

    return Rule(slots_like_parameter(accumulator=initial_accumulator_value, linear=0.0), step)


@register("keras.optimizers")
class Ftrl(Optimizer):
    """Follow the regularized leader, for sparse linear models; see `ftrl` for the formula.

    Args:
        learning_rate: see `Optimizer`.
        learning_rate_power: how the rate falls with the accumulator, at most 0; 0 keeps it.
        initial_accumulator_value: where the sum of squared gradients starts.
        l1_regularization_strength: how strongly parameters are drawn to exactly 0.
        l2_regularization_strength: how strongly parameters are drawn towards 0.
        l2_shrinkage_regularization_strength: a penalty on large parameters that acts through the gradient.
        beta: an addition to the l2 strength that falls with the rate.
        **options: see `Optimizer`.

    Raises:
        ValueError: for a negative accumulator or strength, and a positive power.
    """

    hyperparameters = (
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )

    @with_options
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.learning_rate_power, self.initial_accumulator_value = learning_rate_power, initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        if learning_rate_power > 0:
            raise ValueError(f"`learning_rate_power` must not be positive; got {learning_rate_power}.")
        for name in self.hyperparameters[1:-1]:
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative; got {getattr(self, name)}.")

    def rule(self) -> Rule:
        return ftrl(*(getattr(self, name) for name in self.hyperparameters))


def _rms(x: Array) -> Array:
    return jnp.sqrt(jnp.mean(jnp.square(x)))


def adafactor(beta_2_decay: float, epsilon_1: float, epsilon_2: float, clip_threshold: float) -> Rule:
    """`p - a * u / max(1, rms(u) / clip_threshold)` with `u = g / sqrt(v)` and `a = max(epsilon_2, rms(p)) * rho`.

    `v` is a running mean of `g^2 + epsilon_1` with the weight `1 - t^beta_2_decay` on the past, and
    `rho = min(lr, 1 / sqrt(t))`. For matrices only the means `r` over rows and `c` over columns are averaged, and
    `v = r * c / mean(r)` over the last two axes. Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear
    Memory Cost", https://arxiv.org/abs/1804.04235. `optax.adafactor` factors only axes of at least 128 and takes other
    orders of clipping and scaling. As in Keras, `v` is kept, though for matrices nothing reads it.
    """

    def slots(p: Any) -> dict[str, Slot]:
        if len(p.shape) < 2:
            unused = Slot(0, (), "int32")
            return {"r": unused, "c": unused, "velocity": Slot()}
        return {"r": Slot(0.0, p.shape[:-1]), "c": Slot(0.0, (*p.shape[:-2], p.shape[-1])), "velocity": Slot()}

    def scalars(lr: Array, count: Array, shared: Scalars) -> Scalars:
        t = ordinal(count, lr.dtype)
        past = 1 - jnp.power(t, beta_2_decay)
        return {"rho": jnp.minimum(lr, 1 / jnp.sqrt(t)), "past": past, "now": 1 - past}

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        past, now = scalars["past"], scalars["now"]
        square = jnp.square(g) + epsilon_1
        if p.ndim < 2:
            v = past * slots["velocity"] + now * square
            new = {"velocity": v}
        else:
            r = past * slots["r"] + now * jnp.mean(square, axis=-1)
            c = past * slots["c"] + now * jnp.mean(square, axis=-2)
            v = (r / jnp.mean(r, axis=-1, keepdims=True))[..., None] * c[..., None, :]
            new = {"r": r, "c": c, "velocity": v}
        u = g / jnp.sqrt(v)
        u = u / jnp.maximum(1.0, _rms(u) / clip_threshold)
        return p - jnp.maximum(epsilon_2, _rms(p)) * scalars["rho"] * u, new

    return Rule(slots, step, scalars)


@register("keras.optimizers")
class Adafactor(Optimizer):
    """Adam's second moment from row and column means, without a first; see `adafactor` for the formula.

    Args:
        learning_rate: see `Optimizer`.
        beta_2_decay: the exponent of the decay of the running means.
        epsilon_1: added to squared gradients.
        epsilon_2: the least size of a parameter that steps are relative to.
        clip_threshold: the largest root mean square of a step before scaling.
        relative_step: let the rate fall like `1 / sqrt(t)` (it always does, here as in Keras).
        **options: see `Optimizer`.
    """

    hyperparameters = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")

    @with_options
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_2_decay, self.epsilon_1, self.epsilon_2 = beta_2_decay, epsilon_1, epsilon_2
        self.clip_threshold, self.relative_step = clip_threshold, relative_step

    def rule(self) -> Rule:
        return adafactor(self.beta_2_decay, self.epsilon_1, self.epsilon_2, self.clip_threshold)

    def _slot_variable_name(self, variable: Variable, slot: str) -> str:
        return variable.name if slot in ("r", "c") else super()._slot_variable_name(variable, slot)
