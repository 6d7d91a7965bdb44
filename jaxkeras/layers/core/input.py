"""`Input` and `InputLayer`, where data enters a model."""

from __future__ import annotations

from typing import Any

from jaxkeras import registry
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.symbolic import KerasTensor, Node
from jaxkeras.core.variable import standardize_shape
from jaxkeras.layers._base.layer import Layer


@registry.register("keras.layers")
class InputLayer(Layer):
    """The input of a graph of layers; `Input` makes one and returns its tensor.

    Args:
        shape: the shape without the batch axis, with None for sizes that vary.
        batch_size: a fixed batch size, or None.
        dtype: the dtype of the data; defaults to `floatx()`.
        sparse: whether the data are sparse, so that layers get `BCOO` arrays. Other inputs take sparse data too, which
            become dense.
        ragged: for compatibility with Keras; must not be True.
        batch_shape: the full shape, instead of `shape` and `batch_size`.
        input_tensor: a KerasTensor to use, instead of a new one.
        optional: whether None may be passed.
        name: the name of the layer, and the key of this input in a dict of inputs.

    Example:

    >>> InputLayer(shape=(3,)).output.shape
    (None, 3)
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name)
        if "input_shape" in kwargs:
            shape = kwargs.pop("input_shape")
        if "batch_input_shape" in kwargs:
            batch_shape = kwargs.pop("batch_input_shape")
        if kwargs:
            raise registry.unknown("argument of InputLayer", next(iter(kwargs)), ("shape", "batch_size", "batch_shape"))
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ValueError(f"`input_tensor` must be a KerasTensor; got {input_tensor!r}.")
            if sparse is not None and input_tensor.sparse != sparse:
                raise ValueError(f"`input_tensor` has sparse={input_tensor.sparse}, which differs from {sparse=}.")
            batch_shape, dtype, sparse = input_tensor.shape, dtype or input_tensor.dtype, input_tensor.sparse
        if batch_shape is None:
            if shape is None:
                raise ValueError("Input needs a `shape` (without the batch axis), such as Input(shape=(784,)).")
            batch_shape = (batch_size, *standardize_shape(shape))
        elif shape is not None:
            raise ValueError("Give Input either `shape` or `batch_shape`, not both.")
        if ragged:
            raise ValueError("Ragged inputs are not supported; use dense ones, with a mask where needed.")
        self.batch_shape = standardize_shape(batch_shape)
        self.optional, self.sparse, self.ragged = optional, bool(sparse), bool(ragged)
        self._input_dtype = standardize_dtype(dtype)
        tensor = input_tensor
        if tensor is None:
            tensor = KerasTensor(self.batch_shape, self._input_dtype, sparse=self.sparse, ragged=self.ragged, name=name)
        Node(self, (), {}, tensor)
        self.built = True
        self.supports_masking = True

    @property
    def dtype(self) -> str:
        return self._input_dtype

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("An InputLayer is the input of a graph and cannot be called; connect layers to its output.")

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": self.batch_shape,
            "dtype": self._input_dtype,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
            "optional": self.optional,
        }


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor that stands for an input of a functional model.

    Args: see `InputLayer`.

    Returns:
        A KerasTensor of shape `(batch_size, *shape)`.

    Example:

    >>> Input(shape=(784,)).shape
    (None, 784)
    """
    return InputLayer(
        shape=shape, batch_size=batch_size, dtype=dtype, sparse=sparse, ragged=ragged, batch_shape=batch_shape,
        name=name, input_tensor=tensor, optional=optional,
    ).output  # fmt: skip
