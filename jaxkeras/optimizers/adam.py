"""Adam and its variants: running means of the gradient and of its square."""

from __future__ import annotations

from typing import Unpack

import jax.numpy as jnp

from jaxkeras.core.variable import Variable
from jaxkeras.optimizers.base import Optimizer, Options, OptionsButDecay, with_options
from jaxkeras.optimizers.rule import Array, Rule, Scalars, Slots, one_minus, ordinal, slots_like_parameter
from jaxkeras.optimizers.variables import Rate
from jaxkeras.registry import register

_MOMENTS = {"momentum": 0.0, "velocity": 0.0}


def _moments(g: Array, slots: Slots, beta_1: float, beta_2: float) -> tuple[Array, Array]:
    """The running means of the gradient and of its square."""
    m, v = slots["momentum"], slots["velocity"]
    return m + (g - m) * (1 - beta_1), v + (jnp.square(g) - v) * (1 - beta_2)


def adam(beta_1: float, beta_2: float, epsilon: float, amsgrad: bool = False) -> Rule:
    """The rule of `Adam`.

    `optax.adam` follows Algorithm 1 of the paper, whose epsilon is added after the bias correction; compared with that,
    the epsilon here is `1 / sqrt(1 - beta_2^t)` times larger, up to 32 times on the first step.
    """

    def scalars(lr: Array, count: Array, shared: Scalars) -> Scalars:
        t = ordinal(count, lr.dtype)
        return {"alpha": lr * jnp.sqrt(1 - jnp.power(beta_2, t)) / (1 - jnp.power(beta_1, t))}

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        m, v = _moments(g, slots, beta_1, beta_2)
        new = {"momentum": m, "velocity": v}
        if amsgrad:
            v = new["velocity_hat"] = jnp.maximum(slots["velocity_hat"], v)
        return p - m * scalars["alpha"] / (jnp.sqrt(v) + epsilon), new

    slots = slots_like_parameter(**_MOMENTS, **({"velocity_hat": 0.0} if amsgrad else {}))
    return Rule(slots, step, scalars, elementwise=True)


@register("keras.optimizers")
class Adam(Optimizer):
    """Adaptive moment estimation.

    `m` and `v` are running means of `g` and `g^2`. With `alpha = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t)`, step `t` is
    `p = p - alpha * m / (sqrt(v) + epsilon)`. AMSGrad uses the largest `v` so far.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        beta_1: the decay of the mean of the gradients, in [0, 1).
        beta_2: the decay of the mean of the squared gradients, in [0, 1).
        epsilon: a small number added to `sqrt(v)` ("epsilon hat" of the paper, section 2).
        amsgrad: whether to use the AMSGrad variant.
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if an option is out of range; see `Optimizer`.

    Reference:
        - [Kingma and Ba, 2015, Adam: A Method for Stochastic Optimization](https://arxiv.org/abs/1412.6980)
        - [Reddi et al., 2018, On the Convergence of Adam and Beyond](https://openreview.net/forum?id=ryQu7f-RZ)

    Example:

    >>> optimizer = Adam(learning_rate=0.1)
    >>> params = {"w": jnp.zeros(2)}
    >>> params, _ = optimizer.update({"w": jnp.array([3.0, -0.1])}, optimizer.init(params), params)
    >>> params["w"].round(3)
    Array([-0.1,  0.1], dtype=float32)
    """

    hyperparameters = ("beta_1", "beta_2", "epsilon", "amsgrad")
    slot_groups = (("momentum", "velocity"), ("velocity_hat",))

    @with_options
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad

    def rule(self) -> Rule:
        return adam(self.beta_1, self.beta_2, self.epsilon, self.amsgrad)


@register("keras.optimizers")
class AdamW(Adam):
    """Adam with decoupled weight decay.

    Before each step of `Adam`, `p = p * (1 - lr * weight_decay)`. All optimizers accept `weight_decay`; here it is on
    by default.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        weight_decay: the decay per step, relative to the learning rate; not None.
        beta_1: the decay of the mean of the gradients, in [0, 1).
        beta_2: the decay of the mean of the squared gradients, in [0, 1).
        epsilon: a small number added to the root of the mean of the squared gradients.
        amsgrad: whether to use the AMSGrad variant.
        **options: the options of all optimizers, such as `clipnorm` and `use_ema`; see `Optimizer`.

    Raises:
        ValueError: if `weight_decay` is None or an option is out of range.

    Reference:
        - [Loshchilov and Hutter, 2019, Decoupled Weight Decay Regularization](https://arxiv.org/abs/1711.05101)

    Example:

    >>> optimizer = AdamW(learning_rate=0.1, weight_decay=0.5)
    >>> params = {"w": jnp.ones(2)}
    >>> params, _ = optimizer.update({"w": jnp.zeros(2)}, optimizer.init(params), params)
    >>> [round(w, 3) for w in params["w"].tolist()]
    [0.95, 0.95]
    """

    @with_options
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[OptionsButDecay],
    ) -> None:
        if weight_decay is None:
            raise ValueError("`weight_decay` of AdamW must be a number; got None. Without weight decay, use Adam.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options)


def adamax(beta_1: float, beta_2: float, epsilon: float) -> Rule:
    """The rule of `Adamax`; `optax.adamax` adds epsilon to `|g|` inside the maximum instead."""

    def scalars(lr: Array, count: Array, shared: Scalars) -> Scalars:
        return {"lr": lr, "correction": 1 - jnp.power(beta_1, ordinal(count, lr.dtype))}

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        m = slots["momentum"] + (g - slots["momentum"]) * (1 - beta_1)
        u = jnp.maximum(beta_2 * slots["norm"], jnp.abs(g))
        return p - scalars["lr"] * m / (scalars["correction"] * (u + epsilon)), {"momentum": m, "norm": u}

    return Rule(slots_like_parameter(momentum=0.0, norm=0.0), step, scalars, elementwise=True)


@register("keras.optimizers")
class Adamax(Optimizer):
    """Adam with the infinity norm in place of the mean of the squared gradients.

    `m` is a running mean of `g` and `u = max(beta_2 * u, |g|)`; step `t` is
    `p = p - lr * m / ((1 - beta_1^t) * (u + epsilon))`.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        beta_1: the decay of the mean of the gradients, in [0, 1).
        beta_2: the decay of the norm `u`, in [0, 1).
        epsilon: a small number added to `u`.
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if an option is out of range; see `Optimizer`.

    Reference:
        - [Kingma and Ba, 2015, Adam: A Method for Stochastic Optimization, section
          7.1](https://arxiv.org/abs/1412.6980)

    Example:

    >>> optimizer = Adamax(learning_rate=0.1)
    >>> params = {"w": jnp.zeros(2)}
    >>> params, _ = optimizer.update({"w": jnp.array([3.0, -0.1])}, optimizer.init(params), params)
    >>> params["w"].round(3)
    Array([-0.1,  0.1], dtype=float32)
    """

    hyperparameters = ("beta_1", "beta_2", "epsilon")

    @with_options
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def rule(self) -> Rule:
        return adamax(self.beta_1, self.beta_2, self.epsilon)


def nadam(beta_1: float, beta_2: float, epsilon: float) -> Rule:
    """The rule of `Nadam`; `optax.nadam` keeps the momentum coefficient constant."""

    def scalars(lr: Array, count: Array, shared: Scalars) -> Scalars:
        t = ordinal(count, lr.dtype)
        now = beta_1 * (1.0 - 0.5 * jnp.power(0.96, t))
        then = beta_1 * (1.0 - 0.5 * jnp.power(0.96, t + 1))
        product = shared["u_product"] * now
        return {
            "lr": lr,
            "u_product": product,
            "of_m": then / (1 - product * then),
            "of_g": (1 - now) / (1 - product),
            "correction": 1 - jnp.power(beta_2, t),
        }

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        m = slots["momentum"] + (g - slots["momentum"]) * one_minus(beta_1, p.dtype)
        v = slots["velocity"] + (jnp.square(g) - slots["velocity"]) * one_minus(beta_2, p.dtype)
        direction = scalars["of_m"] * m + scalars["of_g"] * g
        scale = jnp.sqrt(v / scalars["correction"]) + epsilon
        return p - direction * scalars["lr"] / scale, {"momentum": m, "velocity": v}

    return Rule(slots_like_parameter(**_MOMENTS), step, scalars, {"u_product": 1.0}, elementwise=True)


@register("keras.optimizers")
class Nadam(Optimizer):
    """Adam with Nesterov momentum, whose coefficient warms up.

    `m` and `v` are running means of `g` and `g^2`. With `u(t) = beta_1 * (1 - 0.96^t / 2)`, `U = u(1) * ... * u(t)` and
    `m_hat = u(t+1) * m / (1 - U * u(t+1)) + (1 - u(t)) * g / (1 - U)`, step `t` is
    `p = p - lr * m_hat / (sqrt(v / (1 - beta_2^t)) + epsilon)`.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        beta_1: the decay of the mean of the gradients, and the limit of the momentum coefficient; in [0, 1).
        beta_2: the decay of the mean of the squared gradients, in [0, 1).
        epsilon: a small number added to the root of the mean of the squared gradients.
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if an option is out of range; see `Optimizer`.

    Reference:
        - [Dozat, 2016, Incorporating Nesterov Momentum into Adam](https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ)

    Example:

    >>> optimizer = Nadam(learning_rate=0.1)
    >>> params = {"w": jnp.zeros(2)}
    >>> params, _ = optimizer.update({"w": jnp.array([3.0, -3.0])}, optimizer.init(params), params)
    >>> [round(w, 3) for w in params["w"].tolist()]
    [-0.106, 0.106]
    """

    hyperparameters = ("beta_1", "beta_2", "epsilon")

    @with_options
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def rule(self) -> Rule:
        return nadam(self.beta_1, self.beta_2, self.epsilon)

    @property
    def _u_product(self) -> Variable:
        return self._slots[("u_product",)]


def lamb(beta_1: float, beta_2: float, epsilon: float) -> Rule:
    """The rule of `Lamb`; the same as `optax.lamb` except for weight decay, which is applied before the step here."""

    def scalars(lr: Array, count: Array, shared: Scalars) -> Scalars:
        t = ordinal(count, lr.dtype)
        return {"lr": lr, "of_m": 1.0 - jnp.power(beta_1, t), "of_v": 1.0 - jnp.power(beta_2, t)}

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        m, v = _moments(g, slots, beta_1, beta_2)
        u = (m / scalars["of_m"]) / (jnp.sqrt(v / scalars["of_v"]) + epsilon)
        p_norm, u_norm = jnp.sqrt(jnp.sum(jnp.square(p))), jnp.sqrt(jnp.sum(jnp.square(u)))
        ratio = jnp.where((p_norm > 0) & (u_norm > 0), p_norm / u_norm, 1.0).astype(p.dtype)
        return p - ratio * scalars["lr"] * u, {"momentum": m, "velocity": v}

    return Rule(slots_like_parameter(**_MOMENTS), step, scalars)


@register("keras.optimizers")
class Lamb(Optimizer):
    """Layerwise adaptive moments for training with large batches.

    With `u` the step of Adam (Algorithm 1 of its paper) for one parameter and `r = |p| / |u|` the ratio of the 2-norms,
    or 1 if either is 0, a step is `p = p - lr * r * u`.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        beta_1: the decay of the mean of the gradients, in [0, 1).
        beta_2: the decay of the mean of the squared gradients, in [0, 1).
        epsilon: a small number added to the root of the mean of the squared gradients.
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if an option is out of range; see `Optimizer`.

    Reference:
        - [You et al., 2020, Large Batch Optimization for Deep Learning: Training BERT in 76
          minutes](https://arxiv.org/abs/1904.00962)

    Example:

    >>> optimizer = Lamb(learning_rate=0.1)
    >>> params = {"w": jnp.array([3.0, 4.0])}
    >>> params, _ = optimizer.update({"w": jnp.ones(2)}, optimizer.init(params), params)
    >>> [round(w, 3) for w in params["w"].tolist()]  # a step of a tenth of the norm
    [2.646, 3.646]
    """

    hyperparameters = ("beta_1", "beta_2", "epsilon")

    @with_options
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def rule(self) -> Rule:
        return lamb(self.beta_1, self.beta_2, self.epsilon)


def schedule_free_adamw(beta_1: float, beta_2: float, epsilon: float, warmup_steps: int) -> Rule:
    """The rule of `ScheduleFreeAdamW`; `optax.contrib.schedule_free_adamw` weights the average by the largest rate.

    `x` is not stored but recovered from `p` and `z`, which is the slot `momentum`.
    """

    def scalars(lr: Array, count: Array, shared: Scalars) -> Scalars:
        t = ordinal(count, lr.dtype)
        if warmup_steps > 0:
            lr = lr * jnp.minimum(t / warmup_steps, 1.0)
        return {"lr": lr, "weight": 1.0 / t, "correction": 1 - jnp.power(beta_2, t)}

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        z, v = slots["momentum"], slots["velocity"]
        rest = one_minus(beta_1, p.dtype)
        v = v + (jnp.square(g) - v) * one_minus(beta_2, p.dtype)
        x = (p - rest * z) / beta_1
        z = z - scalars["lr"] * g / (jnp.sqrt(v / scalars["correction"]) + epsilon)
        x = (1 - scalars["weight"]) * x + scalars["weight"] * z
        return rest * z + beta_1 * x, {"momentum": z, "velocity": v}

    return Rule(slots_like_parameter(momentum=None, velocity=0.0), step, scalars, elementwise=True)


@register("keras.optimizers")
class ScheduleFreeAdamW(Optimizer):
    """Adam that averages its iterates instead of decaying its learning rate.

    Gradients are taken at `p = (1 - beta_1) * z + beta_1 * x`. Step `t` moves `z` by
    `-lr * g / (sqrt(v / (1 - beta_2^t)) + epsilon)`, where `v` is a running mean of `g^2`, and then the average `x`
    towards `z` by the fraction `1 / t`.

    Args:
        learning_rate: the step size: a number, a `LearningRateSchedule`, or a function of the step.
        beta_1: the weight of the average `x` in the parameters, in (0, 1).
        beta_2: the decay of the mean of the squared gradients, in [0, 1).
        epsilon: a small number added to the root of the mean of the squared gradients.
        warmup_steps: the number of steps in which the rate rises linearly from 0; 0 for no warm-up.
        **options: the options of all optimizers, such as `weight_decay` and `clipnorm`; see `Optimizer`.

    Raises:
        ValueError: if an option is out of range; see `Optimizer`.

    Reference:
        - [Defazio et al., 2024, The Road Less Scheduled](https://arxiv.org/abs/2405.15682)

    Example:

    >>> optimizer = ScheduleFreeAdamW(learning_rate=0.1)
    >>> params = {"w": jnp.zeros(2)}
    >>> params, _ = optimizer.update({"w": jnp.array([3.0, -0.1])}, optimizer.init(params), params)
    >>> params["w"].round(3)
    Array([-0.1,  0.1], dtype=float32)
    """

    hyperparameters = ("beta_1", "beta_2", "epsilon", "warmup_steps")

    @with_options
    def __init__(
        self,
        learning_rate: Rate = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1, self.beta_2, self.epsilon, self.warmup_steps = beta_1, beta_2, epsilon, warmup_steps

    def rule(self) -> Rule:
        return schedule_free_adamw(self.beta_1, self.beta_2, self.epsilon, self.warmup_steps)
