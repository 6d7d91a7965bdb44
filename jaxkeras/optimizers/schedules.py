"""Learning rates as functions of the step, evaluated inside the compiled program.

A schedule is any function of the number of steps taken (an int32 scalar) that returns a rate. The classes here are
those of Keras, which also have a config. Optax's schedules are such functions too and need no adapter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import lazy_imports
from jaxkeras.lookup import lookup_functions
from jaxkeras.registry import register

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule",
    "OneCycle", "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "get", "serialize",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)

_KIND = "keras.optimizers.schedules"


class LearningRateSchedule:
    """Base class of learning rates that depend on the step; a subclass defines `__call__(self, step)`.

    To save a model with a custom schedule, also define `get_config` (the arguments of the constructor) and register the
    class with `@jaxkeras.saving.register_keras_serializable()`.

    Example:

    >>> class Halving(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * 0.5**step
    >>> float(Halving()(1))
    0.05
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate after `step` steps.

        Args:
            step: an int32 scalar, a tracer inside compiled programs.

        Returns:
            The learning rate, a scalar.
        """
        raise NotImplementedError(f"Schedule '{type(self).__name__}' needs a method `__call__(self, step)`.")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, as plain data."""
        raise NotImplementedError(
            f"Schedule '{type(self).__name__}' needs a method `get_config(self)` that returns the arguments of its "
            "constructor, so that it can be written into a file."
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """The schedule with this config."""
        return cls(**config)


class _Named(LearningRateSchedule):
    """A schedule whose config is the list of its constructor's arguments."""

    arguments: tuple[str, ...] = ()

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.arguments}


def _float(step: Any) -> jax.Array:
    return jnp.asarray(step).astype(jnp.float32)


def _check_positive(name: str, value: float) -> None:
    if value <= 0:
        raise ValueError(f"`{name}` must be positive; got {name}={value}.")


@register(_KIND)
class ExponentialDecay(_Named):
    """Multiply the rate by `decay_rate` every `decay_steps` steps.

    `rate(step) = initial_learning_rate * decay_rate ** (step / decay_steps)`, with the exponent rounded down if
    `staircase`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the number of steps in which the rate is multiplied by `decay_rate` once; positive.
        decay_rate: the factor.
        staircase: whether to decay in discrete steps instead of continuously.
        name: the name of the schedule.

    Raises:
        ValueError: if `decay_steps` is not positive.

    Example:

    >>> round(float(ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)), 6)
    0.025
    """

    arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        _check_positive("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps, self.decay_rate = decay_steps, decay_rate
        self.staircase, self.name = staircase, name

    def __call__(self, step: Any) -> jax.Array:
        exponent = _float(step) / self.decay_steps
        if self.staircase:
            exponent = jnp.floor(exponent)
        return self.initial_learning_rate * jnp.power(float(self.decay_rate), exponent)


@register(_KIND)
class InverseTimeDecay(_Named):
    """Divide the rate by a number that grows linearly with the step.

    `rate(step) = initial_learning_rate / (1 + decay_rate * step / decay_steps)`, with `step / decay_steps` rounded down
    if `staircase`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the number of steps in which the divisor grows by `decay_rate`; positive.
        decay_rate: the growth of the divisor.
        staircase: whether to decay in discrete steps instead of continuously.
        name: the name of the schedule.

    Raises:
        ValueError: if `decay_steps` is not positive.

    Example:

    >>> round(float(InverseTimeDecay(0.1, decay_steps=1, decay_rate=0.5)(2)), 6)
    0.05
    """

    arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        _check_positive("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps, self.decay_rate = decay_steps, decay_rate
        self.staircase, self.name = staircase, name

    def __call__(self, step: Any) -> jax.Array:
        time = _float(step) / self.decay_steps
        if self.staircase:
            time = jnp.floor(time)
        return self.initial_learning_rate / (1.0 + self.decay_rate * time)


@register(_KIND)
class PiecewiseConstantDecay(_Named):
    """A constant rate on each interval between boundaries.

    `values[0]` up to and including step `boundaries[0]`, then `values[1]` up to and including `boundaries[1]`, and so
    on; `values[-1]` after the last boundary.

    Args:
        boundaries: the last steps of the intervals, in increasing order.
        values: the rates, one more than there are boundaries.
        name: the name of the schedule.

    Raises:
        ValueError: if there is not exactly one value more than boundaries.

    Example:

    >>> decay = PiecewiseConstantDecay([100, 200], [1.0, 0.5, 0.1])
    >>> [round(float(decay(step)), 2) for step in (100, 101, 201)]
    [1.0, 0.5, 0.1]
    """

    arguments = ("boundaries", "values", "name")

    def __init__(
        self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"
    ) -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                f"PiecewiseConstantDecay needs one value more than boundaries; got {len(boundaries)} boundaries "
                f"{list(boundaries)} and {len(values)} values {list(values)}."
            )
        self.boundaries, self.values, self.name = boundaries, values, name

    def __call__(self, step: Any) -> jax.Array:
        step = jnp.asarray(step)
        boundaries = np.asarray(self.boundaries).astype(step.dtype)
        return jnp.asarray(self.values, jnp.float32)[jnp.sum(step > boundaries)]


@register(_KIND)
class PolynomialDecay(_Named):
    """Polynomial decay from one rate to another.

    `rate(step) = (initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ** power + end_learning_rate`,
    constant after `decay_steps`. If `cycle`, `decay_steps` is replaced by the smallest multiple of it that is not less
    than the step, so that the rate jumps up and decays again.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the number of steps to reach `end_learning_rate`; positive.
        end_learning_rate: the rate at the end.
        power: the exponent; 1 for linear decay.
        cycle: whether to start again after `decay_steps`.
        name: the name of the schedule.

    Raises:
        ValueError: if `decay_steps` is not positive.

    Example:

    >>> round(float(PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)(5)), 6)
    0.05
    """

    arguments = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        _check_positive("decay_steps", decay_steps)
        self.initial_learning_rate, self.end_learning_rate = initial_learning_rate, end_learning_rate
        self.decay_steps, self.power = decay_steps, power
        self.cycle, self.name = cycle, name

    def __call__(self, step: Any) -> jax.Array:
        step, total = _float(step), jnp.float32(self.decay_steps)
        if self.cycle:
            total = total * jnp.where(step == 0, 1.0, jnp.ceil(step / total))
        else:
            step = jnp.minimum(step, total)
        span = np.float32(self.initial_learning_rate) - np.float32(self.end_learning_rate)
        return span * jnp.power(1.0 - step / total, float(self.power)) + self.end_learning_rate


@register(_KIND)
class CosineDecay(_Named):
    """Cosine decay after an optional linear warm-up.

    `rate(step) = top * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)`, constant after `decay_steps`,
    where `top` is `initial_learning_rate`. With `warmup_target`, the rate first rises linearly from
    `initial_learning_rate` to `warmup_target` in `warmup_steps` steps, and then `top` is `warmup_target`.

    An integer rate, such as 0 before a warm-up, means the same as a float; Keras rounds the whole schedule to integers.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the number of steps of the decay; positive.
        alpha: the rate at the end, as a fraction of `top`.
        name: the name of the schedule.
        warmup_target: the rate at the end of the warm-up, or None for no warm-up.
        warmup_steps: the number of steps of the warm-up.

    Raises:
        ValueError: if `decay_steps` is not positive.

    Reference:
        - [Loshchilov and Hutter, 2017, SGDR: Stochastic Gradient Descent with Warm
          Restarts](https://arxiv.org/abs/1608.03983)
        - [Goyal et al., 2017, Accurate, Large Minibatch SGD](https://arxiv.org/abs/1706.02677), for the warm-up

    Example:

    >>> decay = CosineDecay(0.0, decay_steps=10, warmup_target=0.1, warmup_steps=4)
    >>> [round(float(decay(step)), 4) for step in (0, 2, 4, 9, 14)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """

    arguments = ("initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        _check_positive("decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps, self.alpha = initial_learning_rate, decay_steps, alpha
        self.warmup_target, self.warmup_steps, self.name = warmup_target, warmup_steps, name

    def __call__(self, step: Any) -> jax.Array:
        step = _float(step)
        if self.warmup_target is None:
            return self._decay(jnp.minimum(step, self.decay_steps), self.initial_learning_rate)
        step = jnp.minimum(step, self.decay_steps + self.warmup_steps)
        rise = np.float32(self.warmup_target) - np.float32(self.initial_learning_rate)
        warmup = rise * (step / self.warmup_steps) + self.initial_learning_rate
        return jnp.where(step < self.warmup_steps, warmup, self._decay(step - self.warmup_steps, self.warmup_target))

    def _decay(self, step: jax.Array, top: float) -> jax.Array:
        cosine = 0.5 * (1.0 + jnp.cos(np.float32(np.pi) * (step / self.decay_steps)))
        return top * ((1 - self.alpha) * cosine + self.alpha)


@register(_KIND)
class CosineDecayRestarts(_Named):
    """Cosine decay with warm restarts.

    Period `i` has `first_decay_steps * t_mul ** i` steps. After the fraction `x` of them,
    `rate = initial_learning_rate * ((1 - alpha) * m_mul ** i * (1 + cos(pi * x)) / 2 + alpha)`.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: the number of steps of the first period; positive.
        t_mul: the length of each period, relative to the one before.
        m_mul: the height of the cosine in each period, relative to the one before.
        alpha: the lowest rate, as a fraction of the initial one.
        name: the name of the schedule.

    Raises:
        ValueError: if `first_decay_steps` is not positive.

    Reference:
        - [Loshchilov and Hutter, 2017, SGDR: Stochastic Gradient Descent with Warm
          Restarts](https://arxiv.org/abs/1608.03983)

    Example:

    >>> decay = CosineDecayRestarts(0.1, first_decay_steps=10)
    >>> [round(float(decay(step)), 4) for step in (0, 5, 10, 20)]
    [0.1, 0.05, 0.1, 0.05]
    """

    arguments = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        _check_positive("first_decay_steps", first_decay_steps)
        self.initial_learning_rate, self.first_decay_steps = initial_learning_rate, first_decay_steps
        self.t_mul, self.m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name

    def __call__(self, step: Any) -> jax.Array:
        elapsed = _float(step) / self.first_decay_steps
        if self.t_mul == 1.0:
            period = jnp.floor(elapsed)
            fraction = elapsed - period
        else:
            # In float32, as in Keras: rounding decides to which period a step on the boundary belongs.
            growth = np.float32(self.t_mul)
            period = jnp.floor(jnp.log(1.0 - elapsed * (np.float32(1) - growth)) / jnp.log(growth))
            before = (1.0 - jnp.power(growth, period)) / (np.float32(1) - growth)
            fraction = (elapsed - before) / jnp.power(growth, period)
        height = jnp.power(np.float32(self.m_mul), period)
        cosine = 0.5 * height * (1.0 + jnp.cos(np.float32(np.pi) * fraction))
        alpha = np.float32(self.alpha)
        return self.initial_learning_rate * ((np.float32(1) - alpha) * cosine + alpha)


@register(_KIND, module="jaxkeras.optimizers.schedules")
class OneCycle(_Named):
    """One rise and one fall of the learning rate over a whole training run, both along a cosine.

    The rate rises from `max_learning_rate / div_factor` to `max_learning_rate` in `warmup_fraction` of the steps, and
    falls to `max_learning_rate / (div_factor * final_div_factor)` in the rest:
    `rate(step) = end + (start - end) * (1 + cos(pi * x)) / 2` after the fraction `x` of the rise or the fall. A good
    maximum is the rate that `utils.find_learning_rate` suggests, or a few times it.

    Args:
        max_learning_rate: the highest rate.
        total_steps: the number of steps of the run, such as `epochs * ceil(rows / batch_size)`; positive.
        warmup_fraction: the share of the steps in which the rate rises, in (0, 1).
        div_factor: the highest rate, relative to the first.
        final_div_factor: the first rate, relative to the last.
        name: the name of the schedule.

    Raises:
        ValueError: if `total_steps` is not positive or `warmup_fraction` is out of range.

    Reference:
        - [Smith and Topin, 2018, Super-Convergence](https://arxiv.org/abs/1708.07120)

    Example:

    >>> schedule = OneCycle(0.1, total_steps=10)
    >>> [round(float(schedule(step)), 4) for step in (0, 3, 10)]
    [0.004, 0.1, 0.0]
    """

    arguments = ("max_learning_rate", "total_steps", "warmup_fraction", "div_factor", "final_div_factor", "name")

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        warmup_fraction: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        name: str = "OneCycle",
    ) -> None:
        _check_positive("total_steps", total_steps)
        if not 0 < warmup_fraction < 1:
            raise ValueError(f"`warmup_fraction` must be between 0 and 1; got {warmup_fraction}.")
        self.max_learning_rate, self.total_steps = max_learning_rate, total_steps
        self.warmup_fraction, self.div_factor = warmup_fraction, div_factor
        self.final_div_factor, self.name = final_div_factor, name

    def __call__(self, step: Any) -> jax.Array:
        step, rise = _float(step), max(1.0, float(int(self.total_steps * self.warmup_fraction)))
        top, first = self.max_learning_rate, self.max_learning_rate / self.div_factor
        risen = jnp.minimum(step / rise, 1.0)
        fallen = jnp.clip((step - rise) / max(1.0, self.total_steps - rise), 0.0, 1.0)
        falling = _cosine(top, first / self.final_div_factor, fallen)
        return jnp.where(step < rise, _cosine(first, top, risen), falling)


def _cosine(start: float, end: float, fraction: jax.Array) -> jax.Array:
    """A value on the way from `start` to `end` along half a period of a cosine."""
    return end + (start - end) * 0.5 * (1.0 + jnp.cos(np.float32(np.pi) * fraction))


get, serialize, deserialize = lookup_functions(
    _KIND,
    "learning_rate_schedule",
    accepts="a name such as 'ExponentialDecay', a schedule or its class, a config, or a function of the step",
    example=""">>> schedule = ExponentialDecay(0.1, 10, 0.5)
>>> get(schedule) is schedule
True
>>> deserialize(serialize(schedule)).decay_steps
10""",
)
