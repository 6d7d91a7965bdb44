"""`Optimizer`: a pair of pure functions, `init` and `update`, with Keras's API.

Between steps the state is held by the variables that `build` creates, in Keras's order. Inside a step it is a dict of
trees, `{"iterations": ..., "learning_rate": ..., "<slot>": tree like params, ...}`, and `update` maps
`(grads, state, params)` to `(new params, new state)`. A subclass defines either a `rule` (a pure function, as all
optimizers of this package do) or, as in Keras, `build` and `update_step`, which are then run on bound variables.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict, TypeVar

import jax
import jax.numpy as jnp

from jaxkeras.core import config as global_config
from jaxkeras.core.functional import key_name
from jaxkeras.core.variable import Variable
from jaxkeras.lowering.flat import flattened, restored, updates_flat
from jaxkeras.optimizers import functionalize, options
from jaxkeras.optimizers.keras_api import KerasAPI, Tree
from jaxkeras.optimizers.rule import Array, Rule, Slot, cast, scalar
from jaxkeras.optimizers.variables import Rate, State, is_variable

F = TypeVar("F", bound=Callable[..., None])


class OptionsButDecay(TypedDict, total=False):
    """The options that all optimizers share, except for weight decay; see `Optimizer`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


class Options(OptionsButDecay, total=False):
    """The options that all optimizers share; see `Optimizer`."""

    weight_decay: float | None


class ParamInfo(NamedTuple):
    """What is known of a parameter that has no `Variable`; it has the same attributes."""

    path: str
    name: str
    shape: tuple[int, ...]
    dtype: Any
    constraint: None = None
    overwrite_with_gradient: bool = False


class Leaves(NamedTuple):
    """The structure of the parameters.

    Attributes:
        infos: a `Variable` or a `ParamInfo` for each leaf.
        treedef: the structure of the tree.
    """

    infos: list[Any]
    treedef: Any

    def flatten(self, tree: Tree) -> list[Any]:
        """The entries of a tree at the leaves of the parameters."""
        return self.treedef.flatten_up_to(tree)


class Optimizer(KerasAPI):
    """Base class of optimizers.

    To write an optimizer as in Keras, override `build` (create slots with `add_variable_from_reference`) and
    `update_step(gradient, variable, learning_rate)` (update them with `self.assign`). To write it as pure functions,
    override `rule`.

    Args:
        learning_rate: a number, a `LearningRateSchedule`, or any function of the step. A function without arguments
            is evaluated once, when a program is traced.
        weight_decay: before each step, multiply every parameter by `1 - learning_rate * weight_decay` (decoupled
            weight decay). None for no decay.
        clipnorm: the largest 2-norm of the gradient of one parameter; larger gradients are scaled down.
        clipvalue: the largest absolute value of an element of a gradient; larger values are clipped.
        global_clipnorm: the largest joint 2-norm of all gradients; larger ones are scaled down by a common factor.
        use_ema: keep an exponential moving average of the parameters, which replaces them when training ends.
        ema_momentum: the decay of that average per step, in [0, 1].
        ema_overwrite_frequency: also replace the parameters by their averages every this many steps; None for never.
        loss_scale_factor: multiply the loss, and divide the gradients, by this number.
        gradient_accumulation_steps: take a step with the mean of the gradients of every this many calls (at least 2).
            Schedules count calls; bias corrections and the moving average count steps.
        name: a name; made from the class name by default.

    Raises:
        ValueError: if an option is out of range, if more than one kind of clipping is set, or if an argument is
            unknown.

    Reference:
        - [Loshchilov and Hutter, 2019, Decoupled Weight Decay Regularization](https://arxiv.org/abs/1711.05101)

    Example:

    >>> from jaxkeras.optimizers import SGD
    >>> optimizer = SGD(0.5)
    >>> params = {"w": jnp.ones(2)}
    >>> state = optimizer.init(params)
    >>> params, state = jax.jit(optimizer.update)({"w": jnp.ones(2)}, state, params)
    >>> params["w"].tolist(), int(state["iterations"])
    ([0.5, 0.5], 1)
    """

    def __init__(
        self,
        learning_rate: Rate,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("decay", None) is not None:
            warnings.warn("The argument `decay` has no effect; use a schedule as learning_rate.", stacklevel=3)
        if kwargs:
            hint = " The learning rate is `learning_rate`." if "lr" in kwargs else ""
            raise ValueError(
                f"{type(self).__name__} does not know the argument(s) {', '.join(map(repr, kwargs))}.{hint}"
            )
        if gradient_accumulation_steps and gradient_accumulation_steps < 2:
            raise ValueError(
                "`gradient_accumulation_steps` must be an integer of at least 2, or None; "
                f"got {gradient_accumulation_steps}."
            )
        if use_ema and not 0 <= ema_momentum <= 1:
            raise ValueError(f"`ema_momentum` must be in [0, 1]; got {ema_momentum}.")
        every = ema_overwrite_frequency
        if use_ema and every and (not isinstance(every, int) or every < 1):
            raise ValueError(f"`ema_overwrite_frequency` must be a positive integer or None; got {every}.")
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set; got "
                f"clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}."
            )
        super().__init__(learning_rate, name)
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._built_copy: Any = None  # see `functionalize.built_for`

    # -- what a subclass overrides -----------------------------------------------------------------------------------
    def rule(self) -> Rule:
        """The update rule of one parameter, made from the hyperparameters each time a program is traced."""
        raise NotImplementedError(
            f"Optimizer '{type(self).__name__}' must override `update_step(self, gradient, variable, learning_rate)` "
            "(and `build`, if it has slots), or `rule(self)`."
        )

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and assign its slots; a subclass may override it as in Keras.

        Args:
            gradient: an array of the variable's shape.
            variable: the variable.
            learning_rate: the current learning rate, a scalar.
        """
        path = self._paths[self._get_variable_index(variable)]
        rule = self._rules([variable])[0]
        assert rule is not None
        cells = {slot: self._slots[(slot, *path)] for slot in rule.slots(variable)}
        p, state = variable.value, {key: self._slots[(key,)].value for key in rule.shared}
        scalars = self._scalars(rule, state, p.dtype, learning_rate, self._count(self._iterations.value))
        p, slots = rule.step(p, cast(gradient, p.dtype), {slot: c.value for slot, c in cells.items()}, scalars)
        self.assign(variable, p)
        for slot, value in slots.items():
            self.assign(cells[slot], value)

    def _rules(self, infos: Sequence[Any]) -> list[Rule | None]:
        """The rule of each parameter."""
        rule = None if self._overrides("update_step") and not self._overrides("rule") else self.rule()
        return [rule] * len(infos)

    def _overrides(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(Optimizer, method)

    # -- pure functions ------------------------------------------------------------------------------------------------
    def init(self, params: Tree) -> State:
        """The state before the first step.

        Args:
            params: a pytree of arrays, normally a nested dict keyed by path.

        Returns:
            `{"iterations": int32[], "learning_rate": float[], "<slot>": tree like params, ...}`. There is no
            `"learning_rate"` if the rate is a function of the step. In the tree of a slot, a parameter without that
            slot has the entry None.
        """
        leaves = self._leaves(params)
        if self._overrides("build") or self._overrides("update_step"):
            return functionalize.initial_state(functionalize.built_for(self, params, leaves.infos, fresh=True))
        specs, ps = self._slot_specs(leaves.infos), leaves.flatten(params)
        state = self._counters()
        for slot in dict.fromkeys(name for spec in specs for name in spec):
            state[slot] = leaves.treedef.unflatten(
                [spec[slot].array(p) if slot in spec else None for spec, p in zip(specs, ps)]
            )
        for key, value in self._shared(leaves.infos).items():
            state[key] = scalar(value, self._shared_dtype(leaves.infos))
        return state

    def update(self, grads: Tree, state: State, params: Tree, **extra: Any) -> tuple[Tree, State]:
        """One step: everything that Keras's `apply` does, as a pure function.

        Args:
            grads: a tree like `params`. A parameter whose gradient is None stays unchanged. Gradients may be arrays
                of `jax.experimental.sparse`; they are made dense.
            state: what `init` or the last `update` returned.
            params: the parameters.
            **extra: arguments of some of optax's transformations, such as `value=loss`; ignored by all others.

        Returns:
            `(new params, new state)`, with the same structures, shapes and dtypes.

        Raises:
            ValueError: if all gradients are None.
        """
        leaves = self._leaves(params)
        gs = leaves.flatten(grads)
        options.check_gradients(leaves.infos, gs)
        if any(map(options.is_sparse, gs)):
            grads = leaves.treedef.unflatten([options.dense(g) if options.is_sparse(g) else g for g in gs])
        if self._overrides("apply"):
            owner = functionalize.built_for(self, params, leaves.infos)
            return functionalize.run(owner, grads, state, params, owner.apply)
        return self._update(grads, state, params, **extra)

    def scale_loss(self, loss: Any, state: State | None = None) -> Any:
        """The loss to differentiate: multiplied by the loss scale, if there is one.

        Args:
            loss: the loss, a scalar.
            state: the optimizer's state, which holds a dynamic scale; by default that of the variables.

        Returns:
            The scaled loss.
        """
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def _update(self, grads: Tree, state: State, params: Tree, **extra: Any) -> tuple[Tree, State]:
        leaves = self._leaves(params)
        ps, gs = leaves.flatten(params), leaves.flatten(grads)
        direct = [g if info.overwrite_with_gradient else None for g, info in zip(gs, leaves.infos)]
        gs = [None if info.overwrite_with_gradient else g for g, info in zip(gs, leaves.infos)]
        if self.loss_scale_factor is not None:
            gs = [None if g is None else g / self.loss_scale_factor for g in gs]
        state, iterations = dict(state), state["iterations"]
        count = self._count(iterations)
        averages = state.pop("average", None)
        if self.gradient_accumulation_steps:
            ps, direct, state = self._accumulate(ps, gs, direct, state, leaves, count, extra)
        else:
            ps, state = self._descend_in_loop(ps, gs, state, leaves, count, extra)
        ps = [p if g is None else cast(g, p.dtype) for p, g in zip(ps, direct)]
        if averages is not None:
            averages = options.moving_averages(leaves.flatten(averages), ps, self.ema_momentum, count)
            if self.ema_overwrite_frequency:
                due = (count + 1) % self.ema_overwrite_frequency == 0
                ps = [p if a is None else jnp.where(due, a, p) for p, a in zip(ps, averages)]
            state["average"] = leaves.treedef.unflatten(averages)
        constraints = [None if g is None else info.constraint for g, info in zip(gs, leaves.infos)]
        ps = [p if constraint is None else constraint(p) for p, constraint in zip(ps, constraints)]
        state["iterations"] = iterations + 1
        return leaves.treedef.unflatten(ps), state

    def _count(self, iterations: Array) -> Array:
        """The number of steps taken; `iterations` counts calls."""
        every = self.gradient_accumulation_steps
        return iterations // every if every else iterations

    def _accumulate(
        self, ps: list[Any], gs: list[Any], direct: list[Any], state: State, leaves: Leaves, count: Array, extra: Any
    ) -> tuple[list[Any], list[Any], State]:
        """Add to the sums of gradients; when a step is due, take it with the means and reset the sums."""
        every = self.gradient_accumulation_steps
        due = (state["iterations"] + 1) % every == 0
        sums = leaves.flatten(state.pop("gradient_accumulator"))
        added = [None if g is None else cast(g, a.dtype) + a for g, a in zip(gs, sums)]

        def step() -> Any:
            means = [None if a is None else a / every for a in added]
            zeros = [None if a is None else jnp.zeros_like(a) for a in added]
            return *self._descend(ps, means, state, leaves, count, extra), zeros

        ps, state, added = options.cond(due, step, lambda: (ps, state, added))
        # A parameter that its gradient overwrites is set to the largest of the gradients instead of their mean.
        peaks = [None if g is None else jnp.maximum(cast(g, a.dtype), a) for g, a in zip(direct, sums)]
        direct = [None if g is None else jnp.where(due, g, p) for g, p in zip(peaks, ps)]
        peaks = [None if g is None else jnp.where(due, jnp.zeros_like(g), g) for g in peaks]
        sums = [next((x for x in new if x is not None), old) for old, *new in zip(sums, added, peaks)]
        return ps, direct, {**state, "gradient_accumulator": leaves.treedef.unflatten(sums)}

    def _elementwise(self, infos: Sequence[Any]) -> bool:
        """Whether each element of these parameters is updated by its own gradient and moments, and by scalars."""
        own = any(map(self._overrides, ("apply", "update", "update_step", "_descend")))
        if own or not self._overrides("rule") or self.use_ema or self.gradient_accumulation_steps:
            return False
        return all(rule is not None and rule.elementwise for rule in self._rules(infos))

    def _descend_in_loop(
        self, ps: list[Any], gs: list[Any], state: State, leaves: Leaves, count: Array, extra: Any
    ) -> tuple[list[Any], State]:
        """`_descend` in the shapes in which the loop around it keeps parameters and moments."""
        if not (updates_flat() and self._elementwise(leaves.infos)):
            return self._descend(ps, gs, state, leaves, count, extra)
        flat, flat_state = flattened((ps, state))
        new = self._descend(flat, flattened(gs), flat_state, leaves, count, extra)
        return restored(new, (ps, state))

    def _descend(
        self, ps: list[Any], gs: list[Any], state: State, leaves: Leaves, count: Array, extra: Any
    ) -> tuple[list[Any], State]:
        """Clip the gradients, decay the parameters, and take the step; a parameter without a gradient is unchanged."""
        gs = self._clip_gradients(gs)
        lr = state["learning_rate"] if is_variable(self._learning_rate) else self._evaluate_rate(state["iterations"])
        ps = self._decay(ps, [None if g is None else info for g, info in zip(gs, leaves.infos)], lr)
        if self._overrides("update_step"):
            ps, new = self._step_on_variables(ps, gs, state, leaves, lr)
        else:
            ps, new = self._step(ps, gs, state, leaves, lr, count, extra)
        rule = self._first_rule(leaves.infos)
        if rule is not None and rule.shared:
            scalars = self._scalars(rule, state, state[next(iter(rule.shared))].dtype, lr, count)
            new |= {key: scalars[key] for key in rule.shared}
        return ps, {**state, **new}

    def _clip_gradients(self, grads: Sequence[Any]) -> list[Any]:
        return options.clip(grads, self.clipnorm, self.global_clipnorm, self.clipvalue)

    def _step(
        self, ps: list[Any], gs: list[Any], state: State, leaves: Leaves, lr: Any, count: Array, extra: Any
    ) -> tuple[list[Any], State]:
        """Apply the rules; returns the new parameters and the entries of the state that changed."""
        rules = self._rules(leaves.infos)
        names = {slot for rule, info in zip(rules, leaves.infos) if rule is not None for slot in rule.slots(info)}
        slots = {slot: leaves.flatten(state[slot]) for slot in names if slot in state}
        scalars: dict[Any, Any] = {}
        ps = list(ps)
        for i, (p, g, rule) in enumerate(zip(ps, gs, rules)):
            if g is None or rule is None:
                continue
            key = (id(rule), p.dtype)
            if key not in scalars:
                scalars[key] = self._scalars(rule, state, p.dtype, lr, count)
            own = {slot: column[i] for slot, column in slots.items() if column[i] is not None}
            ps[i], own = rule.step(p, cast(g, p.dtype), own, scalars[key])
            for slot, value in own.items():
                slots[slot][i] = value
        return ps, {slot: leaves.treedef.unflatten(column) for slot, column in slots.items()}

    def _step_on_variables(
        self, ps: list[Any], gs: list[Any], state: State, leaves: Leaves, lr: Any
    ) -> tuple[list[Any], State]:
        """The same by calling a user's `update_step` for each parameter."""
        params = leaves.treedef.unflatten(ps)
        owner = functionalize.built_for(self, params, leaves.infos)

        def body(gs: list[Any], variables: list[Variable]) -> None:
            for g, v in zip(gs, variables):
                if g is not None:
                    owner.update_step(g, v, lr)

        params, new = functionalize.run(owner, leaves.treedef.unflatten(gs), state, params, body)
        return leaves.flatten(params), new

    def _scalars(self, rule: Rule, state: State, dtype: Any, lr: Any, count: Array) -> Mapping[str, Any]:
        # At least float32: in bfloat16, beta_2 = 0.999 rounds to 1 and its bias correction to 0.
        wide = "float64" if dtype == "float64" else "float32"
        scalars = rule.scalars(cast(lr, wide), count, {key: cast(state[key], wide) for key in rule.shared})
        return {key: cast(value, dtype) for key, value in scalars.items()}

    def _first_rule(self, infos: Sequence[Any]) -> Rule | None:
        """The rule whose shared scalars the state holds; without parameters, that of a scalar."""
        return self._rules(infos[:1] or [ParamInfo("", "", (), global_config.floatx())])[0]

    def _shared(self, infos: Sequence[Any]) -> Mapping[str, float]:
        rule = self._first_rule(infos)
        return {} if rule is None else rule.shared

    def _leaves(self, params: Tree) -> Leaves:
        flat, treedef = jax.tree_util.tree_flatten_with_path(params)
        known = dict(zip(self._paths, self._trainable_variables))
        infos: list[Any] = []
        for keys, leaf in flat:
            path = tuple(map(key_name, keys))
            full = "/".join(path)
            unknown = ParamInfo(full, full.rpartition("/")[2], jnp.shape(leaf), jnp.result_type(leaf))
            infos.append(known.get(path, unknown))
        return Leaves(infos, treedef)

    def _slot_specs(self, infos: Sequence[Any]) -> list[dict[str, Slot]]:
        """The slots of each parameter."""
        specs = []
        for info, rule in zip(infos, self._rules(infos)):
            spec: dict[str, Slot] = {}
            if self.use_ema and not info.overwrite_with_gradient:
                spec["average"] = Slot()
            if self.gradient_accumulation_steps:
                spec["gradient_accumulator"] = Slot()
            if rule is not None and not info.overwrite_with_gradient:
                spec |= rule.slots(info)
            specs.append(spec)
        return specs

    def _counters(self) -> State:
        state: State = {"iterations": scalar(0, "int32")}
        if is_variable(self._learning_rate):
            state["learning_rate"] = scalar(self._learning_rate.cell(), self._learning_rate.dtype)
        return state


def with_options(init: F) -> F:
    """Append the options that all optimizers share to the signature of a constructor, in Keras's order.

    They come after its positional parameters and before its keyword-only ones, which become positional too. Type
    checkers and editors take the same names from `**options: Unpack[Options]` in the constructor itself.
    """
    own = [p for p in inspect.signature(init).parameters.values() if p.kind is not p.VAR_KEYWORD]
    taken = {p.name for p in own}
    shared = [p for p in inspect.signature(Optimizer.__init__).parameters.values() if p.name not in taken]
    front = [p for p in own if p.kind is p.POSITIONAL_OR_KEYWORD]
    back = [p.replace(kind=p.POSITIONAL_OR_KEYWORD) for p in own if p.kind is p.KEYWORD_ONLY]
    signature = inspect.Signature([*front, *shared[:-1], *back, shared[-1]])

    @functools.wraps(init)
    def __init__(*args: Any, **kwargs: Any) -> None:
        bound = signature.bind(*args, **kwargs).arguments
        unknown = bound.pop("kwargs", {})
        init(**bound, **unknown)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    return __init__  # type: ignore[return-value]
