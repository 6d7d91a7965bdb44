"""A cache of output specs: a layer that equals an earlier one in all that shapes depend on is not traced again.

A deep network repeats its blocks: of the 1041 layers of NASNetLarge, 124 differ in more than names and weights.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import jax

from jaxkeras import registry
from jaxkeras.core import config
from jaxkeras.core.context import local
from jaxkeras.core.masks import get_mask
from jaxkeras.core.policy import DTypePolicy
from jaxkeras.core.seeds import SeedGenerator
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.core.variable import Variable
from jaxkeras.dtype_policies import DTypePolicyMap

_MAX_ENTRIES = 4096  # the cache is emptied when it is full
_MAX_ITEMS = 16  # hashing longer lists, such as vocabularies, costs more than tracing
# No shape depends on the name, the position and the initial weights of a layer.
_IGNORED = frozenset(
    "name built _path _called _in_build _trainable _build_shapes _input_spec _inbound_nodes _outbound_nodes "
    "_init_arguments _own _losses _signature".split()
)
_IGNORED_SUFFIXES = ("_initializer", "_regularizer", "_constraint")

_outputs: dict[Hashable, tuple[list[tuple[Any, str, bool]], Any]] = {}


class _NotCacheable(Exception):
    """A value whose influence on shapes is not known."""


def _hashable(value: Any) -> Hashable:
    """What is hashed of an attribute or an argument."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return type(value), value
    if isinstance(value, KerasTensor):
        if get_mask(value) is not None:
            raise _NotCacheable
        return KerasTensor, value.shape, value.dtype, value.sparse
    if isinstance(value, Variable):
        return Variable, value.shape, value._dtype, value.autocast
    if isinstance(value, (list, tuple)) and len(value) <= _MAX_ITEMS:
        return type(value), *map(_hashable, value)
    if isinstance(value, dict) and len(value) <= _MAX_ITEMS:
        return dict, *((key, _hashable(item)) for key, item in value.items())
    if isinstance(value, DTypePolicy) and not isinstance(value, DTypePolicyMap):  # which depends on the path
        return value
    if isinstance(value, SeedGenerator):
        return SeedGenerator
    if callable(value) and not isinstance(value, type) and registry.is_builtin(value):
        return value
    raise _NotCacheable


def _cache_key(layer: Any, args: tuple, kwargs: dict[str, Any]) -> Hashable | None:
    """Everything that the output spec of a call depends on, or None if that is not known."""
    if not registry.is_builtin(type(layer)) or local.frame is not None or local.autocast is not None:
        return None
    if layer.activity_regularizer is not None:
        return None
    try:
        settings = tuple(
            (name, _hashable(value))
            for name, value in vars(layer).items()
            if name not in _IGNORED and not name.endswith(_IGNORED_SUFFIXES)
        )
        x64 = jax.config.jax_enable_x64  # type: ignore[attr-defined]
        context = local.training, config.floatx(), config.image_data_format(), x64
        return type(layer), settings, context, _hashable(args), _hashable(kwargs)
    except _NotCacheable:
        return None


def outputs_of(layer: Any, args: tuple, kwargs: dict[str, Any], infer: Callable[[], Any]) -> Any:
    """The outputs of a symbolic call, from the cache or by calling `infer`."""
    key = _cache_key(layer, args, kwargs)
    cached = None if key is None else _outputs.get(key)
    if cached is not None:
        specs, treedef = cached
        layer._scope()
        layer._called = layer.built = True
        return jax.tree.unflatten(treedef, [KerasTensor(*spec) for spec in specs])
    outputs = infer()
    leaves, treedef = jax.tree.flatten(outputs)
    if key is not None and all(get_mask(y) is None for y in leaves):
        if len(_outputs) >= _MAX_ENTRIES:
            _outputs.clear()
        # Another key than above if the first call set attributes.
        _outputs[_cache_key(layer, args, kwargs)] = [(y.shape, y.dtype, y.sparse) for y in leaves], treedef
    return outputs
