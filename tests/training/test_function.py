"""`Function`: graphs of plain KerasTensors, compared with Keras."""

import keras
import numpy as np
import pytest

import jaxkeras as jk


def of_two(library, make):
    """A function of a list of two tensors and one of a single tensor."""
    x, y = make(library)
    both = library.Function([x, y], {"a": x * 2, "b": library.ops.concatenate([x, y], -1)})
    return both, library.Function(x, library.ops.sum(x, -1))


def bare(library):
    return library.KerasTensor((None, 3), name="x"), library.KerasTensor((None, 2), name="y")


def inputs(library):
    return library.Input((3,), name="x"), library.Input((2,), name="y")


def result_or_error(function, *args):
    try:
        return function(*args)
    except ValueError:
        return ValueError


@pytest.mark.parametrize("make", [bare, inputs])
def test_output_shapes_equal_keras(make):
    (both, single), (keras_both, keras_single) = of_two(jk, make), of_two(keras, make)
    for shapes in (
        [(5, 3), (5, 2)], [(None, 3), (None, 2)], ((5, 3), (5, 2)), [(5, 3)], [(5, 3), (5, 3)], [(2, 5, 3), (2, 5, 2)],
    ):  # fmt: skip
        found = result_or_error(both.compute_output_shape, shapes)
        assert found == result_or_error(keras_both.compute_output_shape, list(shapes)), shapes
    assert both.compute_output_shape([(5, 3), (5, 2)]) == {"a": (5, 3), "b": (5, 5)}
    for shape in ((4, 3), [4, 3], (None, 3), (4, 2), (4, 4, 3)):
        found = result_or_error(single.compute_output_shape, shape)
        assert found == result_or_error(keras_single.compute_output_shape, shape), shape
    assert len(both.inputs) == 2 and len(both.outputs) == 2
    kinds = [[o.name.split("_")[0] for o in function.operations] for function in (both, keras_both)]
    assert kinds[0] == kinds[1]  # without suffixes: Keras's counters continue across tests


def test_call_computes_and_validates_inputs():
    both, single = of_two(jk, bare)
    x, y = np.ones((1, 3), "float32"), np.zeros((1, 2), "float32")
    found = both((x, y))
    np.testing.assert_array_equal(found["a"], [[2, 2, 2]])
    np.testing.assert_array_equal(found["b"], [[1, 1, 1, 0, 0]])
    assert single(jk.KerasTensor((7, 3))).shape == (7,)
    with pytest.raises(ValueError, match=r"expects inputs of the structure \[\(None, 3\), \(None, 2\)\]; got \(1, 3\)"):
        both(x)
    with pytest.raises(ValueError, match=r"Input 'y' of Function 'function' has shape \(None, 2\), not \(1, 3\)"):
        both([x, x])
    p = jk.KerasTensor((None, 3), name="p")
    np.testing.assert_array_equal(jk.Function({"p": p}, [p, p + 1])({"p": x})[1], [[2, 2, 2]])


def test_missing_or_disconnected_ends_raise():
    x = jk.KerasTensor((None, 3), name="x")
    with pytest.raises(ValueError, match="needs `inputs`"):
        jk.Function([], x * 2)
    with pytest.raises(ValueError, match="needs `outputs`"):
        jk.Function(x, [])
    with pytest.raises(ValueError, match="belongs to no graph"):
        jk.Function(x, jk.KerasTensor((None, 3)) * 2)
    with pytest.raises(ValueError, match="not made by `Input`.*Function"):
        jk.Model(x, x * 2)
