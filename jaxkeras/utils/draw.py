"""Draw a diagram with Matplotlib alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jaxkeras.display.text import text_width
from jaxkeras.utils.diagram import Box, Cell, Diagram, Frame
from jaxkeras.utils.layout import Edge, Run, Size, arrange

# All lengths are in points.
_MARGIN = 12.0
_HEAD_SIZE, _CELL_SIZE, _NAME_SIZE = 10.5, 9.0, 9.0
_HEAD_PAD, _CELL_PAD = (10.0, 6.0), (8.0, 5.0)
_SPACE = 0.33  # between words of different weight, as a fraction of the font size
_ROUND = 4.0
_ARROW = (6.5, 3.2)  # length and half the width
_LOOP = 24.0  # space beside a box for the arrow of a layer called on its own output
_FRAME_PAD = 12.0
_PORT = 12.0  # width reserved for an edge that enters or leaves a frame
_PIXELS = 60_000  # maximal width and height of an image

_HEADS = {"input": "#2e6f57", "layer": "#2d3748", "model": "#5a4380"}
_CELLS = {"": ("#ffffff", "#1a202c"), "yes": ("#e3f4e8", "#1d6b38"), "no": ("#fbe6e4", "#a02c22")}
_LINE, _EDGE, _FRAME, _FRAME_FILL = "#cbd2dc", "#5f6b7d", "#8a94a6", "#f6f7fa"


Piece = tuple[str, bool]  # text, and whether it is bold


# -- sizes ------------------------------------------------------------------------------------------------------------
def _line_width(pieces: list[Piece], size: float) -> float:
    return sum(text_width(text, size, bold) for text, bold in pieces) + _SPACE * size * (len(pieces) - 1)


def _title(box: Box) -> list[Piece]:
    return [(box.title, True), (box.subtitle, False)] if box.subtitle else [(box.title, True)]


def _content(cell: Cell) -> list[Piece]:
    return [(f"{cell.label}:", False), (cell.value, True)] if cell.label else [(cell.value, True)]


class _Shape(NamedTuple):
    """The dimensions of a box."""

    width: float
    height: float
    head: float
    rows: list[list[float]]  # widths of cells


def _shape(box: Box) -> _Shape:
    head = _line_width(_title(box), _HEAD_SIZE) + 2 * _HEAD_PAD[0]
    rows = [[_line_width(_content(cell), _CELL_SIZE) + 2 * _CELL_PAD[0] for cell in row] for row in box.rows]
    width = max([head, *map(sum, rows)])
    rows = [[w + (width - sum(row)) / len(row) for w in row] for row in rows]
    head_height = _HEAD_SIZE * 1.2 + 2 * _HEAD_PAD[1]
    return _Shape(width, head_height + len(rows) * _row_height(), head_height, rows)


def _row_height() -> float:
    return _CELL_SIZE * 1.2 + 2 * _CELL_PAD[1]


# -- layout -----------------------------------------------------------------------------------------------------------
class _Route(NamedTuple):
    runs: list[Run]
    arrow: bool


@dataclass
class _Placed:
    """The layout of a frame, in coordinates `(across, along)` relative to its corner."""

    size: Size
    boxes: dict[int, tuple[float, float]] = field(default_factory=dict)
    frames: list[tuple[str, float, float, Size]] = field(default_factory=list)
    routes: list[_Route] = field(default_factory=list)
    entries: dict[int, float] = field(default_factory=dict)  # key of a box -> where its arrows enter the frame
    exits: dict[int, float] = field(default_factory=dict)


def _place(frame: Frame, edges: list[tuple[int, int]], shapes: dict[int, _Shape], upright: bool, root: bool) -> _Placed:
    """Lay out a frame, starting with the frames inside it.

    Args:
        frame: the frame.
        edges: edges with at least one end inside the frame.
        shapes: dimensions of the boxes, by key.
        upright: whether the graph is drawn vertically.
        root: whether this is the outermost frame, which has no border.

    Returns:
        The layout.
    """
    owner: dict[int, int] = {}
    inner: dict[int, _Placed] = {}
    sizes: list[Size] = []
    loops = {a for a, b in edges if a == b}
    for i, item in enumerate(frame.items):
        if isinstance(item, Frame):
            keys = {box.key for box in item.boxes()}
            owner.update(dict.fromkeys(keys, i))
            touching = [(a, b) for a, b in edges if a in keys or b in keys]
            inner[i] = _place(item, touching, shapes, upright, False)
            sizes.append(inner[i].size)
        else:
            owner[item.key] = i
            shape = shapes[item.key]
            room = 2 * _LOOP * (item.key in loops)
            along, across = (shape.height, shape.width) if upright else (shape.width, shape.height)
            sizes.append(Size(across + room, along))

    label = Size(text_width(frame.name, _NAME_SIZE, True), _NAME_SIZE * 1.5)
    ports: dict[tuple[str, int], int] = {}  # ("in" or "out", box) -> index of the item on the border

    def port(side: str, key: int) -> int:
        if (side, key) not in ports:
            ports[side, key] = len(sizes)
            room = label.along + 4 if upright and side == "in" else _FRAME_PAD
            sizes.append(Size(_PORT, room))
        return ports[side, key]

    def end(side: str, key: int) -> tuple[int, float]:
        """The item at the end of an edge, and the offset from its middle."""
        i = owner[key]
        if i not in inner:
            return i, 0.0
        return i, getattr(inner[i], side)[key] - inner[i].size.across / 2

    joined: dict[Edge, None] = {}
    for a, b in edges:
        if a not in owner:
            target, at = end("entries", b)
            joined[Edge(port("in", b), target, 0.0, at)] = None
        elif b not in owner:
            source, at = end("exits", a)
            joined[Edge(source, port("out", a), at, 0.0)] = None
        elif owner[a] != owner[b]:
            (source, out), (target, into) = end("exits", a), end("entries", b)
            joined[Edge(source, target, out, into)] = None
    links = list(joined)
    sides = {side: {i for (s, _), i in ports.items() if s == side} for side in ("in", "out")}
    result = arrange(sizes, links, sides["in"], sides["out"])

    middles = {named: result.corners[i][0] + _PORT / 2 for named, i in ports.items()}
    across, along = result.size
    before = after = start = stop = 0.0  # widths of the border: on both sides across, and along
    if not root:
        before = after = _FRAME_PAD
        start, stop = (_FRAME_PAD * (not sides[side]) for side in ("in", "out"))
        if upright:
            start += label.along * (not sides["in"])
            entering = [middle for (side, _), middle in middles.items() if side == "in"]
            # Keep arrows clear of the name.
            before = max(before, label.across + 2 * _FRAME_PAD - min(entering)) if entering else before
            after = max(after, label.across + 2 * _FRAME_PAD - before - across)
        else:
            before += label.along
            stop = max(stop, label.across + 2 * _FRAME_PAD - along - start)
    placed = _Placed(Size(across + before + after, along + start + stop))

    def moved(runs: list[Run], by: tuple[float, float]) -> list[Run]:
        return [Run(r.across + by[0], r.start + by[1], r.end + by[1]) for r in runs]

    shift = (before, start)
    for i, item in enumerate(frame.items):
        corner = (result.corners[i][0] + before, result.corners[i][1] + start)
        if isinstance(item, Frame):
            part = inner[i]
            placed.boxes.update({key: (a + corner[0], b + corner[1]) for key, (a, b) in part.boxes.items()})
            placed.frames.append((item.name, *corner, part.size))
            placed.frames += [(name, a + corner[0], b + corner[1], size) for name, a, b, size in part.frames]
            placed.routes += [_Route(moved(route.runs, corner), route.arrow) for route in part.routes]
        else:
            placed.boxes[item.key] = corner
    for link, runs in zip(links, result.routes):
        is_box = link.target < len(frame.items) and link.target not in inner
        if link.source in sides["in"]:  # start at the border
            runs[0] = runs[0]._replace(start=result.corners[link.source][1])
        if link.target in sides["out"]:
            runs[-1] = runs[-1]._replace(end=result.corners[link.target][1] + sizes[link.target].along)
        placed.routes.append(_Route(moved(runs, shift), is_box))
    placed.entries = {key: middle + before for (side, key), middle in middles.items() if side == "in"}
    placed.exits = {key: middle + before for (side, key), middle in middles.items() if side == "out"}
    return placed


# -- drawing ----------------------------------------------------------------------------------------------------------
Point = tuple[float, float]


def draw(diagram: Diagram, to_file: Any, extension: str, rankdir: str = "TB", dpi: float = 200) -> None:
    """Draw a diagram to a file.

    Args:
        diagram: the diagram.
        to_file: path of the file.
        extension: a format of Matplotlib, such as `"png"`, `"svg"` or `"pdf"`.
        rankdir: direction of the arrows: `"TB"`, `"BT"`, `"LR"` or `"RL"`.
        dpi: pixels per inch; reduced if the image would be too large.

    Raises:
        ImportError: without matplotlib.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    upright = rankdir in ("TB", "BT")
    boxes = {box.key: box for box in diagram.frame.boxes()}
    shapes = {key: _shape(box) for key, box in boxes.items()}
    placed = _place(diagram.frame, diagram.edges, shapes, upright, True)
    across, along = placed.size

    def at(a: float, b: float) -> Point:
        if rankdir in ("BT", "RL"):
            b = along - b
        return (a + _MARGIN, b + _MARGIN) if upright else (b + _MARGIN, a + _MARGIN)

    def corner(a: float, b: float, size: Size) -> Point:
        (x0, y0), (x1, y1) = at(a, b), at(a + size.across, b + size.along)
        return min(x0, x1), min(y0, y1)

    width, height = (across, along) if upright else (along, across)
    width, height = width + 2 * _MARGIN, height + 2 * _MARGIN
    figure = Figure(figsize=(width / 72, height / 72), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()

    for name, a, b, size in placed.frames:
        _draw_frame(axes, name, corner(a, b, size), size if upright else Size(size.along, size.across), rankdir == "BT")
    for route in placed.routes:
        _draw_route(axes, route, at)
    loops = {a for a, b in diagram.edges if a == b}
    for key, (a, b) in placed.boxes.items():
        shape = shapes[key]
        a += _LOOP * (key in loops)
        x, y = corner(a, b, Size(shape.width, shape.height) if upright else Size(shape.height, shape.width))
        _draw_box(axes, boxes[key], shape, (x, y))
        if key in loops and upright:
            _draw_loop(axes, lambda a, b, x=x + shape.width, y=y + shape.height / 2: (x + a, y + b))
        elif key in loops:
            _draw_loop(axes, lambda a, b, x=x + shape.width / 2, y=y + shape.height: (x + b, y + a))
    with rc_context({"text.hinting": "none"}):  # hinting makes text wider than measured
        figure.savefig(to_file, format=extension, dpi=min(dpi, _PIXELS * 72 / max(width, height)))


def _write(axes: Any, x: float, middle: float, pieces: list[Piece], size: float, color: str) -> None:
    """Write a line of text that starts at `x`."""
    for text, bold in pieces:
        axes.text(
            x, middle + 0.36 * size, text, fontsize=size, fontweight="bold" if bold else "normal", color=color,
            ha="left", va="baseline", parse_math=False, zorder=6,
        )  # fmt: skip
        x += text_width(text, size, bold) + _SPACE * size


def _rounded(corner: Point, size: Point, round_at: str) -> Any:
    """The outline of a rectangle with some corners rounded, such as `"nw ne"` for the upper ones."""
    from matplotlib.path import Path

    (x, y), (w, h) = corner, size
    points: list[Point] = []
    codes: list[Any] = []
    # Clockwise from the upper left: each corner, with the incoming and outgoing directions.
    for name, at, into, out in (
        ("nw", (x, y), (0, -1), (1, 0)), ("ne", (x + w, y), (1, 0), (0, 1)),
        ("se", (x + w, y + h), (0, 1), (-1, 0)), ("sw", (x, y + h), (-1, 0), (0, -1)),
    ):  # fmt: skip
        r = _ROUND if name in round_at.split() else 0.0
        points += [(at[0] - r * into[0], at[1] - r * into[1]), at, (at[0] + r * out[0], at[1] + r * out[1])]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    codes[0] = Path.MOVETO
    return Path([*points, points[0]], [*codes, Path.CLOSEPOLY])


def _draw_box(axes: Any, box: Box, shape: _Shape, corner: Point) -> None:
    from matplotlib.patches import PathPatch

    def area(at: Point, size: Point, round_at: str, z: int, **look: Any) -> None:
        axes.add_patch(PathPatch(_rounded(at, size, round_at), zorder=z, **look))

    x, y = corner
    color, whole = _HEADS[box.kind], "nw ne se sw"
    area(corner, (shape.width, shape.head), "nw ne" if box.rows else whole, 4, facecolor=color, edgecolor="none")
    title = _title(box)
    left = x + (shape.width - _line_width(title, _HEAD_SIZE)) / 2
    _write(axes, left, y + shape.head / 2, title, _HEAD_SIZE, "white")
    top = y + shape.head
    for row, widths in zip(box.rows, shape.rows):
        left = x
        for cell, width in zip(row, widths):
            fill, ink = _CELLS[cell.style]
            round_at = ("sw " if cell is row[0] else "") + ("se" if cell is row[-1] else "")
            look = {"facecolor": fill, "edgecolor": _LINE, "lw": 0.6}
            area((left, top), (width, _row_height()), round_at if row is box.rows[-1] else "", 5, **look)
            content = _content(cell)
            indent = (width - _line_width(content, _CELL_SIZE)) / 2
            _write(axes, left + indent, top + _row_height() / 2, content, _CELL_SIZE, ink)
            left += width
        top += _row_height()
    area(corner, (shape.width, shape.height), whole, 6, facecolor="none", edgecolor=color, lw=1.1)


def _draw_frame(axes: Any, name: str, corner: Point, size: Size, name_below: bool) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            corner, size.across, size.along, boxstyle=f"round,pad=0,rounding_size={2 * _ROUND}",
            facecolor=_FRAME_FILL, edgecolor=_FRAME, lw=1.0, linestyle=(0, (4, 3)), zorder=1,
        )  # fmt: skip
    )
    half = _NAME_SIZE * 0.75 + 4
    middle = corner[1] + (size.along - half if name_below else half)
    _write(axes, corner[0] + _FRAME_PAD, middle, [(name, True)], _NAME_SIZE, _HEADS["model"])


def _draw_route(axes: Any, route: _Route, at: Callable[[float, float], Point]) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path

    runs = list(route.runs)
    tip = runs[-1]
    if route.arrow:  # the line ends inside the arrowhead
        way = 1.0 if tip.end >= runs[0].start else -1.0
        back = tip.end - way * _ARROW[0] * 0.8
        runs[-1] = Run(tip.across, min(tip.start, back) if way > 0 else max(tip.start, back), back)
        wide = [(tip.across + s * _ARROW[1], tip.end - way * _ARROW[0]) for s in (-1, 1)]
        corners = [at(tip.across, tip.end), *(at(*point) for point in wide)]
        axes.add_patch(Polygon(corners, closed=True, facecolor=_EDGE, edgecolor="none", zorder=3))
    points, codes = [at(runs[0].across, runs[0].start), at(runs[0].across, runs[0].end)], [Path.MOVETO, Path.LINETO]
    for a, b in zip(runs, runs[1:]):
        half = (a.end + b.start) / 2
        points += [at(a.across, half), at(b.across, half), at(b.across, b.start), at(b.across, b.end)]
        codes += [Path.CURVE4] * 3 + [Path.LINETO]
    axes.add_patch(PathPatch(Path(points, codes), facecolor="none", edgecolor=_EDGE, lw=1.3, zorder=2))


def _draw_loop(axes: Any, at: Callable[[float, float], Point]) -> None:
    """Draw the arrow of a layer called on its own output, beside the box."""
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path

    length, half = _ARROW
    points = [at(0, 6), at(_LOOP, 10), at(_LOOP, -10), at(length * 0.8, -6)]
    codes = [Path.MOVETO] + [Path.CURVE4] * 3
    axes.add_patch(PathPatch(Path(points, codes), facecolor="none", edgecolor=_EDGE, lw=1.3, zorder=2))
    head = [at(0, -6), at(length, -6 - half), at(length, -6 + half)]
    axes.add_patch(Polygon(head, closed=True, facecolor=_EDGE, edgecolor="none", zorder=3))
