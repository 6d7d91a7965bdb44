"""Where to put the boxes and arrows of a layered graph.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures",
1981: turn cycles around, rank by longest path, cut long edges into lanes that take up room in each rank, order each
rank by barycentres, and place by a linear program, as in Gansner, Koutsofios, North and Vo, "A technique for drawing
directed graphs", 1993.

Coordinates are `(across, along)`: `along` grows from the inputs to the outputs of the graph, `across` at a right angle.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_GAP = 22.0  # between two ranks
_SLOPE = 0.12  # how much more for edges that go far across
_MOST = 60.0
_APART = 22.0  # between two boxes of a rank
_LANE = 12.0  # width of an edge that passes through a rank
_SWEEPS = 24
_BACK = 8.0  # how far beside the others an edge against the direction ends

# How much things count in placing: that the lanes of a long edge are in line, that a chain of boxes is straight, that
# what branches or joins is in the middle, that one of many branches is near, that all is narrow.
_LINE, _CHAIN, _MIDDLE, _BRANCH, _TIGHT = 8.0, 3.0, 1.0, 0.3, 0.01


class Size(NamedTuple):
    across: float
    along: float


class Edge(NamedTuple):
    """From one item to another; a port is where it leaves or enters, from the middle of the item."""

    source: int
    target: int
    source_port: float = 0.0
    target_port: float = 0.0


class Run(NamedTuple):
    """A straight part of an edge: at `across` from `start` to `end`. Curves join one run to the next."""

    across: float
    start: float
    end: float


@dataclass
class Arrangement:
    """Where everything is.

    Attributes:
        corners: for each item the corner with the least coordinates.
        routes: for each edge its runs, from source to target.
        size: of the whole.
    """

    corners: list[tuple[float, float]]
    routes: list[list[Run]]
    size: Size


@dataclass
class _Graph:
    """Vertices are the items, then the lanes of long edges."""

    widths: list[float]
    ranks: list[int]
    chains: list[list[int]]  # for each edge its vertices, downwards
    before: list[list[tuple[int, float]]] = field(default_factory=list)  # neighbours: vertex and offset between ports
    after: list[list[tuple[int, float]]] = field(default_factory=list)
    layers: list[list[int]] = field(default_factory=list)


def arrange(
    sizes: Sequence[Size], edges: Sequence[Edge], first: Iterable[int] = (), last: Iterable[int] = ()
) -> Arrangement:
    """Lay out a graph.

    Args:
        sizes: of the items, listed in an order that says what should come first where the graph does not.
        edges: between items; several may join the same two, none may join an item to itself.
        first: items that have the first rank for themselves.
        last: items that have the last rank for themselves.
    """
    reverse = _backward(len(sizes), edges)
    down = [_turned(edge) if i in reverse else edge for i, edge in enumerate(edges)]
    graph = _split(sizes, down, _ranks(len(sizes), down, set(first), set(last)))
    _order(graph)
    centres = _place(graph)
    return _measure(sizes, down, graph, centres, reverse)


# -- ranks ------------------------------------------------------------------------------------------------------------
def _turned(edge: Edge) -> Edge:
    return Edge(edge.target, edge.source, edge.target_port + _BACK, edge.source_port + _BACK)


def _backward(number: int, edges: Sequence[Edge]) -> set[int]:
    """The edges that close cycles."""
    leaving: list[list[int]] = [[] for _ in range(number)]
    for i, edge in enumerate(edges):
        leaving[edge.source].append(i)
    state = [0] * number  # 1 while on the way, 2 when done
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
    for item in sources:  # an input stands next to where it is used
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
        neighbours = graph.before if downward else graph.after
        for layer in graph.layers[1:] if downward else graph.layers[-2::-1]:
            place = _places(graph, neighbours, layer)
            layer.sort(key=place.__getitem__)
        crossings = _crossings(graph)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in graph.layers], crossings
    graph.layers = best


def _places(graph: _Graph, neighbours: list[list[tuple[int, float]]], layer: list[int]) -> dict[int, float]:
    """Where each vertex of a rank would like to be: at the mean place of its neighbours, by order."""
    positions: dict[int, float] = {}
    for rank in {graph.ranks[v] for vertex in layer for v, _ in neighbours[vertex]}:
        across = 0.0
        for v in graph.layers[rank]:
            positions[v] = across + graph.widths[v] / 2
            across += graph.widths[v] + _APART
    result: dict[int, float] = {}
    previous = 0.0
    for vertex in layer:
        around = [positions[v] - offset for v, offset in neighbours[vertex]]
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
    """The middle of each vertex across, as the solution of a linear program.

    Each vertex wants to be in the middle of those before it, and of those after it. As distances count, not their
    squares, most wishes are met exactly, so chains are straight and what branches is symmetric.
    """
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    number = len(graph.widths)
    wishes = [
        (v, around, _weight(graph, v, around, back))
        for side, back in ((graph.before, graph.after), (graph.after, graph.before))
        for v, around in enumerate(side)
        if around
    ]
    entries: list[tuple[int, int, float]] = []  # row, column, value of `entries @ x <= bounds`
    bounds: list[float] = []
    costs = [0.0] * number + [weight for _, _, weight in wishes]
    for i, (v, around, _) in enumerate(wishes):
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
        if layer:  # what nothing else holds together should not drift apart
            costs[layer[-1]] += _TIGHT
            costs[layer[0]] -= _TIGHT
    if not bounds:
        return [0.0] * number
    rows, columns, values = zip(*entries)
    matrix = coo_array((values, (rows, columns)), shape=(len(bounds), len(costs)))
    limits = [(None, None)] * number + [(0, None)] * len(wishes)
    return np.round(linprog(costs, matrix, bounds, bounds=limits).x[:number], 3).tolist()


def _weight(graph: _Graph, vertex: int, around: list[tuple[int, float]], back: list[list[tuple[int, float]]]) -> float:
    """How much it counts that a vertex is in the middle of those on one side of it."""
    if len(around) > 1:
        return _MIDDLE
    neighbour = around[0][0]
    if len(back[neighbour]) > 1:
        return _BRANCH
    return _LINE if graph.widths[vertex] == graph.widths[neighbour] == _LANE else _CHAIN


def _distance(graph: _Graph, a: int, b: int) -> float:
    """The least distance between the middles of two neighbours in a rank."""
    lanes = (graph.widths[a] == _LANE) + (graph.widths[b] == _LANE)
    return (graph.widths[a] + graph.widths[b]) / 2 + _APART / (1 + lanes)


# -- the result -------------------------------------------------------------------------------------------------------
def _measure(
    sizes: Sequence[Size], edges: Sequence[Edge], graph: _Graph, centres: list[float], reverse: set[int]
) -> Arrangement:
    if not sizes:
        return Arrangement([], [], Size(0.0, 0.0))
    left = min(c - w / 2 for c, w in zip(centres, graph.widths))
    right = max(c + w / 2 for c, w in zip(centres, graph.widths))
    across = [c - left for c in centres]

    columns: list[list[float]] = []  # for each edge, where it is in each rank it touches
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
        along += _GAP + min(_SLOPE * bend, _MOST)

    def extent(vertex: int) -> tuple[float, float]:
        """Where a vertex is along: items stand in the middle of their rank."""
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
