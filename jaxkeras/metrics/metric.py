"""The `Metric` base class: variables that accumulate, and the same as pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp

from jaxkeras import initializers
from jaxkeras.core import config
from jaxkeras.core.context import local
from jaxkeras.core.functional import CallResult, functional_call
from jaxkeras.core.names import auto_name, name_scope
from jaxkeras.core.policy import get_policy
from jaxkeras.core.tracking import Trackable
from jaxkeras.core.variable import Variable
from jaxkeras.registry import register


def _members(value: Any) -> Iterator[Any]:
    """The variables and metrics in an attribute, lists and dicts included."""
    if isinstance(value, (Variable, Metric)):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _members(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _members(item)


@register("keras.metrics")
class Metric(Trackable):
    """Base class of metrics.

    A subclass creates its variables in `__init__` with `add_variable`, accumulates into them in `update_state` (with
    `assign` or `assign_add`), and computes a value from them in `result`. The same code runs eagerly and, through the
    `stateless_` methods, inside `jax.jit` and `jax.lax.scan`, so it must not branch in Python on values.

    Args:
        dtype: dtype or policy to compute in; `floatx()` by default.
        name: name of the metric in logs; made from the class's name by default.

    Input shape: what `update_state` takes.

    Result: what `result` returns: a scalar, or a dict of scalars.

    Example:

    >>> class Largest(Metric):
    ...     def __init__(self, name="largest", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.value = self.add_variable((), "zeros", aggregation="none", name="value")  # no sum
    ...     def update_state(self, values):
    ...         self.value.assign(jnp.maximum(self.value, jnp.max(jnp.asarray(values))))
    ...     def result(self):
    ...         return self.value
    >>> float(Largest()([1.0, 3.0, 2.0]))
    3.0
    """

    # False while a metric whose variables take their shape from the data has not seen any.
    _built = True
    _kind = "metric"

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.name = name or auto_name(type(self).__name__)
        self._dtype = get_policy(dtype or config.floatx()).compute_dtype
        self._variables: list[Variable] = []
        self._own = self._variables

    @property
    def dtype(self) -> str:
        """Name of the dtype the metric computes in."""
        return self._dtype

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Create a variable of the metric.

        Args:
            shape: its shape.
            initializer: a name, an initializer, or an array-like value; None for zeros.
            dtype: its type; defaults to `floatx()`.
            aggregation: how copies on several devices are combined; the states of all built-in metrics are sums.
            name: the last element of its path, after the name of the metric.

        Returns:
            The variable, which `variables` lists from then on.
        """
        if "_variables" not in vars(self):
            raise RuntimeError(
                f"Call `super().__init__(name=name)` first in `{type(self).__name__}.__init__`, before `add_variable`."
            )
        current = local.frame
        if current is not None and not current.abstract:
            raise RuntimeError(
                f"Metric '{self.name}' creates a variable inside a compiled step, where nothing would keep it. Create "
                "variables in `__init__`; or, if their shape depends on the data, call `metric.update_state(y_true, "
                "y_pred)` and `metric.reset_state()` once before."
            )
        with name_scope(self.name.replace("/", ">")):
            variable = Variable(
                initializers.get("zeros" if initializer is None else initializer),
                shape=shape,
                dtype=dtype,
                trainable=False,
                aggregation=aggregation,
                synchronization="on_read",
                name=name,
            )
        self._variables.append(variable)
        return variable

    def add_weight(self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None):
        """Same as `add_variable`, under the name it had before Keras 3."""
        return self.add_variable(shape, initializer, dtype=dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """All variables: the metric's own in order of creation, then those of metrics held in its attributes."""
        own = list(self._variables)
        inner: list[Variable] = []
        for key, value in vars(self).items():
            for member in _members(value) if key != "_variables" else ():
                if isinstance(member, Metric):
                    inner.extend(member.variables)
                else:
                    own.append(member)
        return list({id(v): v for v in own + inner}.values())

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Accumulate a batch."""
        raise NotImplementedError(f"{type(self).__name__} must define `update_state(self, y_true, y_pred, ...)`.")

    def result(self) -> Any:
        """Return the current value: a scalar, or a dict of scalars."""
        raise NotImplementedError(f"{type(self).__name__} must define `result(self)`.")

    def reset_state(self) -> None:
        """Set all variables to zero."""
        for v in self.variables:
            v.assign(jnp.zeros(v.shape, v.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    # -- the same as pure functions, over lists in the order of `variables` ------------------------------------------
    def _functional(self, metric_variables: Sequence[Any], function: Callable[[], Any]) -> CallResult:
        variables = self.variables
        if len(metric_variables) != len(variables):
            raise ValueError(
                f"`metric_variables` must hold one array for each of the {len(variables)} variables of "
                f"'{self.name}' ({', '.join(v.path for v in variables)}); got {len(metric_variables)}."
            )
        return functional_call(variables, [jnp.asarray(x) for x in metric_variables], function)

    def stateless_update_state(self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any) -> list[jax.Array]:
        """`update_state` as a pure function.

        Args:
            metric_variables: the state, one array for each of `variables`.
            *args, **kwargs: as for `update_state`.

        Returns:
            The new state.
        """
        return self._functional(metric_variables, lambda: self.update_state(*args, **kwargs)).values

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """`result` as a pure function of the state; a variable that `result` returns is read."""

        def result() -> Any:
            return jax.tree.map(
                lambda x: x.value if isinstance(x, Variable) else x,
                self.result(),
                is_leaf=lambda x: isinstance(x, Variable),
            )

        return self._functional(metric_variables, result).output

    def stateless_reset_state(self) -> list[jax.Array]:
        """The state that `reset_state` sets."""
        return self._functional([v.cell() for v in self.variables], self.reset_state).values

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor as plain data."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Create a metric from the return value of `get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
