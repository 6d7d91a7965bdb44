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
    """The rule of `RMSprop`; `optax.rmsprop` has a smaller epsilon by default, 1e-8."""

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
    slots = slots_like_parameter(**{slot: 0.0 for slot, use in used.items() if use})
    return Rule(slots, step, elementwise=True)


@register("keras.optimizers")
class RMSprop(Optimizer):
    """Divide the gradient by the root of the mean of recent squared gradients.

    `v = rho * v + (1 - rho) * g^2` and `p = p - lr * g / sqrt(v + epsilon)`. If `centered`, the square of the running
    mean of `g` is subtracted from `v`. With momentum, `m = momentum * m + lr * g / sqrt(v + epsilon)` and `p = p - m`.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        rho: the decay of the running means, in [0, 1).
        momentum: the decay of past steps, in [0, 1]; 0 for none.
        epsilon: a small number added to `v`, inside the root.
        centered: whether to divide by the standard deviation of the gradients instead of their root mean square.
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if an option is out of range; see `Optimizer`.

    Reference:
        - [Hinton, 2012, Neural Networks for Machine Learning, lecture 6](
          https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf)
        - [Graves, 2013, Generating Sequences With Recurrent Neural Networks](https://arxiv.org/abs/1308.0850)

    Example:

    >>> optimizer = RMSprop(learning_rate=0.1, rho=0.75)
    >>> params = {"w": jnp.zeros(2)}
    >>> params, _ = optimizer.update({"w": jnp.array([3.0, -3.0])}, optimizer.init(params), params)
    >>> params["w"].round(3)
    Array([-0.2,  0.2], dtype=float32)
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
        if not 0 <= momentum <= 1:
            raise ValueError(f"`momentum` must be in [0, 1]; got {momentum}.")
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def rule(self) -> Rule:
        return rmsprop(self.rho, self.momentum, self.epsilon, self.centered)


def adagrad(initial_accumulator_value: float, epsilon: float) -> Rule:
    """The rule of `Adagrad`; the same as `optax.adagrad`."""

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        a = slots["accumulator"] + jnp.square(g)
        return p - scalars["lr"] * g / jnp.sqrt(a + epsilon), {"accumulator": a}

    return Rule(slots_like_parameter(accumulator=initial_accumulator_value), step, elementwise=True)


@register("keras.optimizers")
class Adagrad(Optimizer):
    """Divide the gradient by the root of the sum of all squared gradients.

    `a = a + g^2` and `p = p - lr * g / sqrt(a + epsilon)`.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        initial_accumulator_value: the initial value of the sum `a`, not negative.
        epsilon: a small number added to `a`, inside the root.
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if an option is out of range; see `Optimizer`.

    Reference:
        - [Duchi et al., 2011, Adaptive Subgradient Methods for Online Learning and Stochastic
          Optimization](https://www.jmlr.org/papers/v12/duchi11a.html)

    Example:

    >>> optimizer = Adagrad(learning_rate=0.1, initial_accumulator_value=7.0)
    >>> params = {"w": jnp.zeros(2)}
    >>> params, _ = optimizer.update({"w": jnp.array([3.0, -3.0])}, optimizer.init(params), params)
    >>> params["w"].round(3)
    Array([-0.075,  0.075], dtype=float32)
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
    """The rule of `Adadelta`; the same as `optax.adadelta` except for its epsilon of 1e-6."""

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        squares = rho * slots["accumulated_grad"] + (1 - rho) * jnp.square(g)
        moves = slots["accumulated_delta_var"]
        d = jnp.sqrt(moves + epsilon) * g / jnp.sqrt(squares + epsilon)
        moves = rho * moves + (1 - rho) * jnp.square(d)
        return p - scalars["lr"] * d, {"accumulated_grad": squares, "accumulated_delta_var": moves}

    return Rule(slots_like_parameter(accumulated_grad=0.0, accumulated_delta_var=0.0), step, elementwise=True)


@register("keras.optimizers")
class Adadelta(Optimizer):
    """Adagrad with a decaying memory and steps in the units of the parameters.

    `p = p - lr * d` with `d = g * sqrt(D + epsilon) / sqrt(G + epsilon)`, where `G` and `D` are running means of `g^2`
    and `d^2`. The paper has `learning_rate=1.0`.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        rho: the decay of both means, in [0, 1).
        epsilon: a small number added to both means, inside the roots.
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if an option is out of range; see `Optimizer`.

    Reference:
        - [Zeiler, 2012, ADADELTA: An Adaptive Learning Rate Method](https://arxiv.org/abs/1212.5701)

    Example:

    >>> optimizer = Adadelta(learning_rate=1.0, epsilon=0.01)
    >>> params = {"w": jnp.zeros(2)}
    >>> params, _ = optimizer.update({"w": jnp.array([3.0, -3.0])}, optimizer.init(params), params)
    >>> [round(w, 3) for w in params["w"].tolist()]
    [-0.442, 0.442]
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
    """The rule of `Ftrl`; optax has none."""

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        lr, a, z = scalars["lr"], slots["accumulator"], slots["linear"]
        grown = a + jnp.square(g)
        root = jnp.power(grown, -power)
        slope = g if shrinkage == 0 else g + 2 * shrinkage * p
        z = z + (slope - (root - jnp.power(a, -power)) / lr * p)
        quadratic = root / lr + 2 * (l2 + beta / (2.0 * lr))
        return (jnp.clip(z, -l1, l1) - z) / quadratic, {"accumulator": grown, "linear": z}

    slots = slots_like_parameter(accumulator=initial_accumulator_value, linear=0.0)
    return Rule(slots, step, elementwise=True)


@register("keras.optimizers")
class Ftrl(Optimizer):
    """Follow the regularized leader, for sparse linear models.

    The parameter is set to the minimizer of the sum of all linearized losses and the regularization. With
    `a' = a + g^2` and `k = learning_rate_power`, `z = z + g + 2 * l2_shrinkage * p - (a'^-k - a^-k) / lr * p`, and then
    `p = (clip(z, -l1, l1) - z) / (a'^-k / lr + 2 * l2 + beta / lr)`.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        learning_rate_power: the exponent `k` by which the rate falls with the accumulator, at most 0; 0 for a fixed
            rate.
        initial_accumulator_value: the initial value of the sum `a` of squared gradients, not negative.
        l1_regularization_strength: `l1`, not negative; sets small parameters to exactly 0.
        l2_regularization_strength: `l2`, not negative; shrinks parameters towards 0.
        l2_shrinkage_regularization_strength: `l2_shrinkage`, not negative; an L2 penalty that acts through the
            gradient.
        beta: added to `2 * l2`, divided by the learning rate.
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if the initial accumulator or a strength is negative, if `learning_rate_power` is positive, or if an
            option is out of range.

    Reference:
        - [McMahan et al., 2013, Ad Click Prediction: a View from the
          Trenches](https://research.google.com/pubs/archive/41159.pdf)

    Example, in which `l1_regularization_strength` keeps a parameter with small gradients at 0:

    >>> optimizer = Ftrl(learning_rate=0.1, l1_regularization_strength=0.5)
    >>> params = {"w": jnp.zeros(2)}
    >>> params, _ = optimizer.update({"w": jnp.array([3.0, 0.1])}, optimizer.init(params), params)
    >>> [round(w, 3) for w in params["w"].tolist()]
    [-0.083, 0.0]
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
    """The rule of `Adafactor`.

    `optax.adafactor` factors only axes of at least 128 elements, and clips and scales in another order. As in Keras,
    `v` is stored for matrices too, although nothing reads it.
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
    """Adam's second moment from means over rows and columns, without a first moment.

    With `u = g / sqrt(v)`, step `t` is `p = p - a * u / max(1, rms(u) / clip_threshold)`, where
    `a = max(epsilon_2, rms(p)) * min(lr, 1 / sqrt(t))`. `v` is a running mean of `g^2 + epsilon_1` in which the past
    has the weight `1 - t^beta_2_decay`. For matrices only its means over rows, `r`, and over columns, `c`, are used,
    for the last two axes, and `v = r * c / mean(r)`.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        beta_2_decay: the exponent of the decay of the running means, negative.
        epsilon_1: a small number added to the squared gradients.
        epsilon_2: the smallest scale of a parameter, in the units of the parameter.
        clip_threshold: the largest root mean square of `u`.
        relative_step: stored in the config; the rate is at most `1 / sqrt(t)` in either case, as in Keras.
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if an option is out of range; see `Optimizer`.

    Reference:
        - [Shazeer and Stern, 2018, Adafactor: Adaptive Learning Rates with Sublinear Memory
          Cost](https://arxiv.org/abs/1804.04235)

    Example:

    >>> optimizer = Adafactor(learning_rate=0.1)
    >>> params = {"w": jnp.full((2, 2), 5.0)}
    >>> params, _ = optimizer.update({"w": jnp.ones((2, 2))}, optimizer.init(params), params)
    >>> params["w"].round(3)  # moved by a tenth of its root mean square
    Array([[4.5, 4.5],
       [4.5, 4.5]], dtype=float32)
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
