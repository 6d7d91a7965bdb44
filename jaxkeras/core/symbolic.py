"""Symbolic tensors, the graph they record, and the `@op` decorator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar, overload

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import hooks
from jaxkeras.core.dtypes import standardize_dtype, stored_dtype
from jaxkeras.core.functional import functional_call
from jaxkeras.core.masks import get_mask, set_mask
from jaxkeras.core.names import auto_name
from jaxkeras.core.shape_inference import Spec, Traced, infer_leniently, infer_specs
from jaxkeras.core.shape_inference import known_shape as known_shape
from jaxkeras.core.sparse import any_sparse, is_sparse, placeholder
from jaxkeras.core.tracebacks import explain, named_arguments
from jaxkeras.core.variable import Variable, standardize_shape

P = ParamSpec("P")
R = TypeVar("R")


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
        sparse: whether it stands for a sparse array, a `jax.experimental.sparse.BCOO`.
        ragged: kept for compatibility; JAX has no ragged arrays.
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
        if sparse and ragged:
            raise ValueError("A KerasTensor is either sparse or ragged; got sparse=True and ragged=True.")
        self._shape = standardize_shape(shape)
        self._dtype = stored_dtype(standardize_dtype(dtype))
        self._sparse, self._ragged = bool(sparse), bool(ragged)
        self.record_history = record_history
        self.name = name or auto_name(type(self).__name__)
        self._keras_history: Any = None  # a `History`, once an operation has returned it

    shape = property(lambda self: self._shape)
    dtype = property(lambda self: self._dtype)
    sparse = property(lambda self: self._sparse)
    ragged = property(lambda self: self._ragged)
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

    def __eq__(self, other: Any) -> Any:
        # As in Keras, tensors are compared by identity, so that they can be searched in lists.
        is_value = isinstance(other, (int, float, np.generic, np.ndarray, jax.Array))
        return _equal(self, other) if is_value else self is other

    __hash__ = object.__hash__

    def __round__(self, ndigits: int | None = None) -> Any:
        return _round(self, ndigits or 0)

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
        kind = f"sparse={self._sparse}, ragged={self._ragged}"
        return f"<KerasTensor shape={self._shape}, dtype={self._dtype}, {kind}, name={self.name}>"


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
        try:
            if any_symbolic(args, kwargs):
                return self.symbolic_call(*args, **kwargs)
            return self.call(*args, **kwargs)
        except Exception as error:
            explain(error, f"{type(self).__name__}.call()", named_arguments(self.call, args, kwargs))
            raise

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
        """The arguments of the constructor, which must be plain data.

        Raises:
            NotImplementedError: for other arguments, and for positional ones without a name.
        """
        if type(self).get_config is not Operation.get_config:  # a subclass adds its arguments
            return {"name": self.name}
        parameters = inspect.signature(type(self).__init__).parameters.values()
        config = {**self._constructor_arguments(defaults=True), "name": self.name}
        kinds = {p.kind for p in parameters}
        if inspect.Parameter.VAR_KEYWORD not in kinds and all(p.name != "name" for p in parameters):
            del config["name"]
        unnamed = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL and config.pop(p.name)]
        if unnamed or not all(isinstance(v, (str, int, float, bool)) for v in jax.tree.leaves(config)):
            raise NotImplementedError(
                f"The arguments of {type(self).__name__} are not plain data with names, so it needs a `get_config`:"
                "\n    def get_config(self):\n        return {**super().get_config(), 'units': self.units}"
            )
        return config

    def _constructor_arguments(self, defaults: bool = False) -> dict[str, Any]:
        args, kwargs = self._init_arguments
        signature = inspect.signature(type(self).__init__)
        arguments = signature.bind(self, *args, **kwargs)
        if defaults:
            arguments.apply_defaults()
        bound = dict(arguments.arguments)
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


def infer(function: Callable[..., Any], args: tuple, kwargs: dict, sizes: Sequence[int] | None = None) -> Any:
    """The result of `function(*args, **kwargs)` as KerasTensors, by abstract tracing.

    Args:
        function: a function over arrays.
        args, kwargs: its arguments; KerasTensors anywhere inside stand for arrays.
        sizes: not None to infer leniently: unknown sizes may be what other arguments need, or one of these.

    Returns:
        The structure that `function` returns, with KerasTensors in place of arrays.
    """
    leaves, treedef = jax.tree.flatten((args, kwargs), is_leaf=lambda x: isinstance(x, Variable))
    symbolic = [i for i, x in enumerate(leaves) if isinstance(x, KerasTensor)]

    def call(arrays: list[Any], mask_arrays: list[Any]) -> Traced:
        filled = list(leaves)
        for i, array, mask in zip(symbolic, arrays, mask_arrays):
            filled[i] = placeholder(array) if leaves[i].sparse else array
            if mask is not None:
                set_mask(filled[i], mask)
        args, kwargs = jax.tree.unflatten(treedef, filled)
        output = functional_call({}, {}, lambda: function(*args, **kwargs), abstract=True).output
        out_leaves, structure = jax.tree.flatten(output, is_leaf=is_sparse)
        notes = [(get_mask(y) is not None, is_sparse(y)) for y in out_leaves]
        dense = [jnp.zeros(y.shape, y.dtype) if sparse else y for y, (_, sparse) in zip(out_leaves, notes)]
        return Traced(dense, notes, structure)

    specs = [Spec(leaves[i].shape, leaves[i].dtype) for i in symbolic]
    masks = [m if m is None else Spec(m.shape, m.dtype) for m in (get_mask(leaves[i]) for i in symbolic)]
    inferred = infer_specs(call, specs, masks) if sizes is None else infer_leniently(call, specs, masks, sizes)
    outputs = []
    for (shape, dtype), (has_mask, sparse) in zip(inferred.specs, inferred.notes):
        y = KerasTensor(shape, dtype, sparse)
        if has_mask:
            set_mask(y, KerasTensor(shape[:-1] if len(shape) > 1 else shape, "bool", record_history=False))
        outputs.append(y)
    return jax.tree.unflatten(inferred.structure, outputs)


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
        return self._call(self.function, args, kwargs)

    def _call(self, function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        # In einsum(subscripts, *operands), parameters before the operands can be given by position only.
        data, settings = iter(args), dict(self.settings)
        leading = [settings.pop(name) if name in settings else next(data) for name in self._leading]
        return function(*leading, *data, **kwargs, **settings)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        rule = getattr(self.function, "output_spec", None)
        settings = jax.tree.leaves(self.settings)
        sizes = [n for n in settings if isinstance(n, int) and not isinstance(n, bool)]
        try:
            outputs = None if rule is None else self._call(rule, args, kwargs)
            return infer(self.call, args, kwargs, sizes) if outputs is None else outputs
        except (TypeError, IndexError) as error:
            if any(callable(value) for value in settings):  # may be an error of the user's function
                raise
            shapes = [x.shape for x in jax.tree.leaves((args, kwargs)) if isinstance(x, KerasTensor)]
            raise ValueError(f"`{self.name}` cannot be applied to shapes {shapes}: {error}") from error

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self.settings}


@overload
def op(function: Callable[P, R], *, name: str | None = None, output_spec: Any = None) -> Callable[P, R]: ...


@overload
def op(
    function: None = None, *, name: str | None = None, output_spec: Any = None
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def op(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    output_spec: Callable[..., Any] | None = None,
) -> Any:
    """Make a function over arrays accept KerasTensors and variables too.

    Args:
        function: takes and returns (nested structures of) arrays.
        name: the name of the operation; defaults to the function's.
        output_spec: for sizes that tracing cannot find, such as those that depend on values: a function of the same
            arguments that returns the outputs as KerasTensors, or None to trace.

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
        return functools.partial(op, name=name, output_spec=output_spec)
    name = name or function.__name__

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not any_symbolic(args, kwargs):
            if any_sparse(args, kwargs):
                return hooks.sparse_call(name, function, args, kwargs)
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

    wrapper.__dict__.update(op_name=name, output_spec=output_spec)
    return wrapper


def get_item_spec(x: Any, key: Any) -> Any:
    """The output of indexing, where slices of an unknown size are unknown too; None to trace."""
    keys = list(key) if isinstance(key, (tuple, list)) else [key]
    basic = all(k is None or k is Ellipsis or isinstance(k, (int, slice)) for k in keys)
    if not basic or not isinstance(x, KerasTensor):
        return None
    axis, taken = 0, sum(k is not None and k is not Ellipsis for k in keys)
    for i, k in enumerate(keys):
        if k is Ellipsis:
            axis += x.ndim - taken
        elif k is not None:
            size = x.shape[axis] if axis < x.ndim else None
            if isinstance(k, slice):
                keys[i] = slice(None) if size is None else k
            elif size is not None and not -size <= k < size:  # JAX would take the nearest element
                raise ValueError(f"Index {k} is out of bounds for axis {axis} of shape {x.shape}.")
            axis += 1
    return infer(lambda x: x[tuple(keys)], (x,), {})


_get_item = op(
    lambda x, key: x[tuple(key) if isinstance(key, list) else key], name="get_item", output_spec=get_item_spec
)
_round = op(lambda x, decimals=0: jnp.round(x, decimals), name="round")
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
        ("xor", "logical_xor"), ("ne", "not_equal"), ("lt", "less"), ("le", "less_equal"),
        ("gt", "greater"), ("ge", "greater_equal"),
    ):  # fmt: skip
        binary(symbol, getattr(jnp, name), name)
    for symbol, name in (("neg", "negative"), ("abs", "absolute"), ("invert", "logical_not")):
        unary(symbol, getattr(jnp, name), name)


_operators()
_equal = op(lambda x1, x2: jnp.equal(x1, x2), name="equal")
