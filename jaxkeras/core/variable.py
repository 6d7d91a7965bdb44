"""`Variable`: a cell at rest, an address during a functional call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import hooks, placement
from jaxkeras.core.array_like import ArrayLike, as_array, as_array_on_host
from jaxkeras.core.context import local
from jaxkeras.core.deferred import Pending
from jaxkeras.core.dtypes import is_float_dtype, standardize_dtype, stored_dtype
from jaxkeras.core.names import auto_name, current_path

_AGGREGATIONS = ("none", "mean", "sum", "only_first_replica")
_SYNCHRONIZATIONS = ("none", "auto", "on_read", "on_write")


def standardize_shape(shape: Any) -> tuple[int | None, ...]:
    """A shape as a tuple of ints (or None where unknown).

    Raises:
        ValueError: for negative or non-integer sizes.
    """
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    if not isinstance(shape, Sequence):
        try:
            shape = tuple(shape)
        except TypeError:
            raise ValueError(f"A shape must be a tuple of integers; got {shape!r}.") from None
    sizes = []
    for size in shape:
        if size is not None:
            try:
                whole = int(size)
            except (TypeError, ValueError):
                raise ValueError(f"A shape must hold integers or None; got {tuple(shape)!r}.") from None
            if isinstance(size, float) or whole < 0 or whole != size:
                raise ValueError(f"A shape must hold non-negative integers or None; got {tuple(shape)!r}.")
            size = whole
        sizes.append(size)
    return tuple(sizes)


def _callable_or_none(attribute: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise ValueError(f"The {attribute} of a variable must be callable or None; got {value!r}.")
    return value


@jax.tree_util.register_pytree_node_class
class Variable(ArrayLike):
    """A named cell that holds one array: a weight, a statistic, a counter.

    At rest it reads and writes its own cell. Inside `Layer.apply`, and so inside every compiled step, it reads and
    writes the values of that call, and its cell does not change. It can be used wherever `jax.numpy` and `jax.nn` take
    an array; `jax.lax` functions need `variable.value`.

    Args:
        initializer: an array-like value, or a callable `(shape, dtype=...) -> array`.
        shape: the shape; required when `initializer` is callable.
        dtype: name of the type; defaults to the value's, or to `floatx()`.
        trainable: whether an optimizer updates it.
        autocast: whether a layer with a lower-precision compute dtype reads it in that dtype.
        aggregation: how copies of it on several devices combine: `"none"`, `"mean"`, `"sum"` or
            `"only_first_replica"`.
        synchronization: `"auto"`, `"none"`, `"on_read"` or `"on_write"`; kept for compatibility with Keras.
        name: the last element of its path; generated when not given.
        layout: a `distribution.TensorLayout` or a `jax.sharding.Sharding` for the value; by default that of the
            distribution in force, if there is one.
        **kwargs: accepted for compatibility with Keras; unused.

    Raises:
        ValueError: for a missing shape or a shape that disagrees with the value; for a value rather than an
            initializer in a `StatelessScope`, where nothing would keep it.

    Example:

    >>> v = Variable(np.ones((2, 3)), dtype="float32", name="kernel")
    >>> _ = v.assign_add(v)
    >>> float(jnp.sum(v))
    12.0
    """

    name: str = "variable"
    path: str = "variable"
    trainable: bool = True
    aggregation: str = "none"
    synchronization: str = "auto"
    _regularizer: Callable[..., Any] | None = None
    _constraint: Callable[..., Any] | None = None
    _overwrite_with_gradient: bool = False

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        layout: Any = None,
        **kwargs: Any,
    ):
        self.explicit_name = name is not None
        name = name or auto_name(type(self).__name__)
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"The name of a variable must be a string without '/'; got {name!r}.")
        if aggregation not in (None, *_AGGREGATIONS):
            raise ValueError(f"Unknown aggregation {aggregation!r}; expected one of {', '.join(_AGGREGATIONS)}.")
        if synchronization not in (None, *_SYNCHRONIZATIONS):
            raise ValueError(
                f"Unknown synchronization {synchronization!r}; expected one of {', '.join(_SYNCHRONIZATIONS)}."
            )
        self.name = name
        scope = current_path()
        self.path = f"{scope}/{name}" if scope else name
        self.trainable = bool(trainable)
        self.autocast = bool(autocast)
        self.aggregation = aggregation or "none"
        self.synchronization = synchronization or "none"
        self.layout = layout
        if isinstance(initializer, str):
            initializer = hooks.initializer_from_name(initializer)
        if callable(initializer) and not hasattr(initializer, "__jax_array__"):
            if shape is None:
                raise ValueError(
                    f"Variable '{self.path}' has a callable initializer, so its shape must be given: "
                    "Variable(initializer, shape=(...))."
                )
            self._shape: tuple[Any, ...] = standardize_shape(shape)
            if None in self._shape:
                raise ValueError(f"Variable '{self.path}' needs a fully known shape; got {self._shape}.")
            self._dtype = stored_dtype(standardize_dtype(dtype))
            self.initializer: Any = initializer
            self._cell: Any = Pending(initializer)
        else:
            if getattr(local.frame, "scope", None) is not None:
                raise ValueError(
                    f"Variable '{self.path}' is created from a value in a StatelessScope, where variables have no "
                    "values of their own. Create it before the scope, or from an initializer and a shape: "
                    "Variable(initializer, shape=(...))."
                )
            with jax.ensure_compile_time_eval():
                if dtype is None and not hasattr(initializer, "dtype"):
                    kind = np.asarray(initializer).dtype.kind
                    dtype = standardize_dtype(None) if kind == "f" else None
                value = as_array(initializer, None if dtype is None else stored_dtype(standardize_dtype(dtype)))
            if shape is not None and standardize_shape(shape) != value.shape:
                raise ValueError(
                    f"Variable '{self.path}' is declared with shape {tuple(shape)}, "
                    f"but its value has shape {value.shape}."
                )
            self._shape, self._dtype, self._cell = value.shape, value.dtype.name, value
            self.initializer = None
            self._place_value()

    # -- the cell, for the parts of the library that own state ----------------------------------------------------
    def cell(self) -> jax.Array:
        """The array at rest, even during a functional call."""
        held = self._cell
        return held if isinstance(held, jax.Array) else held.read(self)

    def set_cell(self, value: Any) -> None:
        """Set the content of the cell: an array, or a `Deferred`."""
        self._cell = value

    def place(self, sharding: jax.sharding.Sharding) -> jax.Array:
        """The array at rest, moved to a sharding; an initializer that has not run runs there."""
        held = self._cell
        if isinstance(held, Pending):
            return held.make(self, sharding)
        value = placement.put(self.cell(), sharding)
        if isinstance(self._cell, jax.Array):
            self._cell = value
        return value

    def _sharding_to_keep(self) -> jax.sharding.Sharding | None:
        """For a write at rest: the sharding of the value if that is on a mesh, else the one it should have. None on one
        device."""
        if local.frame is not None:
            return None
        held = self._cell
        if isinstance(held, jax.Array) and not isinstance(held, jax.core.Tracer):
            if isinstance(held.sharding, jax.sharding.NamedSharding):
                return held.sharding
        return placement.sharding_at_rest(self, getattr(held, "distribution", None))

    def _place_value(self) -> None:
        if self.layout is not None or placement.in_use() is not None:
            sharding = placement.sharding_at_rest(self)
            if sharding is not None and not isinstance(self._cell, jax.core.Tracer):
                self._cell = placement.put(self._cell, sharding)

    def leave_mesh(self) -> None:
        """Put a value that an earlier distribution has split or copied back on one device."""
        held = self._cell
        if self.layout is not None:
            return
        if isinstance(held, Pending):
            held.distribution = None
        elif isinstance(held, jax.Array) and isinstance(held.sharding, jax.sharding.NamedSharding):
            self._cell = jax.device_put(np.asarray(held))

    @property
    def materialized(self) -> bool:
        """Whether the cell holds an array (rather than an initializer that has not run)."""
        return not isinstance(self._cell, Pending)

    # -- Keras's interface ---------------------------------------------------------------------------------------
    @property
    def value(self) -> jax.Array:
        """The current array, cast to the compute dtype of the layer being called if that differs."""
        current = local.frame
        if current is not None:
            array = current.read(self)
        else:
            array = self._cell if isinstance(self._cell, jax.Array) else self.cell()
        target = local.autocast
        if target and self.autocast and array.dtype != target and is_float_dtype(array.dtype):
            return array.astype(target)
        return array

    def assign(self, value: Any) -> Any:
        """Replace the value.

        Args:
            value: array-like of the variable's shape; cast to its dtype.

        Returns:
            The assigned array.

        Raises:
            ValueError: for another shape.
            RuntimeError: for a traced value outside a functional call (a `jax.jit` of your own around a layer), and for
                one that belongs to a `scan` or another transformation opened inside the call.
        """
        sharding = self._sharding_to_keep()
        if sharding is not None:
            value = as_array_on_host(value, self._dtype)
            if np.shape(value) == self._shape and not isinstance(value, jax.core.Tracer):
                value = placement.put(value, sharding)
        array = as_array(value, self._dtype)
        if array.shape != self._shape:
            raise ValueError(
                f"Cannot assign to variable {self.path} due to variable shape {self._shape} and value shape "
                f"{array.shape} are incompatible."
            )
        current = local.frame
        if current is not None:
            current.write(self, array)
        elif isinstance(array, jax.core.Tracer):
            raise RuntimeError(
                f"Variable '{self.path}' was assigned a traced value outside `apply`: the value would leak out of the "
                "transformation. Write the function over explicit state:\n"
                "    y, state = layer.apply(params, state, x, training=True)\n"
                "instead of calling `layer(x, training=True)` under jax.jit, grad or vmap."
            )
        elif isinstance(self._cell, jax.Array):
            self._cell = array
        else:
            self._cell.write(self, array)
        return array

    def assign_add(self, value: Any) -> Any:
        """Add to the value; see `assign`."""
        return self.assign(self._raw() + as_array(value, self._dtype))

    def assign_sub(self, value: Any) -> Any:
        """Subtract from the value; see `assign`."""
        return self.assign(self._raw() - as_array(value, self._dtype))

    def _raw(self) -> jax.Array:
        current = local.frame
        return self.cell() if current is None else current.read(self)

    @property
    def dtype(self) -> str:
        target = local.autocast
        if target and self.autocast and is_float_dtype(self._dtype):
            return target
        return self._dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def ndim(self) -> int:
        return len(self._shape)

    @property
    def size(self) -> int:
        return int(np.prod(self._shape, dtype=np.int64))

    @property
    def regularizer(self) -> Callable[..., Any] | None:
        """The penalty of its value that is added to the loss."""
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Callable[..., Any] | None) -> None:
        self._regularizer = _callable_or_none("regularizer", value)

    @property
    def constraint(self) -> Callable[..., Any] | None:
        """The function of its value that is applied after each update."""
        return self._constraint

    @constraint.setter
    def constraint(self, value: Callable[..., Any] | None) -> None:
        self._constraint = _callable_or_none("constraint", value)

    @property
    def overwrite_with_gradient(self) -> bool:
        """Whether an update replaces the value by its gradient."""
        return self._overwrite_with_gradient

    @overwrite_with_gradient.setter
    def overwrite_with_gradient(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"`overwrite_with_gradient` must be True or False; got {value!r}.")
        self._overwrite_with_gradient = value

    # -- names by which code written for Keras reaches the cell ----------------------------------------------------
    @property
    def _value(self) -> jax.Array | None:
        """The array at rest; None in a functional call for a variable whose initializer has not run."""
        return None if local.frame is not None and not self.materialized else self.cell()

    def _initialize(self, value: Any) -> None:
        array = as_array(value, self._dtype)
        self._shape, self._cell = array.shape, array

    def _deferred_initialize(self) -> None:
        if local.frame is not None:
            raise ValueError(f"Variable '{self.path}' cannot be initialized in a stateless scope: leave the scope.")
        if self.materialized:
            raise ValueError(f"Variable '{self.path}' is already initialized.")
        self.cell()

    def _convert_to_tensor(self, value: Any, dtype: Any = None) -> jax.Array:
        return as_array(value, None if dtype is None else stored_dtype(standardize_dtype(dtype)))

    def numpy(self) -> np.ndarray:
        """The value as a NumPy array."""
        return placement.to_host(self.value)

    def __repr__(self) -> str:
        head = f"<Variable path={self.path}, shape={self._shape}, dtype={self._dtype}"
        held = self._cell
        if local.frame is not None or not isinstance(held, jax.Array) or isinstance(held, jax.core.Tracer):
            return head + ">"
        if not (held.is_fully_addressable or held.is_fully_replicated):
            return head + ", spread over processes>"
        return f"{head}, value={np.asarray(held)}>"

    def __getitem__(self, index: Any) -> Any:
        value = self.value[index]
        return value if isinstance(value, jax.core.Tracer) or local.frame is not None else VariableItem(self, index)

    def __len__(self) -> int:
        return self._shape[0]

    def __bool__(self) -> bool:
        raise TypeError(
            f"Variable '{self.path}' has no truth value. Compare its value, as in `bool(v.value > 0)`, or use "
            "`jaxkeras.ops.cond` where the value is traced."
        )

    # -- pytree --------------------------------------------------------------------------------------------------
    def tree_flatten(self):
        return (self.value,), _Spec(self)

    @classmethod
    def tree_unflatten(cls, spec: _Spec, children: Sequence[Any]) -> Variable:
        copy = object.__new__(cls)
        copy.__dict__.update(spec.attributes)
        copy._cell = value = children[0]
        if isinstance(value, jax.Array):  # vmap and scan pass slices of the cell
            copy._shape, copy._dtype = value.shape, value.dtype.name
        return copy


class _Spec:
    """The static part of a variable as a pytree node; equal for variables that trace alike."""

    def __init__(self, variable: Variable):
        attributes = dict(vars(variable))
        attributes.pop("_cell")
        self.attributes = attributes
        self._key = (variable.path, variable._shape, variable._dtype, variable.trainable)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Spec) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@jax.tree_util.register_pytree_node_class
class VariableItem(ArrayLike):
    """Part of a variable at rest, so that `v[0, 0].assign(3.0)` changes that part; otherwise it acts as its array."""

    def __init__(self, variable: Variable, index: Any):
        self._variable, self._index = variable, index

    @property
    def value(self) -> jax.Array:
        return self._variable.value[self._index]

    def assign(self, value: Any) -> jax.Array:
        """Replace this part of the variable; returns the variable's whole new value."""
        return self._variable.assign(self._variable.cell().at[self._index].set(value))

    def assign_add(self, value: Any) -> jax.Array:
        """Add to this part of the variable; returns the variable's whole new value."""
        return self._variable.assign(self._variable.cell().at[self._index].add(value))

    def assign_sub(self, value: Any) -> jax.Array:
        """Subtract from this part of the variable; returns the variable's whole new value."""
        return self._variable.assign(self._variable.cell().at[self._index].add(-jnp.asarray(value)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.value, name)

    def __getitem__(self, index: Any) -> jax.Array:
        return self.value[index]

    def __len__(self) -> int:
        return len(self.value)

    def __repr__(self) -> str:
        return repr(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    def tree_flatten(self):
        return (self.value,), None

    @classmethod
    def tree_unflatten(cls, _: None, children: Sequence[Any]) -> Any:
        return children[0]
