"""`jaxkeras.tree` compared with `keras.tree` on the same structures."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxkeras import tree
from jaxkeras.core.variable import Variable

keras = pytest.importorskip("keras")

Point = namedtuple("Point", "x y")
STRUCTURES = [
    1,
    None,
    [],
    [1],
    {"b": 1, "a": [2, (3, None)], "c": Point(4, [5])},
    OrderedDict([("b", 1), ("a", 2)]),
    defaultdict(list, {"b": 1, "a": (2,)}),
    deque([1, [2]]),
    ["text", {}, ()],
]
nested = st.recursive(
    st.none() | st.integers(0, 5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)


def calls(module, s):
    yield module.flatten(s)
    yield module.flatten_with_path(s)
    yield module.is_nested(s)
    yield module.map_structure(lambda x: (x, 1), s)
    yield module.map_structure(lambda x: 7, s, none_is_leaf=False)
    yield module.map_structure(lambda a, b: [a, b], s, s)
    yield module.pack_sequence_as(s, range(len(module.flatten(s))))
    yield module.lists_to_tuples(s)
    yield module.traverse(lambda x: module.MAP_TO_NONE if x == 1 else "pair" if isinstance(x, tuple) else None, s)
    yield module.traverse(lambda x: -x if isinstance(x, int) else None, s, top_down=False)
    module.assert_same_structure(s, s)
    module.assert_same_paths(s, s)


def same(a, b):
    assert a == b and type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])


def check(structure):
    for ours, theirs in zip(calls(tree, structure), calls(keras.tree, structure), strict=True):
        same(ours, theirs)


@pytest.mark.parametrize("structure", STRUCTURES, ids=str)
def test_functions_equal_keras(structure):
    check(structure)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(nested)
def test_random_structures_equal_keras(structure):
    check(structure)


PAIRS = [
    ([1, 2], [1]),
    ([1, 2], (1, 2)),
    ([1, 2], [1, (2,)]),
    ([1, [2]], [1, 2]),
    ({"a": 1}, {"b": 1}),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ([None], [[]]),
    (1, [1]),
]


@pytest.mark.parametrize("a, b", PAIRS, ids=str)
@pytest.mark.parametrize("name", ["assert_same_structure", "assert_same_paths"])
def test_structure_assertions_equal_keras(a, b, name):
    def error(module):
        try:
            getattr(module, name)(a, b)
        except ValueError:
            return True
        return False

    assert error(tree) == error(keras.tree)


def test_map_shape_structure():
    shapes = {"a": (2, None), "b": [(3,), [4, 5]]}
    same(tree.map_shape_structure(tuple, shapes), keras.tree.map_shape_structure(tuple, shapes))


def test_map_structure_up_to():
    result = tree.map_structure_up_to([1, (2,)], lambda a, b: (a, b), [1, (2,)], [[5, 6], ([7],)])
    assert result == [(1, [5, 6]), ((2, [7]),)]


def test_variables_and_arrays_are_leaves():
    leaves = [Variable(np.ones(2)), np.ones(3)]
    assert all(a is b for a, b in zip(tree.flatten(leaves), leaves))


def test_errors():
    with pytest.raises(ValueError, match=r"\['b'\]\[1\].*leaf"):
        tree.map_structure(max, {"b": [1, 2]}, {"b": [1, [2]]})
    with pytest.raises(ValueError, match="Too few leaves.*2, got 1"):
        tree.pack_sequence_as([1, 2], [1])
    with pytest.raises(ValueError, match="at least one"):
        tree.map_structure(max)
    with pytest.raises(TypeError, match="function"):
        tree.map_structure(3, [1])
    with pytest.raises(ValueError, match=r"only `a` has \{\(1,\)\}"):
        tree.assert_same_paths([1, 2], [1])
    with pytest.warns(DeprecationWarning, match="assert_same_paths"):
        tree.assert_same_structure([1], [1], check_types=False)
