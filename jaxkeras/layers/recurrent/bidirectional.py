"""A recurrent layer run in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.core.wrapper import check_is_layer

_MERGE = {
    "concat": lambda a, b: jnp.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "ave": lambda a, b: (a + b) / 2,
    "mul": lambda a, b: a * b,
    None: lambda a, b: (a, b),
}


class RecurrentLayer(Protocol):
    """What `Bidirectional` reads of a layer besides what all layers have."""

    go_backwards: bool
    return_sequences: bool
    return_state: bool
    stateful: bool

    @property
    def name(self) -> str: ...

    @property
    def input_spec(self) -> Any: ...


def _copy(layer: Any, **changes: Any) -> Any:
    """A new layer with the same configuration. Custom classes need not be registered."""
    with registry.CustomObjectScope({type(part).__name__: type(part) for part in layer._flatten_layers()}):
        return type(layer).from_config({**layer.get_config(), **changes})


def _zero_outputs_at_masks(layer: Any) -> None:
    """Return zeros at masked steps: repeated outputs of one direction would be merged with steps of the other."""
    if hasattr(layer, "zero_output_for_mask"):
        layer.zero_output_for_mask = layer.return_sequences


@registry.register("keras.layers")
class Bidirectional(Layer):
    """Runs a recurrent layer forward, a copy of it backward, and merges the outputs (Schuster and Paliwal, 1997).

    Args:
        layer: a recurrent layer: `RNN`, `LSTM`, `GRU`, or any layer with attributes `go_backwards`,
            `return_sequences`, `return_state` and `stateful`. It is copied.
        merge_mode: "concat", "sum", "mul", "ave", or None for a tuple of both outputs.
        weights: initial weights: those of the forward layer, then those of the backward layer.
        backward_layer: the layer to run backward, with the opposite `go_backwards`; defaults to a copy of `layer`.

    Call arguments are those of `RNN`; `initial_state` lists the forward states, then the backward states, as do the
    states returned with `return_state`.

    Example:

    >>> from jaxkeras.layers import LSTM
    >>> Bidirectional(LSTM(4))(jnp.ones((2, 5, 3))).shape
    (2, 8)
    """

    def __init__(
        self,
        layer: RecurrentLayer,
        merge_mode: str | None = "concat",
        weights: Sequence[Any] | None = None,
        backward_layer: RecurrentLayer | None = None,
        **kwargs: Any,
    ):
        check_is_layer(layer, "Bidirectional")
        if backward_layer is not None:
            check_is_layer(backward_layer, "Bidirectional")
        if merge_mode not in _MERGE:
            raise registry.unknown("merge_mode of Bidirectional", merge_mode, _MERGE)
        super().__init__(**kwargs)
        self.forward_layer: Any = _copy(layer, name=f"forward_{layer.name.removeprefix('forward_')}")
        self.backward_layer: Any = backward_layer or _copy(
            layer, name=f"backward_{layer.name.removeprefix('backward_')}", go_backwards=True
        )
        if hasattr(layer, "use_cudnn"):  # which the config leaves out
            self.forward_layer.use_cudnn = self.backward_layer.use_cudnn = getattr(layer, "use_cudnn")  # noqa: B009
        self._check_agreement()
        _zero_outputs_at_masks(self.forward_layer)
        _zero_outputs_at_masks(self.backward_layer)
        self.merge_mode = merge_mode
        self._initial_weights = None if weights is None else list(weights)
        self.stateful, self.return_sequences = layer.stateful, layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True
        self.input_spec = layer.input_spec

    def _check_agreement(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                f"The two layers of Bidirectional '{self.name}' must have different `go_backwards`; both have "
                f"{forward.go_backwards}."
            )
        for name in ("stateful", "return_sequences", "return_state"):
            if getattr(forward, name) != getattr(backward, name):
                raise ValueError(
                    f"The two layers of Bidirectional '{self.name}' must have the same `{name}`; the forward layer has "
                    f"{getattr(forward, name)}, the backward layer {getattr(backward, name)}."
                )

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        for part in (self.forward_layer, self.backward_layer):
            if not part.built:
                part.build(sequences_shape)
        if self._initial_weights is not None:
            half = len(self._initial_weights) // 2
            self.forward_layer.set_weights(self._initial_weights[:half])
            self.backward_layer.set_weights(self._initial_weights[half:])

    def call(
        self, sequences: jax.Array, initial_state: Any = None, mask: Any = None, training: bool | None = None
    ) -> Any:
        outputs, states = [], []
        for i, part in enumerate((self.forward_layer, self.backward_layer)):
            parameters = part._call_signature().parameters
            options = {k: v for k, v in {"mask": mask, "training": training}.items() if k in parameters}
            if initial_state is not None:
                half = len(initial_state) // 2
                options["initial_state"] = initial_state[i * half : (i + 1) * half]
            y = part(sequences, **options)
            if self.return_state:
                states.extend(y[1:])
                y = y[0]
            outputs.append(y.astype(self.compute_dtype))
        forward, backward = outputs
        if self.return_sequences:
            backward = jnp.flip(backward, axis=1)
        merged = _MERGE[self.merge_mode](forward, backward)
        if not self.return_state:
            return merged
        return (*merged, *states) if self.merge_mode is None else (merged, *states)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        mask = next(iter(jax.tree.leaves(mask)), None) if self.return_sequences else None
        return (mask, mask) if self.merge_mode is None else (mask,)

    @property
    def states(self) -> Any:
        """The states of both layers if stateful, else None."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return (*forward, *backward) if forward and backward else None

    def reset_state(self) -> None:
        """Set the states of both layers to zero.

        Raises:
            AttributeError: if they are not stateful.
        """
        if not self.stateful:
            raise AttributeError(f"Bidirectional '{self.name}' is not stateful, so it has no state to reset.")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """The same as `reset_state`."""
        self.reset_state()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": registry.serialize(self.forward_layer)}
