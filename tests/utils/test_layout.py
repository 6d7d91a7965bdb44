import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxkeras.utils.layout import Edge, Run, Size, arrange


def points(runs, count=12):
    """Points along a drawn edge: straight runs joined by cubic curves."""
    for run in runs:
        yield from ((run.across, s) for s in np.linspace(run.start, run.end, count))
    for a, b in itertools.pairwise(runs):
        half = (a.end + b.start) / 2
        for t in np.linspace(0, 1, 2 * count):
            weights = np.array([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
            yield (
                float(weights @ [a.across, a.across, b.across, b.across]),
                float(weights @ [a.end, half, half, b.start]),
            )


def inside(point, corner, size, margin=0.5):
    return all(c + margin < p < c + s - margin for p, c, s in zip(point, corner, size))


def check(sizes, edges, result):
    """Items do not overlap, edges cross no item, and each edge starts and ends at its items' borders."""
    for (a, p), (b, q) in itertools.combinations(zip(sizes, result.corners), 2):
        assert p[0] + a[0] <= q[0] or q[0] + b[0] <= p[0] or p[1] + a[1] <= q[1] or q[1] + b[1] <= p[1]
    for corner, size in zip(result.corners, sizes):
        assert all(-1e-6 <= c and c + s <= whole + 1e-6 for c, s, whole in zip(corner, size, result.size))
    for edge, runs in zip(edges, result.routes):
        for point in points(runs):
            assert not any(inside(point, c, s) for c, s in zip(result.corners, sizes))
        for item, at in ((edge.source, runs[0].start), (edge.target, runs[-1].end)):
            along = result.corners[item][1]
            assert min(abs(at - along), abs(at - along - sizes[item].along)) < 1e-6


@st.composite
def graphs(draw):
    number = draw(st.integers(1, 9))
    sizes = [Size(draw(st.sampled_from([30, 80, 150])), draw(st.sampled_from([20, 40, 90]))) for _ in range(number)]
    item = st.integers(0, number - 1)
    pairs = draw(st.lists(st.tuples(item, item).filter(lambda pair: pair[0] != pair[1]), max_size=14))
    return sizes, [Edge(a, b) for a, b in pairs]


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_random_graphs_have_no_overlaps(graph):
    check(*graph, arrange(*graph))


def test_chain_is_straight():
    sizes = [Size(w, 20) for w in (100, 30, 75, 140)]
    edges = [Edge(i, i + 1) for i in range(3)]
    result = arrange(sizes, edges)
    assert {run.across for runs in result.routes for run in runs} == {70.0}
    assert all(len(runs) == 2 for runs in result.routes)


def test_branches_are_symmetric_and_long_edges_are_straight():
    # 0 -> 1 -> 2 -> 3 with 0 -> 3 beside it, and 3 -> 4, 3 -> 5
    sizes = [Size(60, 20)] * 6
    edges = [Edge(0, 1), Edge(1, 2), Edge(2, 3), Edge(0, 3), Edge(3, 4), Edge(3, 5)]
    result = arrange(sizes, edges)
    middle = [corner[0] + 30 for corner in result.corners]
    assert middle[1] == middle[2]
    assert middle[3] == pytest.approx((middle[4] + middle[5]) / 2)
    assert middle[0] == pytest.approx((middle[1] + result.routes[3][1].across) / 2)
    assert len({run.across for run in result.routes[3][1:-1]}) == 1


def test_input_is_placed_next_to_its_consumer():
    edges = [Edge(0, 1), Edge(1, 2), Edge(3, 2)]
    corners = arrange([Size(50, 20)] * 4, edges).corners
    assert corners[3][1] == corners[1][1]


def test_crossings_are_avoided():
    edges = [Edge(0, 3), Edge(1, 2), Edge(0, 5), Edge(1, 4)]
    result = arrange([Size(50, 20)] * 6, edges)
    across = [corner[0] for corner in result.corners]
    assert (across[0] < across[1]) == (max(across[3], across[5]) < min(across[2], across[4]))


def test_back_edges_of_cycles_are_reversed():
    result = arrange([Size(50, 20)] * 3, [Edge(0, 1), Edge(1, 2), Edge(2, 0)])
    back = result.routes[2]
    assert back[0].start > back[-1].end
    assert result.corners[0][1] < result.corners[1][1] < result.corners[2][1]


def test_first_and_last_items_get_their_own_ranks():
    sizes = [Size(50, 20)] * 5
    result = arrange(sizes, [Edge(0, 1), Edge(3, 1), Edge(1, 2), Edge(1, 4)], first=[3], last=[4])
    along = [corner[1] for corner in result.corners]
    assert along[3] < min(along[:3]) and along[4] > max(along[:3])


def test_ports():
    result = arrange([Size(100, 20), Size(20, 20)], [Edge(0, 1, 30.0, -5.0)])
    (start, end), corners = result.routes[0], result.corners
    assert start.across == corners[0][0] + 50 + 30
    assert end.across == corners[1][0] + 10 - 5


def test_empty_and_single_item_graphs():
    assert arrange([], []).size == Size(0, 0)
    assert arrange([Size(5, 6)], []).corners == [(0.0, 0.0)]
    assert Run(1.0, 2.0, 3.0).end == 3.0
