"""`compile(loss=...)` resolves losses as in Keras."""

from __future__ import annotations

import jax
import pytest

from jaxkeras import losses
from jaxkeras.losses.resolve import resolve_loss

keras = pytest.importorskip("keras")


def spec(*shape: int, dtype: str = "float32") -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


SHAPES = [((4,), (4, 1)), ((4, 1), (4, 1)), ((4,), (4, 3)), ((4, 1), (4, 3)), ((4, 3), (4, 3)), ((4, 5), (4, 5, 3)),
          ((4, 5, 1), (4, 5, 3)), ((4, 5, 3), (4, 5, 3)), ((4, 5), (4, 5, 1))]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["crossentropy", "ce", "CE", "mse", "Huber", "binary_crossentropy"])
def test_names_resolve_as_in_keras(name, shapes):
    y_true, y_pred = (spec(*s) for s in shapes)
    ours = resolve_loss(name, y_true, y_pred)
    theirs = keras.src.trainers.compile_utils.get_loss(name, y_true, y_pred)
    assert type(ours).__name__ == type(theirs).__name__ and ours.name == theirs.name
    if type(ours) is losses.LossFunctionWrapper:
        assert ours.fn.__name__ == theirs.fn.__name__


def test_functions_and_objects():
    def myLoss(y_true, y_pred):
        return y_true - y_pred

    y = spec(4, 1)
    wrapped = resolve_loss(myLoss, y, y)
    assert wrapped.fn is myLoss and wrapped.name == "my_loss"
    loss = losses.Huber()
    assert resolve_loss(loss, y, y) is loss
    assert resolve_loss(None, y, y) is None
    assert resolve_loss(losses.serialize(loss), y, y).get_config() == loss.get_config()
    with pytest.raises(ValueError, match="Did you mean"):
        resolve_loss("crosentropy_binary", y, y)
