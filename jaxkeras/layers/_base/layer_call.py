"""The stages of a layer call: bind and convert the arguments, build, propagate masks, compute, collect losses."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import jax

from jaxkeras.core.context import local, setting
from jaxkeras.core.dtypes import is_float_dtype
from jaxkeras.core.functional import intercepted
from jaxkeras.core.masks import get_mask, set_mask
from jaxkeras.core.remat import RematMode, rematerialized
from jaxkeras.core.sparse import is_sparse
from jaxkeras.core.stale import forbid_stale_arrays
from jaxkeras.core.symbolic import KerasTensor, Node, any_symbolic, infer, known_shape
from jaxkeras.core.tracebacks import explain
from jaxkeras.dtype_policies import DTypePolicyMap
from jaxkeras.layers._base.input_spec import check_inputs
from jaxkeras.layers._base.output_spec_cache import outputs_of
from jaxkeras.layers._base.tensor_structures import is_convertible, is_leaf, is_shape, is_tensor, masks_of, shape_tuples
from jaxkeras.layers._base.weights import Weights
from jaxkeras.registry import foreign_keras, refuse_foreign_keras


def _wrap_build(build: Callable[..., Any]) -> Callable[..., Any]:
    """Make `build` name the weights after the layer, record the shapes and set `built`, for any caller."""

    @functools.wraps(build)
    def wrapper(self, *args, **kwargs):
        if self._in_build:  # super().build(...)
            return build(self, *args, **kwargs)
        self._in_build = True
        try:
            with setting(stage="build", names=self._scope()):
                result = build(self, *args, **kwargs)
        finally:
            self._in_build = False
        self.built = True
        bound = inspect.signature(build).bind(self, *args, **kwargs).arguments
        shapes = list(bound.items())[1:]  # without `self`
        self._build_shapes = {k: v for k, v in shapes if k not in ("args", "kwargs")}
        return result

    return wrapper


def _shapes_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """The shapes of the arguments of a call that are tensors, or structures of them, as `{"<name>_shape": ...}`."""
    shapes = {}
    for name, value in arguments.items():
        if name in ("mask", "training") or value is None:
            continue
        leaves = jax.tree.leaves(value, is_leaf=is_leaf)
        if leaves and all(x is None or is_tensor(x) for x in leaves):
            shapes[f"{name}_shape"] = jax.tree.map(
                lambda x: None if x is None else tuple(x.shape), value, is_leaf=is_leaf
            )
    return shapes


_TRAINING = frozenset({"training"})


class Call(Weights):
    """The part of `Layer` that builds and calls."""

    #: Arguments of `call` that reach the layers called inside, too.
    _call_context_args: frozenset[str] = _TRAINING

    #: Whether arguments of `call` are converted to arrays and cast; not in preprocessing layers, which take strings.
    _convert_input_args = True
    #: Whether Python values may be passed to `call` by position.
    _allow_non_tensor_positional_args = False
    autocast: bool
    supports_masking: bool = False
    activity_regularizer: Any
    #: Whether `super().build(...)` in an overridden `build` builds the parts, by running `call`.
    _built_by_super = False
    _called: bool
    _is_model = False
    _remat_mode: RematMode | None = None
    activation: Any
    _in_build: bool = False
    _build_shapes: dict[str, Any] | None
    _input_spec: Any
    _signature: inspect.Signature

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = _wrap_build(cls.build)

    @classmethod
    @functools.cache
    def _call_signature(cls) -> inspect.Signature:
        return inspect.Signature(list(inspect.signature(cls.call).parameters.values())[1:])

    # -- building ------------------------------------------------------------------------------------------------
    def build(self, input_shape: Any) -> None:
        """Create the weights, given the shape of the first input. Override it in a layer with weights."""
        if self._in_build and not self._built_by_super:
            return  # super().build(...): weights may follow, and the first call builds the parts
        if self._has_unbuilt_parts() or not self.built:
            self.built = self.built or self._in_build  # the call must not call an overridden `build` again
            tensors = jax.tree.map(KerasTensor, input_shape, is_leaf=is_shape)
            infer(self.__call__, (tensors,), {})
        self._build_shapes = {"input_shape": input_shape}
        self.built = True

    def _build_at_init(self) -> None:
        """Mark a layer that creates all of its weights in `__init__` as built."""
        if type(self).build is Call.build:
            self.built = True

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes it was built with, for its config."""
        shapes = self._build_shapes
        if not shapes:
            return None
        if len(shapes) == 1 or type(self).build is Call.build:  # which takes only the first
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": shapes}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build with the shapes that `get_build_config` returned."""
        if not config:
            return
        if type(self).build is Call.build and self._needs_more_than_one_input():
            return  # the first call builds it: the config has only one of the shapes
        if "input_shape" in config:
            shape = config["input_shape"]
            if shape is not None:
                self.build(shape_tuples(shape))
        elif "shapes_dict" in config:
            self.build(**{k: shape_tuples(v) for k, v in config["shapes_dict"].items()})

    def _needs_more_than_one_input(self) -> bool:
        parameters = list(self._signature.parameters.values())[1:]
        return any(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)

    # -- calling -------------------------------------------------------------------------------------------------
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check_super_called()
        if self._call_context_args is _TRAINING:
            return self._enter(args, kwargs)
        kwargs, context = self._with_context(args, kwargs)
        with setting(call_context=context):
            return self._enter(args, kwargs)

    def _register_call_context_args(self, *names: str) -> None:
        """Let values of these arguments pass from a layer to the layers called inside it, as `training` does.

        Args:
            *names: the layer takes them as keyword arguments. Its `call` gets those that it has parameters for: the
                value of the call, else that of the innermost calling layer that was given one.

        Raises:
            RuntimeError: when the layer has been called.
        """
        if self._called and not self._is_model:
            raise RuntimeError(
                f"Register the context arguments {names} of layer '{self.name}' before the layer is called."
            )
        self._call_context_args = self._call_context_args | set(names)

    def _with_context(self, args: tuple, kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The keyword arguments with those of the context, and the context for the layers called inside."""
        names = self._call_context_args - _TRAINING
        given = {name: kwargs[name] for name in names if kwargs.get(name) is not None}
        context = {**local.call_context, **given}
        free = names & self._signature.parameters.keys() - self._signature.bind_partial(*args).arguments.keys()
        own = {name: value for name, value in kwargs.items() if name not in names}
        return {**own, **{name: context[name] for name in free if name in context}}, context

    def _enter(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        if isinstance(self._dtype_policy, DTypePolicyMap):
            self._scope()  # inputs are cast before `build`, to a type that depends on the path
        if any_symbolic(args, kwargs):
            return self._symbolic(args, kwargs)
        arguments = self._convert_arguments(args, kwargs)
        first = self._check_and_build(arguments)
        if local.interceptors:
            return intercepted(self, self._call_bound)(*args, **kwargs)
        return self._run(arguments, first)

    def _call_bound(self, *args: Any, **kwargs: Any) -> Any:
        arguments = self._convert_arguments(args, kwargs)
        return self._run(arguments, next(iter(arguments.values()), None))

    def _check_and_build(self, arguments: dict[str, Any]) -> Any:
        """Check the first input and build the layer if needed; returns the first input."""
        first = next(iter(arguments.values()), None)
        if self._input_spec is not None:
            check_inputs(self._input_spec, first, self.name)
        if not self.built or (self._build_shapes is None and type(self).build is Call.build):
            self._maybe_build(arguments)
        return first

    def _symbolic(self, args: tuple, kwargs: dict) -> Any:
        arguments = self._bind(args, kwargs)
        refuse_foreign_keras(jax.tree.leaves(arguments))
        self._check_and_build(arguments)
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs as KerasTensors: by an overridden `compute_output_shape`, or by tracing the call abstractly."""
        if type(self).compute_output_shape is not Call.compute_output_shape:
            shapes = _shapes_of(self._bind(args, kwargs))
            names = inspect.signature(self.compute_output_shape).parameters
            if len(names) > 1 and names.keys() & shapes:
                shape = self.compute_output_shape(**{name: shapes[name] for name in names if name in shapes})
            else:
                shape = self.compute_output_shape(*list(shapes.values())[: len(names)])
            return jax.tree.map(lambda s: KerasTensor(s, self.compute_dtype), shape_tuples(shape), is_leaf=is_shape)
        return outputs_of(self, args, kwargs, lambda: infer(self.__call__, args, kwargs))

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the output, given those of the inputs; None where unknown."""

        def symbolic(shapes: Any) -> Any:
            return jax.tree.map(lambda s: KerasTensor(s, self.compute_dtype), shapes, is_leaf=is_shape)

        named = {k.removesuffix("_shape"): symbolic(v) for k, v in kwargs.items()}
        first = next(iter(self._signature.parameters), "inputs")
        if "input" in named and "input" not in self._signature.parameters:  # `input_shape`, whatever `call` names it
            named[first] = named.pop("input")
        outputs = Call.compute_output_spec(self, *map(symbolic, args), **named)
        return jax.tree.map(lambda x: x.shape, outputs)

    def _bind(self, args: tuple, kwargs: dict) -> dict[str, Any]:
        """Arguments by their names in `call`; a `training` that it does not take is left to `_run`."""
        if "training" in kwargs and "training" not in self._signature.parameters:
            kwargs = {k: v for k, v in kwargs.items() if k != "training"} if not self._takes_kwargs() else kwargs
        try:
            return dict(self._signature.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise TypeError(
                f"Layer '{self.name}' was called with arguments its `call{self._signature}` does not take: {error}."
            ) from None

    def _takes_kwargs(self) -> bool:
        return any(p.kind is p.VAR_KEYWORD for p in self._signature.parameters.values())

    def _convert_arguments(self, args: tuple, kwargs: dict) -> dict[str, Any]:
        training = kwargs.get("training")
        arguments = self._bind(args, kwargs)
        refuse_foreign_keras(arguments.values())
        if self._convert_input_args:
            policy, autocast, dtype = self._dtype_policy, self.autocast, self.input_dtype

            def convert(x: Any) -> Any:
                y = policy.convert_input(x, autocast, dtype)
                if y is not x:
                    mask = get_mask(x) if isinstance(x, jax.Array) else None
                    if mask is not None:
                        set_mask(y, mask)
                return y

            for name, value in arguments.items():
                if isinstance(value, jax.Array) and (value.dtype == dtype or not is_float_dtype(value.dtype)):
                    continue
                if name != "training" and value is not None and not isinstance(value, (bool, str, int, float)):
                    arguments[name] = jax.tree.map(convert, value, is_leaf=is_convertible)
            if not self._allow_non_tensor_positional_args:
                self._check_positional(args)
        if training is not None:
            arguments.setdefault("training", training)
        return arguments

    def _check_positional(self, args: tuple) -> None:
        for x in jax.tree.leaves(args, is_leaf=is_convertible):
            if not (is_tensor(x) or hasattr(x, "__jax_array__")):
                raise ValueError(
                    f"Only tensors may be passed to layer '{self.name}' by position; got {x!r} of type "
                    f"{type(x).__name__}. Pass it by keyword, or convert lists with np.asarray(...)."
                )

    def _refuse_foreign_parts(self) -> None:
        for name, value in vars(self).items():
            message = foreign_keras(value)
            if message is not None and hasattr(value, "trainable_variables"):
                raise ValueError(f"Layer '{self.name}' cannot use its attribute `{name}`. {message}")

    def _maybe_build(self, arguments: dict[str, Any]) -> None:
        self._refuse_foreign_parts()
        tensors = {name: value for name, value in arguments.items() if name not in ("args", "kwargs")}
        shapes = {name: jax.tree.map(known_shape, s, is_leaf=is_shape) for name, s in _shapes_of(tensors).items()}
        if type(self).build is not Call.build:
            names = [
                p.name for p in inspect.signature(self.build).parameters.values()
                if p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY, p.KEYWORD_ONLY)
            ]  # fmt: skip
            if len(names) == 1:
                self.build(next(iter(shapes.values()), None))
            else:
                for name in names:
                    if not name.endswith("_shape") or name.removesuffix("_shape") not in self._signature.parameters:
                        raise ValueError(
                            f"`build` of layer '{type(self).__name__}' takes {name!r}. With more than one argument, "
                            "each must be named after an argument of `call` with the suffix `_shape`, such as "
                            "build(self, query_shape, value_shape) for call(self, query, value)."
                        )
                self.build(**{name: shapes[name] for name in names if name in shapes})
            if self._input_spec is not None:
                check_inputs(self._input_spec, next(iter(arguments.values()), None), self.name)
        else:
            self._build_shapes = shapes
            self.built = True

    def _run(self, arguments: dict[str, Any], first: Any) -> Any:
        parameters = self._signature.parameters
        outermost = local.stage is None
        # An explicit argument, else that of the calling layer, else the default of `call`.
        training = arguments.get("training")
        if training is None:
            training = local.training
        if training is None and "training" in parameters:
            default = parameters["training"].default
            training = None if default is inspect.Parameter.empty else default
        arguments.pop("training", None)
        if "training" in parameters and training is not None:
            arguments["training"] = training

        previous_mask = self._populate_masks(arguments, first)
        if outermost and local.frame is None:
            self._clear_losses()
        with setting(stage="call", training=training, autocast=self._autocast_scope(), names=self._scope()):
            outputs = self._compute(arguments)
            self._called = True
            self.built = True
            if self.activity_regularizer is not None:
                for y in jax.tree.leaves(outputs, is_leaf=is_sparse):
                    loss = self.activity_regularizer(y)
                    self.add_loss(loss / max(y.shape[0], 1) if y.ndim > 0 else loss)
        if self.supports_masking:
            self._set_output_masks(first, outputs, previous_mask)
        elif previous_mask is not None and jax.tree.leaves(previous_mask):
            warnings.warn(
                f"Layer '{self.name}' ({type(self).__name__}) does not support masking, so the mask of its input ends "
                "here: later layers will treat padded steps as data.",
                stacklevel=3,
            )
        return outputs

    def rematerialized_call(self, layer_call: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """What a layer created in a `RematScope` runs in place of `call`.

        Args:
            layer_call: `call`.
            *args, **kwargs: its arguments.
        """
        mode = self._remat_mode
        if mode is None or self._is_model:
            return layer_call
        if mode.mode == "activations":
            has_one = callable(getattr(self, "activation", None))
            return self._with_remat_activation(layer_call) if has_one else layer_call
        if mode.mode == "list_of_layers" and self.name not in mode.layer_names:
            return layer_call
        return rematerialized(layer_call, mode.output_size_threshold if mode.mode == "larger_than" else -1)

    def _with_remat_activation(self, layer_call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            activation = self.activation
            self.activation = jax.checkpoint(activation)
            try:
                return layer_call(*args, **kwargs)
            finally:
                self.activation = activation

        return run

    def _autocast_scope(self) -> str | None:
        """The dtype in which floating-point variables are read in `call`: see `local.autocast`."""
        outer, dtype = local.autocast, self.compute_dtype
        if outer is None and dtype == self.variable_dtype:
            return None
        # As in Keras, `autocast=False` turns an outer layer's scope off, and opens a scope where there is none.
        return dtype if is_float_dtype(dtype) and (outer is None or self.autocast) else ""

    def _compute(self, arguments: dict[str, Any]) -> Any:
        args, kwargs = [], dict(arguments)
        for name, parameter in self._signature.parameters.items():
            if name not in kwargs:
                break
            if parameter.kind is parameter.VAR_POSITIONAL:
                args.extend(kwargs.pop(name))
            elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                args.append(kwargs.pop(name))
            else:
                break
        kwargs.update(kwargs.pop("kwargs", {}) if self._takes_kwargs() else {})
        if local.frame is not None:
            forbid_stale_arrays(self)
        try:
            with jax.named_scope(self.name):
                call = self.call if self._remat_mode is None else self.rematerialized_call(self.call, *args, **kwargs)
                return call(*args, **kwargs)
        except Exception as error:
            explain(error, f"layer '{self.name}' ({type(self).__name__})", arguments)
            raise

    def _populate_masks(self, arguments: dict[str, Any], first: Any) -> Any:
        parameters = self._signature.parameters
        tensors = [
            name for name, value in arguments.items()
            if name not in ("mask", "training") and value is not None
            and any(is_tensor(x) for x in jax.tree.leaves(value))
        ]  # fmt: skip
        if len(tensors) == 1:
            if "mask" in parameters and arguments.get("mask") is None:
                mask = masks_of(arguments[tensors[0]])
                if mask is not None:
                    arguments["mask"] = mask
        else:
            for name in tensors:
                if f"{name}_mask" in parameters and arguments.get(f"{name}_mask") is None:
                    mask = masks_of(arguments[name])
                    if mask is not None:
                        arguments[f"{name}_mask"] = mask
        mask = arguments.get("mask")
        return mask if mask is not None else masks_of(first)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output, given the inputs and their mask; passes it on unless overridden."""
        return previous_mask

    def _set_output_masks(self, inputs: Any, outputs: Any, previous_mask: Any) -> None:
        leaves = jax.tree.leaves(outputs)
        if all(get_mask(y) is not None for y in leaves):
            return
        masks = self.compute_mask(inputs, previous_mask)
        if masks is None:
            return
        flat = masks if isinstance(masks, (list, tuple)) else [masks]
        for y, mask in zip(jax.tree.leaves(outputs, is_leaf=is_sparse), flat):
            if mask is not None and get_mask(y) is None:
                set_mask(y, mask)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output. Override it; write plain `jax.numpy` over inputs and `self.<weight>`."""
        raise NotImplementedError(
            f"Layer {type(self).__name__} has no `call` method. Write `def call(self, inputs): ...` in the class."
        )

    # -- losses --------------------------------------------------------------------------------------------------
    def add_loss(self, loss: Any) -> None:
        """Add scalars (or arrays, which are summed) to the training loss. Call it inside `call`."""
        record = local.frame.add_loss if local.frame is not None else self._losses.append
        for item in loss if isinstance(loss, (list, tuple)) else [loss]:
            record(item)

    @property
    def losses(self) -> list[Any]:
        """What `add_loss` and activity regularizers recorded in the last call, then weight penalties."""
        if local.frame is not None:
            recorded = list(local.frame.losses)
        else:
            recorded = [loss for layer in self._flatten_layers() for loss in layer._losses]
        return recorded + self._regularization_losses()

    def _regularization_losses(self) -> list[Any]:
        return [v.regularizer(v.value) for v in self.trainable_weights if v.regularizer is not None]

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            if layer._losses:
                layer._losses.clear()
