"""From cells to trees and back: `functional_call`, the one place that binds variables, runs and collects.

At rest a `Variable` reads its own cell. During a functional call a frame is bound, and a `Variable` is only an address
in it. `Layer.apply`, the training step, Keras's `stateless_*` methods, recurrent loops and optimizers written as in
Keras are all calls of this one function.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import get_opaque_trace_state

from jaxkeras.core.context import local, setting
from jaxkeras.core.tracking import Path, Trackable, nest, variable_paths
from jaxkeras.core.variable import Variable

Tree = Any


class Frame:
    """Values bound during one functional call, and everything the call wrote.

    Variables are keys by identity, and the frame keeps them alive: no later variable can take the address of one that
    is gone.

    Attributes:
        values: arrays that variables read.
        updates: arrays that variables were assigned.
        losses: scalars recorded by `add_loss`.
        checks: `{message: traced bool}`; a training step stops with the message when the value comes out true.
        rng: a PRNG key that takes the place of the layers' seeds, or None.
        rng_paths: for each seed state, an integer from its structural path that tells its draws from others'.
        abstract: True while shapes are inferred: a variable without a value reads as zeros, and layers may be built.
    """

    __slots__ = ("values", "updates", "losses", "rng", "rng_paths", "draws", "abstract", "outer", "checks", "trace")

    def __init__(
        self,
        values: Mapping[Variable, Any],
        rng: Any = None,
        abstract: bool = False,
        rng_paths: Mapping[Variable, int] | None = None,
    ):
        outer = local.frame
        self.values = values
        self.outer = outer  # variables that this frame does not bind belong to the call around it
        self.updates: dict[Variable, Any] = {}
        self.losses: list[Any] = []
        self.checks: dict[str, Any] = {}
        self.rng = rng
        self.rng_paths = rng_paths if rng_paths is not None else outer.rng_paths if outer is not None else {}
        self.draws = 0
        self.abstract = abstract
        self.trace = get_opaque_trace_state()

    def read(self, variable: Variable) -> Any:
        """The value of a variable during this call."""
        if variable in self.updates:
            return self.updates[variable]
        if variable in self.values:
            return self.values[variable]
        if self.outer is not None:
            return self.outer.read(variable)
        # A copy made by a jit inside the trace (jnp.take and others are jitted) holds that jit's own tracer; zeros in
        # its place would stay in that function's cache.
        if self.abstract and not isinstance(variable._cell, Tracer):
            return jnp.zeros(variable.shape, variable.dtype)
        return variable.cell()

    def write(self, variable: Variable, value: Any) -> None:
        """Replace the value of a variable for the rest of this call.

        Raises:
            RuntimeError: for a value that belongs to a transformation (`scan`, `vmap`, ...) opened inside the call.
        """
        if self.outer is not None and variable not in self.values and not self.abstract:
            self.outer.write(variable, value)
            return
        if self._escapes(value):
            raise RuntimeError(
                f"Variable '{variable.path}' was assigned inside a JAX transformation (`scan`, `while_loop`, `cond`, "
                "`vmap`, `jit`, ...) that runs within `call`, so its new value could not leave the transformation. "
                "Carry the state through the transformation and assign it afterwards, for example:\n"
                "    def step(carry, x):\n"
                "        state, h = carry\n"
                "        y, state = layer.apply(params, state, x, training=True)\n"
                "        return (state, h + y), y\n"
                "or use layers.RNN or layers.TimeDistributed, which do so."
            )
        self.updates[variable] = value

    def merge_updates(self, updates: Mapping[Variable, Any]) -> None:
        """Write what a call on values of this frame, run apart from it, has written."""
        for variable, value in updates.items():
            self.write(variable, value)

    def add_loss(self, loss: Any) -> None:
        """Record a scalar that is added to the training loss."""
        if self._escapes(loss):
            raise RuntimeError(
                "`add_loss` was called inside a JAX transformation (`scan`, `vmap`, ...) that runs within `call`, and "
                "the loss could not leave it. Return the value from the transformation and call `add_loss` afterwards."
            )
        self.losses.append(loss)

    def check(self, message: str, failed: Any) -> None:
        """Stop the run with `message` if `failed`, a traced bool, comes out true.

        Ignored inside a further transformation, which the value could not leave.
        """
        if not self.abstract and get_opaque_trace_state() == self.trace:
            known = self.checks.get(message)
            self.checks[message] = failed if known is None else known | failed

    def next_key(self) -> Any:
        """A fresh key of this call: the frame's key folded with the number of draws so far."""
        key = jax.random.fold_in(self.rng, self.draws)
        self.draws += 1
        return key

    def draw(self, seed_state: Variable) -> Any:
        """The next key of a seed generator, given its state.

        It depends on the structural path and not on generated names, so that models built alike draw alike.
        """
        return jax.random.fold_in(self.next_key(), self.rng_paths.get(seed_state, 0))

    def _escapes(self, value: Any) -> bool:
        """Whether a value belongs to a transformation that was opened inside this call."""
        if not isinstance(value, Tracer) or get_opaque_trace_state() == self.trace:
            return False
        own = self.trace._trace_ref()
        trace = value._trace
        while trace is not own:
            trace = getattr(trace, "parent_trace", None)
            if trace is None:
                return False
        return value._trace is not own


@contextlib.contextmanager
def bound(frame: Frame) -> Iterator[Frame]:
    """Bind a frame for a `with` block; `functional_call` does that for all but Keras's `StatelessScope`."""
    outer, local.frame = local.frame, frame
    try:
        yield frame
    finally:
        local.frame = outer


class CallResult(NamedTuple):
    """What a functional call returned, the values it left in the variables, and its frame."""

    output: Any
    values: Tree
    frame: Frame


def functional_call(
    variables: Tree, values: Tree, function: Callable[[], Any], *, rng: Any = None, abstract: bool = False
) -> CallResult:
    """Call `function` with variables bound to values, as a pure function of the values.

    Args:
        variables: a pytree of `Variable`s: `{"params": ..., "state": ...}`, a `TrainState`, a list.
        values: arrays in the same structure.
        function: takes nothing; reads and assigns variables. Variables that are not bound keep their meaning: they
            belong to the functional call around this one, or to the cells.
        rng: a PRNG key from which random layers draw instead of their seed states. Draws of different generators are
            told apart by their paths in `variables`, if that is a dict of collections, else as in the call around.
        abstract: whether only shapes matter; see `Frame`.

    Returns:
        The output, the values after the call in the structure of `variables`, and the frame, which holds losses and
        checks.

    Raises:
        ValueError: for values of another structure or shape, naming the path.

    Example:

    >>> v = Variable(jnp.zeros(2))
    >>> result = functional_call({"v": v}, {"v": jnp.ones(2)}, lambda: v.assign(v + 1))
    >>> result.values["v"], v.value
    (Array([2., 2.], dtype=float32), Array([0., 0.], dtype=float32))
    """
    leaves, structure = jax.tree.flatten(variables, is_leaf=is_variable)
    given = dict(zip(leaves, _matching_arrays(variables, leaves, structure, values)))
    paths = None
    if rng is not None and isinstance(variables, dict):
        paths = {v: path_hash(path[1:]) for path, v in leaf_paths(variables)}
    with bound(Frame(given, as_key(rng), abstract, paths)) as frame:
        output = function()
    return CallResult(output, structure.unflatten([frame.updates.get(v, given[v]) for v in leaves]), frame)


def is_variable(x: Any) -> bool:
    """Whether `x` is a `Variable`, a leaf of trees of variables."""
    return isinstance(x, Variable)


def as_key(rng: Any) -> Any:
    """A JAX key from a key or an integer; None stays None."""
    if rng is None or not isinstance(rng, (int, np.integer)):
        return rng
    return jax.random.key(int(rng))


def leaf_paths(tree: Tree) -> list[tuple[Path, Any]]:
    """`(path, leaf)` for every leaf of a tree of arrays or variables."""
    flat, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_variable)
    return [(tuple(map(key_name, keys)), leaf) for keys, leaf in flat]


def key_name(key: Any) -> str:
    """One element of a JAX key path, as a string."""
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


# -- errors ----------------------------------------------------------------------------------------------------------
def _matching_arrays(variables: Tree, leaves: list[Variable], structure: Any, values: Tree) -> list[Any]:
    """The arrays in `values`, checked against the structure and the shapes of the variables."""
    try:
        arrays = structure.flatten_up_to(values)
    except ValueError:
        raise _other_structure(variables, values) from None
    for i, (variable, array) in enumerate(zip(leaves, arrays)):
        if isinstance(array, Variable):
            arrays[i] = array.value
        elif not hasattr(array, "shape"):
            arrays[i] = jnp.asarray(array)
        if arrays[i].shape != variable.shape:
            raise _other_shape(variables, variable, arrays[i])
    return arrays


def _other_structure(variables: Tree, values: Tree) -> ValueError:
    wanted = ["/".join(path) for path, _ in leaf_paths(variables)]
    came = ["/".join(path) for path, _ in leaf_paths(values)]
    missing, extra = sorted(set(wanted) - set(came)), sorted(set(came) - set(wanted))
    parts = [f"lacks {', '.join(map(repr, missing[:5]))}"] if missing else []
    parts += [f"has unknown {', '.join(map(repr, extra[:5]))}"] if extra else []
    if isinstance(variables, (list, tuple)) and not hasattr(variables, "_fields"):
        return ValueError(
            f"Expected {len(wanted)} values, one for each of [{', '.join(v.path for _, v in leaf_paths(variables))}]; "
            f"got {len(came)}."
        )
    return ValueError(
        f"The tree of values {' and '.join(parts) or 'has another structure'}. Expected the structure that `init` "
        f"returns, with {len(wanted)} leaves."
    )


def _other_shape(variables: Tree, variable: Variable, array: Any) -> ValueError:
    path = next(path for path, v in leaf_paths(variables) if v is variable)
    where = f"{path[0]}['{'/'.join(path[1:])}']" if len(path) > 1 else f"The value of '{variable.path}'"
    return ValueError(f"{where} must have shape {variable.shape}; got {tuple(array.shape)}.")


# -- the variables of a layer ----------------------------------------------------------------------------------------
def layer_variables(layer: Any) -> dict[str, Any]:
    """`{"params": ..., "state": ...}`: nested dicts of the variables that an optimizer updates, and of the rest."""
    paths = variable_paths(layer)
    trainable = set(layer.trainable_variables)
    params, state = {}, {}
    for v in layer.variables:
        if v in paths:
            (params if v in trainable else state)[paths[v]] = v
    return {"params": nest(params), "state": nest(state)}


def metric_variables(metric: Any) -> dict[str, Any]:
    """The variables of a metric as a nested dict, for a metric of any class with `variables`."""
    variables: list[Variable] = metric.variables
    known = variable_paths(metric, kind="metric") if isinstance(metric, Trackable) else {}
    flat: dict[Path, Variable] = {}
    for i, v in enumerate(variables):
        path = known.get(v, (v.name,))
        flat[path if path not in flat else (*path[:-1], f"{path[-1]}_{i}")] = v
    return nest(flat)


def cells(variables: Tree) -> Tree:
    """The arrays at rest, in the structure of `variables`."""
    return jax.tree.map(lambda v: v.cell(), variables, is_leaf=is_variable)


def set_cells(variables: Tree, values: Tree) -> None:
    """Assign arrays, in the structure of `variables`, to the variables.

    Raises:
        ValueError: for another structure or shape, naming the path.
    """
    leaves, structure = jax.tree.flatten(variables, is_leaf=is_variable)
    for v, value in zip(leaves, _matching_arrays(variables, leaves, structure, values)):
        v.assign(value)


def path_hash(path: Path) -> int:
    """An integer from a path, the same in every process."""
    return zlib.crc32("/".join(path).encode())


def initial_values(variables: Tree, key: Any) -> Tree:
    """Fresh values for a nested dict of variables, each from the key folded with its path.

    Pure: jit it, or vmap it over keys.
    """
    key = as_key(key)
    structure = jax.tree.structure(variables, is_leaf=is_variable)
    values = [_initial_value(v, jax.random.fold_in(key, path_hash(path))) for path, v in leaf_paths(variables)]
    return jax.tree.unflatten(structure, values)


def _initial_value(v: Variable, key: Any) -> Any:
    initializer = v.initializer
    if initializer is None:
        if v.name == "seed_generator_state":
            start = jax.random.bits(key, (), jnp.uint32)
            return jnp.stack([start, jnp.zeros((), jnp.uint32)])
        return v.cell()
    if hasattr(initializer, "draw") and initializer.user_seed is None:
        return jnp.asarray(initializer.draw(key, v.shape, v._dtype), v._dtype)
    return jnp.asarray(initializer(v.shape, dtype=v._dtype), v._dtype)


# -- interceptors ----------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def intercept_calls(interceptor: Callable[[Callable[..., Any], Any, tuple, dict], Any]) -> Iterator[None]:
    """Run a function around every layer call in a `with` block, as Haiku's `intercept_methods` does.

    Args:
        interceptor: `f(next_call, layer, args, kwargs) -> outputs`. `next_call(*args, **kwargs)` is the call of the
            layer itself, or the next interceptor. It runs around calls on arrays, in compiled programs while they are
            traced; not around symbolic calls, which only infer shapes.

    Example:

    >>> import jaxkeras as jk
    >>> def record(next_call, layer, args, kwargs):
    ...     outputs = next_call(*args, **kwargs)
    ...     shapes[layer.name] = outputs.shape
    ...     return outputs
    >>> shapes = {}
    >>> with intercept_calls(record):
    ...     y = jk.layers.Dense(3, name="last")(jnp.ones((2, 4)))
    >>> shapes
    {'last': (2, 3)}
    """
    with setting(interceptors=(*local.interceptors, interceptor)):
        yield


def intercepted(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    """The call of a layer with the interceptors in force around it."""
    for interceptor in reversed(local.interceptors):
        call = _around(interceptor, layer, call)
    return call


def _around(interceptor: Callable[..., Any], layer: Any, next_call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: interceptor(next_call, layer, args, kwargs)
