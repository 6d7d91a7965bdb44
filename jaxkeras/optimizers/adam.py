"""Adam and its relatives: running means of the gradient and of its square."""

from __future__ import annotations

from typing import Unpack

import jax.numpy as jnp

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
    """`p - alpha * m / (sqrt(v) + epsilon)` with `alpha = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t)`.

    Here `m` and `v` are running means of `g` and `g^2`; AMSGrad takes the largest `v` so far. Kingma and Ba, "Adam",
    https://arxiv.org/abs/1412.6980 (the form before section 2.1); Reddi et al., "On the Convergence of Adam and
    Beyond", https://openreview.net/forum?id=ryQu7f-RZ. `optax.adam` uses Algorithm 1, whose epsilon is added after the
    bias correction, so that here it is `1 / sqrt(1 - beta_2^t)` times larger: up to 32 times on the first step.
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

    return Rule(slots_like_parameter(**_MOMENTS, **({"velocity_hat": 0.0} if amsgrad else {})), step, scalars)


@register("keras.optimizers")
class Adam(Optimizer):
    """Adaptive moment estimation; see `adam` for the formula, and how it differs from optax's.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: the decay of the mean of gradients.
        beta_2: the decay of the mean of squared gradients.
        epsilon: added to the root of the second mean ("epsilon hat" of the paper).
        amsgrad: never let the second mean fall.
        **options: see `Optimizer`.

    Example:

    >>> Adam(learning_rate=0.01).get_config()["epsilon"]
    1e-07
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
    """Adam with decoupled weight decay: `p` is first multiplied by `1 - lr * weight_decay`.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", https://arxiv.org/abs/1711.05101. Every optimizer
    takes `weight_decay`; here it is on by default.

    Args:
        learning_rate: see `Optimizer`.
        weight_decay: see `Optimizer`; it cannot be None.
        beta_1: see `Adam`.
        beta_2: see `Adam`.
        epsilon: see `Adam`.
        amsgrad: see `Adam`.
        **options: see `Optimizer`.

    Raises:
        ValueError: for a weight decay of None.
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
    """`p - lr * m / ((1 - beta_1^t) * (u + epsilon))` with `u = max(beta_2 * u, |g|)`.

    Kingma and Ba, "Adam", https://arxiv.org/abs/1412.6980, section 7.1. `optax.adamax` adds epsilon to `|g|` within the
    maximum instead.
    """

    def scalars(lr: Array, count: Array, shared: Scalars) -> Scalars:
        return {"lr": lr, "correction": 1 - jnp.power(beta_1, ordinal(count, lr.dtype))}

    def step(p: Array, g: Array, slots: Slots, scalars: Scalars) -> tuple[Array, Slots]:
        m = slots["momentum"] + (g - slots["momentum"]) * (1 - beta_1)
        u = jnp.maximum(beta_2 * slots["norm"], jnp.abs(g))
        return p - scalars["lr"] * m / (scalars["correction"] * (u + epsilon)), {"momentum": m, "norm": u}

    return Rule(slots_like_parameter(momentum=0.0, norm=0.0), step, scalars)


@register("keras.optimizers")
class Adamax(Optimizer):
    """Adam with the infinity norm; see `adamax` for the formula.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: the decay of the mean of gradients.
        beta_2: the decay of the largest gradient.
        epsilon: added to that.
        **options: see `Optimizer`.
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
    """`p - lr * m_hat / (sqrt(v / (1 - beta_2^t)) + epsilon)`, with a momentum that warms up.

    `u(t) = beta_1 * (1 - 0.96^t / 2)` and `U` the product of `u(1) ... u(t)`;
    `m_hat = u(t+1) * m / (1 - U * u(t+1)) + (1 - u(t)) * g / (1 - U)`. Dozat, "Incorporating Nesterov Momentum into
    Adam", ICLR workshop 2016. `optax.nadam` keeps the momentum constant.
    """

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

    return Rule(slots_like_parameter(**_MOMENTS), step, scalars, {"u_product": 1.0})


@register("keras.optimizers")
class Nadam(Optimizer):
    """Adam with Nesterov momentum; see `nadam` for the formula.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: the decay of the mean of gradients, reached gradually.
        beta_2: the decay of the mean of squared gradients.
        epsilon: added to the root of the second mean.
        **options: see `Optimizer`.
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


def lamb(beta_1: float, beta_2: float, epsilon: float) -> Rule:
    """`p - lr * r * u` with `u` the step of Adam (Algorithm 1) and `r = |p| / |u|`, 1 where either norm is 0.

    You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
    https://arxiv.org/abs/1904.00962; as `optax.lamb`, but for weight decay, which here comes before the step.
    """

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
    """Layerwise adaptive moments for large batches; see `lamb` for the formula.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: the decay of the mean of gradients.
        beta_2: the decay of the mean of squared gradients.
        epsilon: added to the root of the second mean.
        **options: see `Optimizer`.
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
    """A fast sequence `z`, its average `x`, and gradients taken at the parameter `p = (1 - beta_1) * z + beta_1 * x`.

    `z` moves by `-lr * g / (sqrt(v / (1 - beta_2^t)) + epsilon)` and `x` towards `z` by the fraction `1 / t`; `x` is
    not stored but recovered from `p` and `z` (the slot `momentum`). Defazio et al., "The Road Less Scheduled",
    https://arxiv.org/abs/2405.15682. `optax.contrib.schedule_free_adamw` weights the average by the largest rate.
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

    return Rule(slots_like_parameter(momentum=None, velocity=0.0), step, scalars)


@register("keras.optimizers")
class ScheduleFreeAdamW(Optimizer):
    """Adam that averages instead of decaying its rate; see `schedule_free_adamw` for the formula.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: how far the parameters lie towards the average.
        beta_2: the decay of the mean of squared gradients.
        epsilon: added to the root of that mean.
        warmup_steps: the rate rises on a line for so many steps.
        **options: see `Optimizer`.
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
