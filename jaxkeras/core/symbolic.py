"""Symbolic tensors, the graph they record, and the `@op` decorator.

There are no hand-written shape rules: `jax.eval_shape` traces a function twice, with two different numbers for each
unknown size. Output sizes that differ are unknown too.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar, overload

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.context import local
from jaxkeras.core.dtypes import standardize_dtype, stored_dtype
from jaxkeras.core.functional import functional_call
from jaxkeras.core.masks import get_mask, set_mask
from jaxkeras.core.names import auto_name
from jaxkeras.core.variable import Variable, standardize_shape

P = ParamSpec("P")
R = TypeVar("R")


class Probe(NamedTuple):
    """The numbers used for an unknown batch size and for all other unknown sizes."""

    batch: Any
    other: Any


# Primes that programs hardly use, large enough for strides, pooling and dilation.
PRIMES = (Probe(1009, 97), Probe(2003, 151))
# For functions that need sizes to be divisible, such as a network that halves and doubles them.
DIVISIBLE = (Probe(1024, 96), Probe(2048, 160))


class History(NamedTuple):
    """The call that produced a KerasTensor."""

    operation: Any
    node_index: int
    tensor_index: int


class KerasTensor:
    """A symbolic tensor: the result of `Input`, and of layers and ops that are called on one.

    Args:
        shape: the shape, None where unknown.
        dtype: name of the dtype.
        sparse: kept for compatibility; must be False.
        ragged: kept for compatibility; must be False.
        record_history: whether operations on it are recorded in a graph.
        name: shown in messages.

    Example:

    >>> x = KerasTensor((None, 3))
    >>> (x + 1).shape
    (None, 3)
    """

    def __init__(
        self,
        shape: Any,
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        if sparse or ragged:
            raise ValueError("Sparse and ragged tensors are not supported; pass dense arrays with a mask.")
        self._shape = standardize_shape(shape)
        self._dtype = stored_dtype(standardize_dtype(dtype))
        self.sparse, self.ragged = False, False
        self.record_history = record_history
        self.name = name or auto_name(type(self).__name__)
        self._keras_history: Any = None  # a `History`, once an operation has returned it

    shape = property(lambda self: self._shape)
    dtype = property(lambda self: self._dtype)
    ndim = property(lambda self: len(self._shape))

    @property
    def T(self) -> Any:
        return _transpose(self)

    def reshape(self, *newshape: Any) -> Any:
        shape = newshape[0] if len(newshape) == 1 and isinstance(newshape[0], (list, tuple)) else newshape
        return _reshape(self, tuple(shape))

    def squeeze(self, axis: Any = None) -> Any:
        return _squeeze(self, axis)

    def __getitem__(self, key: Any) -> Any:
        return _get_item(self, key)

    def __len__(self) -> int:
        raise TypeError("The length of a KerasTensor is unknown while a graph is built.")

    def __iter__(self):
        raise NotImplementedError("A KerasTensor cannot be iterated over; use `jaxkeras.ops.unstack`.")

    def __bool__(self) -> bool:
        raise TypeError("A KerasTensor has no value, so it is neither true nor false; use `jaxkeras.ops.where`.")

    def __float__(self) -> float:
        raise ValueError("A KerasTensor has no values while a graph is built.")

    __int__ = __float__

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise ValueError(_NOT_AN_ARRAY.format(self))

    @property
    def __jax_array__(self) -> Any:  # a property, since JAX often only tests whether it exists
        raise ValueError(_NOT_AN_ARRAY.format(self))

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self._shape}, dtype={self._dtype}, sparse=False, ragged=False, name={self.name}>"


_NOT_AN_ARRAY = (
    "{} stands for a value that does not exist yet, so JAX and NumPy functions cannot take it. In a functional model "
    "call `jaxkeras.ops.*` or a layer on it, or put your code into the `call` method of your own layer (or into "
    "`layers.Lambda`):\n"
    "    class MyLayer(jaxkeras.layers.Layer):\n"
    "        def call(self, x):\n"
    "            return jnp.tanh(x)"
)


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is a KerasTensor."""
    return isinstance(x, KerasTensor)


def any_symbolic(*trees: Any) -> bool:
    """Whether a KerasTensor is anywhere in nested lists, tuples and dicts."""
    return any(isinstance(leaf, KerasTensor) for leaf in jax.tree.leaves(trees))


class Node:
    """One call of an operation in a graph.

    Attributes:
        operation: what was called.
        args, kwargs: the arguments, KerasTensors included.
        inputs: the KerasTensors among the arguments, flat.
        outputs: the KerasTensors returned, flat.
    """

    def __init__(self, operation: Any, args: tuple, kwargs: dict, outputs: Any):
        self.operation, self.args, self.kwargs = operation, args, kwargs
        self.inputs = [x for x in jax.tree.leaves((args, kwargs)) if isinstance(x, KerasTensor)]
        self.outputs = jax.tree.leaves(outputs)
        for x in self.outputs:
            if not isinstance(x, KerasTensor):
                raise ValueError(
                    f"Operation '{operation.name}' returned {x!r} when called on a KerasTensor; it must return tensors."
                )
        operation._inbound_nodes.append(self)
        if all(x.record_history for x in self.inputs):
            for i, x in enumerate(self.outputs):
                x._keras_history = History(operation, len(operation._inbound_nodes) - 1, i)
        for x in self.inputs:
            if x._keras_history is not None:
                x._keras_history.operation._outbound_nodes.append(self)

    @property
    def is_input(self) -> bool:
        return not self.inputs

    @property
    def parents(self) -> list[Node]:
        """The nodes that made the inputs."""
        return [
            x._keras_history.operation._inbound_nodes[x._keras_history.node_index]
            for x in self.inputs
            if x._keras_history is not None
        ]


class Operation:
    """A callable on tensors that becomes a node of a graph when called on symbolic ones.

    Args:
        name: unique within a graph; generated from the class name when not given.
    """

    _init_arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any):
        instance = object.__new__(cls)
        # For classes without a `get_config`.
        object.__setattr__(instance, "_init_arguments", (args, kwargs))
        return instance

    def __init__(self, name: str | None = None):
        if name is None:
            name = auto_name(type(self).__name__)
        if not isinstance(name, str) or "/" in name:
            raise ValueError(
                f"The `name` of a {type(self).__name__} must be a string without '/'; got {name!r} "
                f"(of type {type(name).__name__})."
            )
        self.name = name
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Infer the outputs for symbolic inputs and record the call."""
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no `call` method.")

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs as KerasTensors, by tracing `call` abstractly."""
        return infer(self.call, args, kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, which must be plain data."""
        return {"name": self.name, **self._constructor_arguments()}

    def _constructor_arguments(self) -> dict[str, Any]:
        args, kwargs = self._init_arguments
        signature = inspect.signature(type(self).__init__)
        bound = dict(signature.bind(self, *args, **kwargs).arguments)
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                bound.update(bound.pop(name, {}))
        bound.pop(next(iter(signature.parameters)), None)
        return bound

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def _only_node(self, what: str) -> Node:
        if not self._inbound_nodes:
            raise AttributeError(f"'{self.name}' was never called on a symbolic tensor, so it has no `{what}`.")
        return self._inbound_nodes[0]

    @property
    def input(self) -> Any:
        """The symbolic input of the first call."""
        node = self._only_node("input")
        return node.inputs[0] if len(node.inputs) == 1 else node.inputs

    @property
    def output(self) -> Any:
        """The symbolic output of the first call."""
        node = self._only_node("output")
        return node.outputs[0] if len(node.outputs) == 1 else node.outputs


def _stand_in(x: Any, probe: Probe) -> Any:
    if not isinstance(x, KerasTensor):
        return x
    shape = tuple(size if size is not None else probe[axis > 0] for axis, size in enumerate(x.shape))
    if x.dtype == "string":
        raise ValueError(
            "Text was given to a layer that computes with numbers. Turn it into numbers first: "
            "vectorize = jaxkeras.layers.TextVectorization(); vectorize.adapt(x); fit(vectorize(x), y), or make that "
            "layer (or StringLookup) the first one of a Sequential or functional model."
        )
    return jax.ShapeDtypeStruct(shape, jnp.dtype(x.dtype))


def known_shape(shape: tuple[Any, ...]) -> tuple[int | None, ...]:
    """A shape as `build` sees it: during shape inference, with None for an unknown batch size."""
    current = local.frame
    if current is not None and current.abstract and shape and shape[0] in _PROBED_BATCHES:
        shape = (None, *shape[1:])
    return tuple(size if isinstance(size, int) else None for size in shape)


_PROBED_BATCHES = frozenset(probe.batch for probe in (*PRIMES, *DIVISIBLE))


class _Inferred(NamedTuple):
    """Shapes and dtypes of the leaves of an output, which of them have a mask, and the structure."""

    leaves: list[jax.ShapeDtypeStruct]
    masked: list[bool]
    structure: Any


def infer(function: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
    """The result of `function(*args, **kwargs)` as KerasTensors, by abstract tracing.

    Args:
        function: a function over arrays.
        args, kwargs: its arguments; KerasTensors anywhere inside stand for arrays.

    Returns:
        The structure that `function` returns, with KerasTensors in place of arrays.
    """
    leaves, treedef = jax.tree.flatten((args, kwargs), is_leaf=lambda x: isinstance(x, Variable))
    symbolic = [i for i, x in enumerate(leaves) if isinstance(x, KerasTensor)]
    masks = [get_mask(leaves[i]) for i in symbolic]

    def run(probe: Probe) -> _Inferred:
        inferred: list[Any] = []

        def call(arrays: list[Any], mask_arrays: list[Any]) -> Any:
            filled = list(leaves)
            for i, array, mask in zip(symbolic, arrays, mask_arrays):
                filled[i] = array
                if mask is not None:
                    set_mask(array, mask)
            args, kwargs = jax.tree.unflatten(treedef, filled)
            output = functional_call({}, {}, lambda: function(*args, **kwargs), abstract=True).output
            out_leaves, structure = jax.tree.flatten(output)
            inferred.append(([get_mask(y) is not None for y in out_leaves], structure))
            return [jnp.asarray(y) for y in out_leaves]

        stand_ins = [_stand_in(leaves[i], probe) for i in symbolic]
        mask_stand_ins = [None if m is None else _stand_in(m, probe) for m in masks]
        shapes = jax.eval_shape(call, stand_ins, mask_stand_ins)
        return _Inferred(shapes, *inferred[0])

    if not any(None in leaves[i].shape for i in symbolic):
        first = second = run(PRIMES[0])
    else:
        first, second = _probe(run)
    outputs = []
    for a, b, has_mask in zip(first.leaves, second.leaves, first.masked):
        shape = tuple(m if isinstance(m, int) and m == n else None for m, n in zip(a.shape, b.shape))
        y = KerasTensor(shape, a.dtype.name)
        if has_mask:
            set_mask(y, KerasTensor(shape[:-1] if len(shape) > 1 else shape, "bool", record_history=False))
        outputs.append(y)
    return jax.tree.unflatten(first.structure, outputs)


def _probe(run: Callable[[Probe], _Inferred]) -> tuple[_Inferred, _Inferred]:
    """Run with two sets of sizes; if that fails, with symbolic dimensions."""

    def again(probe: Probe) -> _Inferred:
        with warnings.catch_warnings(action="ignore"):  # the first run has shown them
            return run(probe)

    try:
        return run(PRIMES[0]), again(PRIMES[1])
    except (TypeError, ValueError) as error:
        reason = error
    try:
        return again(DIVISIBLE[0]), again(DIVISIBLE[1])
    except (TypeError, ValueError):
        pass
    try:
        inferred = again(Probe(*_symbolic_sizes()))
    except Exception:
        raise reason from None
    return inferred, inferred


@functools.cache
def _symbolic_sizes() -> tuple[Any, ...]:
    from jax import export

    return tuple(export.symbolic_shape("batch, size"))


# Parameters for data. All others of an op are settings, which its config holds as in Keras's files.
_DATA_PARAMETERS = frozenset(
    "x x1 x2 x3 xs y a b v inputs indices condition operands tensor tensors values arrays target output logits "
    "query key value bias mask kernel data segment_ids updates start_indices matrix images labels".split()
)


class OpNode(Operation):
    """An `@op` function as a node of a graph; arguments that are not data are its settings."""

    def __init__(self, function: Callable[..., Any], settings: dict[str, Any], name: str | None = None):
        super().__init__(name=name or auto_name(function.__name__))
        self.function, self.settings = function, settings
        names = list(inspect.signature(function).parameters.values())
        variadic = [i for i, p in enumerate(names) if p.kind is p.VAR_POSITIONAL]
        self._leading = [p.name for p in names[: variadic[0]]] if variadic else []

    def call(self, *args: Any, **kwargs: Any) -> Any:
        # In einsum(subscripts, *operands), parameters before the operands can be given by position only.
        data, settings = iter(args), dict(self.settings)
        leading = [settings.pop(name) if name in settings else next(data) for name in self._leading]
        return self.function(*leading, *data, **kwargs, **settings)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self.settings}


@overload
def op(function: Callable[P, R], *, name: str | None = None) -> Callable[P, R]: ...


@overload
def op(function: None = None, *, name: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def op(function: Callable[..., Any] | None = None, *, name: str | None = None) -> Any:
    """Make a function over arrays accept KerasTensors and variables too.

    Args:
        function: takes and returns (nested structures of) arrays.
        name: the name of the operation; defaults to the function's.

    Returns:
        The wrapped function, with the same signature. Called on a KerasTensor it records a node and returns
        KerasTensors.

    Example:

    >>> @op
    ... def double(x):
    ...     return 2 * x
    >>> double(KerasTensor((None, 3))).shape
    (None, 3)
    """
    if function is None:
        return functools.partial(op, name=name)
    name = name or function.__name__

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not any_symbolic(args, kwargs):
            return function(*args, **kwargs)
        signature = inspect.signature(function)
        bound = signature.bind(*args, **kwargs)
        data, settings, variadic = [], {}, False
        for key, value in bound.arguments.items():
            kind = signature.parameters[key].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                variadic = True
                data.extend((None, item) for item in value)
            elif kind is inspect.Parameter.VAR_KEYWORD:
                settings.update(value)
            elif key in _DATA_PARAMETERS or any_symbolic(value):
                data.append((key, value))
            else:
                settings[key] = value
        node = OpNode(wrapper, settings, auto_name(name))
        if variadic:
            return node(*(value for _, value in data))
        # Leading data arguments are passed by position, the others by keyword.
        order = list(signature.parameters)
        positional = []
        while data and data[0][0] == order[len(positional)] and signature.parameters[data[0][0]].kind != 3:
            positional.append(data.pop(0)[1])
        return node(*positional, **dict(data))

    wrapper.__dict__["op_name"] = name
    return wrapper


_get_item = op(lambda x, key: x[key], name="get_item")
_reshape = op(lambda x, newshape: jnp.reshape(x, newshape), name="reshape")
_transpose = op(lambda a: jnp.transpose(a), name="transpose")
_squeeze = op(lambda x, axis=None: jnp.squeeze(x, axis), name="squeeze")


def _operators() -> None:
    def binary(symbol: str, function: Callable[..., Any], name: str) -> None:
        # jnp's ufuncs have no signature to inspect; Keras names the two operands x1 and x2.
        wrapped = op(lambda x1, x2: function(x1, x2), name=name)
        setattr(KerasTensor, f"__{symbol}__", lambda self, other: wrapped(self, other))
        setattr(KerasTensor, f"__r{symbol}__", lambda self, other: wrapped(other, self))

    def unary(symbol: str, function: Callable[..., Any], name: str) -> None:
        wrapped = op(lambda x: function(x), name=name)
        setattr(KerasTensor, f"__{symbol}__", lambda self: wrapped(self))

    for symbol, name in (
        ("add", "add"), ("sub", "subtract"), ("mul", "multiply"), ("truediv", "true_divide"), ("matmul", "matmul"),
        ("floordiv", "floor_divide"), ("mod", "mod"), ("pow", "power"), ("and", "logical_and"), ("or", "logical_or"),
        ("xor", "logical_xor"), ("eq", "equal"), ("ne", "not_equal"), ("lt", "less"), ("le", "less_equal"),
        ("gt", "greater"), ("ge", "greater_equal"),
    ):  # fmt: skip
        binary(symbol, getattr(jnp, name), name)
    for symbol, name in (("neg", "negative"), ("abs", "absolute"), ("invert", "logical_not")):
        unary(symbol, getattr(jnp, name), name)


_operators()
KerasTensor.__hash__ = object.__hash__
