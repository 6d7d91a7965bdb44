"""Lay out the boxes and arrows of a layered graph.

The algorithm is that of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
structures", 1981: reverse edges that close cycles, rank by longest path, split long edges into lanes that occupy space
in each rank, order each rank by barycenters. Positions are the solution of a linear program, as in Gansner, Koutsofios,
North and Vo, "A technique for drawing directed graphs", 1993.

Coordinates are `(across, along)`: `along` runs from the inputs to the outputs of the graph, `across` is orthogonal.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_GAP = 22.0  # between two ranks
_SLOPE = 0.12  # additional gap per distance that an edge goes across
_MAX_SLOPE_GAP = 60.0
_APART = 22.0  # between two boxes in a rank
_LANE = 12.0  # width of an edge that passes through a rank
_SWEEPS = 24
_BACK = 8.0  # offset of the ends of reversed edges

# Weights in the linear program: straight lanes of a long edge, straight chains of boxes, centered branches and joins,
# short branches, small total width.
_LINE, _CHAIN, _MIDDLE, _BRANCH, _TIGHT = 8.0, 3.0, 1.0, 0.3, 0.01


class Size(NamedTuple):
    across: float
    along: float


class Edge(NamedTuple):
    """An edge between two items; a port is the offset of its end from the middle of the item."""

    source: int
    target: int
    source_port: float = 0.0
    target_port: float = 0.0


class Run(NamedTuple):
    """A straight part of an edge: at `across` from `start` to `end`. Curves connect successive runs."""

    across: float
    start: float
    end: float


@dataclass
class Arrangement:
    """The positions of all items and edges.

    Attributes:
        corners: for each item, the corner with the smallest coordinates.
        routes: for each edge, its runs from source to target.
        size: total size.
    """

    corners: list[tuple[float, float]]
    routes: list[list[Run]]
    size: Size


@dataclass
class _Graph:
    """A graph whose vertices are the items, then the lanes of long edges."""

    widths: list[float]
    ranks: list[int]
    chains: list[list[int]]  # for each edge its vertices, in order of rank
    before: list[list[tuple[int, float]]] = field(default_factory=list)  # neighbors: vertex and offset between ports
    after: list[list[tuple[int, float]]] = field(default_factory=list)
    layers: list[list[int]] = field(default_factory=list)


def arrange(
    sizes: Sequence[Size], edges: Sequence[Edge], first: Iterable[int] = (), last: Iterable[int] = ()
) -> Arrangement:
    """Lay out a graph.

    Args:
        sizes: sizes of the items; their order is used where the graph does not determine one.
        edges: edges between different items; multiple edges are allowed.
        first: items that are alone in the first rank.
        last: items that are alone in the last rank.

    Returns:
        The arrangement.
    """
    reverse = _backward(len(sizes), edges)
    down = [_turned(edge) if i in reverse else edge for i, edge in enumerate(edges)]
    graph = _split(sizes, down, _ranks(len(sizes), down, set(first), set(last)))
    _order(graph)
    centers = _place(graph)
    return _measure(sizes, down, graph, centers, reverse)


# -- ranks ------------------------------------------------------------------------------------------------------------
def _turned(edge: Edge) -> Edge:
    return Edge(edge.target, edge.source, edge.target_port + _BACK, edge.source_port + _BACK)


def _backward(number: int, edges: Sequence[Edge]) -> set[int]:
    """The indices of edges that close cycles."""
    leaving: list[list[int]] = [[] for _ in range(number)]
    for i, edge in enumerate(edges):
        leaving[edge.source].append(i)
    state = [0] * number  # 1 while on the stack, 2 when done
    found: set[int] = set()
    for start in range(number):
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, iter(leaving[start]))]
        while stack:
            item, rest = stack[-1]
            for i in rest:
                target = edges[i].target
                if state[target] == 1:
                    found.add(i)
                elif state[target] == 0:
                    state[target] = 1
                    stack.append((target, iter(leaving[target])))
                    break
            else:
                state[item] = 2
                stack.pop()
    return found


def _ranks(number: int, edges: Sequence[Edge], first: set[int], last: set[int]) -> list[int]:
    after: list[list[int]] = [[] for _ in range(number)]
    waiting = [0] * number
    for edge in edges:
        after[edge.source].append(edge.target)
        waiting[edge.target] += 1
    ranks = [0 if i in first or not first else 1 for i in range(number)]
    sources = [i for i in range(number) if waiting[i] == 0]
    ready = list(sources)
    while ready:
        item = ready.pop()
        for target in after[item]:
            ranks[target] = max(ranks[target], ranks[item] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    for item in sources:  # an input is placed next to its first use
        if item not in first and after[item]:
            ranks[item] = min(ranks[target] for target in after[item]) - 1
    bottom = max((ranks[i] for i in range(number) if i not in last), default=-1) + 1
    return [bottom if i in last else rank for i, rank in enumerate(ranks)]


def _split(sizes: Sequence[Size], edges: Sequence[Edge], ranks: list[int]) -> _Graph:
    graph = _Graph([size.across for size in sizes], list(ranks), [])
    for edge in edges:
        lanes = range(len(graph.widths), len(graph.widths) + ranks[edge.target] - ranks[edge.source] - 1)
        graph.chains.append([edge.source, *lanes, edge.target])
        for i, _ in enumerate(lanes):
            graph.widths.append(_LANE)
            graph.ranks.append(ranks[edge.source] + 1 + i)
    graph.before = [[] for _ in graph.widths]
    graph.after = [[] for _ in graph.widths]
    for edge, chain in zip(edges, graph.chains):
        for i, (a, b) in enumerate(zip(chain, chain[1:])):
            out = edge.source_port if i == 0 else 0.0
            into = edge.target_port if i == len(chain) - 2 else 0.0
            graph.after[a].append((b, into - out))
            graph.before[b].append((a, out - into))
    graph.layers = [[] for _ in range(max(graph.ranks, default=-1) + 1)]
    for vertex, rank in enumerate(graph.ranks):
        graph.layers[rank].append(vertex)
    return graph


# -- order within ranks -----------------------------------------------------------------------------------------------
def _order(graph: _Graph) -> None:
    """Reorder the ranks so that few edges cross."""
    best, fewest = [list(layer) for layer in graph.layers], _crossings(graph)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        downward = sweep % 2 == 0
        neighbors = graph.before if downward else graph.after
        for layer in graph.layers[1:] if downward else graph.layers[-2::-1]:
            place = _places(graph, neighbors, layer)
            layer.sort(key=place.__getitem__)
        crossings = _crossings(graph)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in graph.layers], crossings
    graph.layers = best


def _places(graph: _Graph, neighbors: list[list[tuple[int, float]]], layer: list[int]) -> dict[int, float]:
    """For each vertex of a rank, the mean position of its neighbors in the current order."""
    positions: dict[int, float] = {}
    for rank in {graph.ranks[v] for vertex in layer for v, _ in neighbors[vertex]}:
        across = 0.0
        for v in graph.layers[rank]:
            positions[v] = across + graph.widths[v] / 2
            across += graph.widths[v] + _APART
    result: dict[int, float] = {}
    previous = 0.0
    for vertex in layer:
        around = [positions[v] - offset for v, offset in neighbors[vertex]]
        previous = result[vertex] = sum(around) / len(around) if around else previous
    return result


def _crossings(graph: _Graph) -> int:
    total = 0
    index = {v: i for layer in graph.layers for i, v in enumerate(layer)}
    for layer in graph.layers:
        pairs = sorted(((index[a], offset), (index[b], -offset)) for a in layer for b, offset in graph.after[a])
        seen: list[tuple[int, float]] = []
        for _, below in pairs:
            total += len(seen) - bisect_right(seen, below)
            insort(seen, below)
    return total


# -- places -----------------------------------------------------------------------------------------------------------
def _place(graph: _Graph) -> list[float]:
    """The position of the middle of each vertex, as the solution of a linear program.

    Each vertex should be in the middle of its predecessors, and of its successors. The objective is the sum of absolute
    deviations, not of squares, so most of them are exactly zero: chains are straight and branches are symmetric.
    """
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    number = len(graph.widths)
    terms = [
        (v, around, _weight(graph, v, around, back))
        for side, back in ((graph.before, graph.after), (graph.after, graph.before))
        for v, around in enumerate(side)
        if around
    ]
    entries: list[tuple[int, int, float]] = []  # row, column, value of `entries @ x <= bounds`
    bounds: list[float] = []
    costs = [0.0] * number + [weight for _, _, weight in terms]
    for i, (v, around, _) in enumerate(terms):
        offset = sum(o for _, o in around) / len(around)
        for sign in (1.0, -1.0):  # the unknown number + i is at least the distance in both directions
            row = len(bounds)
            entries += [(row, v, sign), (row, number + i, -1.0)]
            entries += [(row, u, -sign / len(around)) for u, _ in around]
            bounds.append(sign * offset)
    for layer in graph.layers:
        for a, b in zip(layer, layer[1:]):
            entries += [(len(bounds), a, 1.0), (len(bounds), b, -1.0)]
            bounds.append(-_distance(graph, a, b))
        if layer:  # keep parts that no edge connects close together
            costs[layer[-1]] += _TIGHT
            costs[layer[0]] -= _TIGHT
    if not bounds:
        return [0.0] * number
    rows, columns, values = zip(*entries)
    matrix = coo_array((values, (rows, columns)), shape=(len(bounds), len(costs)))
    limits = [(None, None)] * number + [(0, None)] * len(terms)
    return np.round(linprog(costs, matrix, bounds, bounds=limits).x[:number], 3).tolist()


def _weight(graph: _Graph, vertex: int, around: list[tuple[int, float]], back: list[list[tuple[int, float]]]) -> float:
    """The weight of a vertex being in the middle of its neighbors on one side."""
    if len(around) > 1:
        return _MIDDLE
    neighbor = around[0][0]
    if len(back[neighbor]) > 1:
        return _BRANCH
    return _LINE if graph.widths[vertex] == graph.widths[neighbor] == _LANE else _CHAIN


def _distance(graph: _Graph, a: int, b: int) -> float:
    """The minimal distance between the middles of two neighbors in a rank."""
    lanes = (graph.widths[a] == _LANE) + (graph.widths[b] == _LANE)
    return (graph.widths[a] + graph.widths[b]) / 2 + _APART / (1 + lanes)


# -- the result -------------------------------------------------------------------------------------------------------
def _measure(
    sizes: Sequence[Size], edges: Sequence[Edge], graph: _Graph, centers: list[float], reverse: set[int]
) -> Arrangement:
    if not sizes:
        return Arrangement([], [], Size(0.0, 0.0))
    left = min(c - w / 2 for c, w in zip(centers, graph.widths))
    right = max(c + w / 2 for c, w in zip(centers, graph.widths))
    across = [c - left for c in centers]

    columns: list[list[float]] = []  # for each edge, its position in each rank
    bends = [0.0] * len(graph.layers)
    for edge, chain in zip(edges, graph.chains):
        column = [across[v] for v in chain]
        column[0] += edge.source_port
        column[-1] += edge.target_port
        columns.append(column)
        for i, (a, b) in enumerate(zip(column, column[1:])):
            rank = graph.ranks[chain[i]]
            bends[rank] = max(bends[rank], abs(a - b))

    starts, ends, along = [], [], 0.0
    for layer, bend in zip(graph.layers, bends):
        starts.append(along)
        along += max((sizes[v].along for v in layer if v < len(sizes)), default=0.0)
        ends.append(along)
        along += _GAP + min(_SLOPE * bend, _MAX_SLOPE_GAP)

    def extent(vertex: int) -> tuple[float, float]:
        """Start and end of a vertex; items are in the middle of their rank."""
        rank = graph.ranks[vertex]
        if vertex >= len(sizes):
            return starts[rank], ends[rank]
        middle, half = (starts[rank] + ends[rank]) / 2, sizes[vertex].along / 2
        return middle - half, middle + half

    routes = []
    for i, (chain, column) in enumerate(zip(graph.chains, columns)):
        source, target = chain[0], chain[-1]
        runs = [Run(column[0], extent(source)[1], ends[graph.ranks[source]])]
        runs += [Run(c, starts[graph.ranks[v]], ends[graph.ranks[v]]) for c, v in zip(column[1:-1], chain[1:-1])]
        runs.append(Run(column[-1], starts[graph.ranks[target]], extent(target)[0]))
        routes.append([Run(c, end, start) for c, start, end in reversed(runs)] if i in reverse else runs)
    corners = [(across[i] - size.across / 2, extent(i)[0]) for i, size in enumerate(sizes)]
    return Arrangement(corners, routes, Size(right - left, ends[-1]))
