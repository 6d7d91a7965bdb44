import itertools
import os
import re
import sys
import types

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.utils import draw
from jaxkeras.utils.diagram import Cell, Show, diagram
from jaxkeras.utils.plot import model_to_dot, plot_model
from tests.utils.test_layout import inside, points

matplotlib = pytest.importorskip("matplotlib")
layers = jk.layers


def stack():
    return jk.Sequential(
        [jk.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu", name="conv"), layers.Flatten(name="flat"),
         layers.Dense(10, activation="softmax", name="head", trainable=False)],
        name="stack",
    )  # fmt: skip


def two_by_two():
    left, right = jk.Input((4,), name="left"), jk.Input((4,), name="right")
    x = layers.Concatenate(name="both")([layers.Dense(3, name="a")(left), right])
    return jk.Model([left, right], [layers.Dense(1, name="one")(x), layers.Dense(2, name="two")(x) * 2], name="two")


def residual():
    x = image = jk.Input((8, 8, 4), name="image")
    for i in range(2):
        y = layers.Conv2D(4, 3, padding="same", name=f"conv_{i}")(x)
        y = layers.BatchNormalization(name=f"norm_{i}")(y)
        x = layers.Add(name=f"add_{i}")([x, y])
    return jk.Model(image, x, name="residual")


def nested():
    """Nested models, one of them called twice, and a layer called on its own output."""
    z = jk.Input((8,), name="z")
    split = jk.Model(z, [layers.Dense(8, name="mean")(z), layers.Dense(8, name="spread")(z)], name="split")
    p, q = jk.Input((8,), name="p"), jk.Input((8,), name="q")
    core = jk.Model([p, q], layers.Add(name="sum")([*split(p), layers.Dense(8, name="late")(q)]), name="core")
    decoder = jk.Sequential([jk.Input((8,)), layers.Dense(8, name="d1"), layers.Dense(8, name="d2")], name="decoder")
    x, loop = jk.Input((8,), name="x"), layers.Dense(8, name="loop")
    y = core([x, loop(loop(x))])
    return jk.Model(x, [decoder(core([y, x])), y], name="nested")


MODELS = [stack, two_by_two, residual, nested]


def named_edges(model, **options):
    picture = diagram(model, Show(names=True), **options)
    names = {box.key: box.title for box in picture.frame.boxes()}
    return {(names[a], names[b]) for a, b in picture.edges}


# -- boxes and edges --------------------------------------------------------------------------------------------------
def test_edges_of_a_sequential_model():
    assert named_edges(stack()) == {("conv", "flat"), ("flat", "head")}


def test_edges_of_branches():
    assert named_edges(two_by_two()) == {
        ("left", "a"), ("a", "both"), ("right", "both"), ("both", "one"), ("both", "two"), ("two", "multiply"),
    }  # fmt: skip


def test_edges_of_nested_models():
    assert named_edges(nested()) == {
        ("x", "core"), ("x", "loop"), ("loop", "loop"), ("loop", "core"), ("core", "core"), ("core", "decoder"),
    }  # fmt: skip
    assert named_edges(nested(), expand_nested=True) == {
        ("x", "p"), ("x", "loop"), ("x", "q"), ("loop", "loop"), ("loop", "q"), ("sum", "p"), ("sum", "d1"),
        ("p", "z"), ("z", "mean"), ("z", "spread"), ("mean", "sum"), ("spread", "sum"), ("q", "late"),
        ("late", "sum"), ("d1", "d2"),
    }  # fmt: skip


def test_subclassed_model_is_one_box():
    class Own(jk.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    model = Own()
    model.build((None, 3))
    picture = diagram(model, Show(names=True))
    assert [(box.title, box.subtitle, box.kind) for box in picture.frame.boxes()] == [("own", "(Own)", "model")]


def test_box_contents():
    boxes = {box.title: box for box in diagram(stack(), Show(True, True, True, True, True)).frame.boxes()}
    assert boxes["head"].rows == [
        [Cell("Activation", "softmax")],
        [
            Cell("Input shape", "(None, 144)"),
            Cell("Output shape", "(None, 10)"),
            Cell("Output dtype", "float32"),
            Cell("", "Non-trainable", "no"),
        ],
    ]
    assert boxes["flat"].rows[0][-1] == Cell("Output dtype", "float32")
    assert [box.title for box in diagram(stack(), Show(names=False)).frame.boxes()] == ["Conv2D", "Flatten", "Dense"]


def test_shapes_of_multiple_inputs():
    boxes = {box.title: box for box in diagram(two_by_two(), Show(shapes=True)).frame.boxes()}
    assert boxes["both"].rows[0][0] == Cell("Input shape", "[(None, 3), (None, 4)]")
    assert boxes["left"].rows[0] == [Cell("Output shape", "(None, 4)")]


# -- drawing with matplotlib ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("upright", [True, False])
def test_arrows_avoid_boxes_and_names(make, upright):
    picture = diagram(make(), Show(shapes=True), expand_nested=True)
    shapes = {box.key: draw._shape(box) for box in picture.frame.boxes()}
    placed = draw._place(picture.frame, picture.edges, shapes, upright, True)
    rectangles = []
    for key, corner in placed.boxes.items():
        shape = shapes[key]
        across, along = (shape.width, shape.height) if upright else (shape.height, shape.width)
        beside = draw._LOOP * ((key, key) in picture.edges)
        rectangles.append(((corner[0] + beside, corner[1]), (across, along)))
    for (p, a), (q, b) in itertools.combinations(rectangles, 2):
        assert any(c + s <= d or d + t <= c for c, s, d, t in zip(p, a, q, b))
    for name, across, along, size in placed.frames:
        width, height = draw.text_width(name, draw._NAME_SIZE, True), draw._NAME_SIZE
        pad = draw._FRAME_PAD
        rectangles.append(
            ((across + pad, along + 4), (width, height)) if upright else ((across + 4, along + pad), (height, width))
        )
        assert size.across >= (width if upright else height) and size.along >= (height if upright else width)
    assert len(placed.frames) == (3 if make is nested else 0)
    for route in placed.routes:
        for point in points(route.runs):
            assert not any(inside(point, corner, size) for corner, size in rectangles)
            assert all(0 <= p <= whole for p, whole in zip(point, placed.size))
    targets = {b for a, b in picture.edges if a != b}
    assert sum(route.arrow for route in placed.routes) >= len(targets)


def test_text_fits_in_its_cell():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(dpi=100))
    with matplotlib.rc_context({"text.hinting": "none"}):
        for text, bold in (("Output shape:", False), ("(None, 32, 32, 16)", True), ("ein_Name_äöü", True)):
            drawn = canvas.figure.text(0, 0, text, fontsize=9, fontweight="bold" if bold else "normal")
            width = drawn.get_window_extent(canvas.get_renderer()).width * 72 / 100
            assert draw.text_width(text, 9, bold) == pytest.approx(width, abs=1.5)


@pytest.fixture
def without_graphviz(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)


START = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("extension", START)
def test_file_formats(extension, tmp_path, without_graphviz):
    path = tmp_path / f"model.{extension}"
    assert plot_model(two_by_two(), path, show_shapes=True, show_layer_names=True, dpi=50) is None
    assert path.read_bytes().startswith(START[extension])


@pytest.mark.parametrize("rankdir", ["TB", "BT", "LR", "RL"])
def test_directions(rankdir, tmp_path, without_graphviz):
    path = tmp_path / "model.svg"
    plot_model(stack(), path, show_layer_names=True, rankdir=rankdir)
    width, height = map(float, re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', path.read_text()).groups())
    assert (width > height) == (rankdir in ("LR", "RL"))


def test_dpi_sets_the_size_of_the_picture(tmp_path, without_graphviz):
    sizes = []
    for dpi in (40, 80):
        plot_model(nested(), tmp_path / "model.png", dpi=dpi, expand_nested=True)
        sizes.append(matplotlib.image.imread(tmp_path / "model.png").shape[:2])
    np.testing.assert_allclose(2 * np.array(sizes[0]), sizes[1], atol=2)


def test_names_are_not_parsed_as_math(tmp_path, without_graphviz):
    model = jk.Sequential([jk.Input((2,)), layers.Dense(1, name="a$b$_<c>&")])
    plot_model(model, tmp_path / "model.svg", show_layer_names=True)
    assert "a$b$_" in (tmp_path / "model.svg").read_text()  # matplotlib stores the text as a comment


def test_global_matplotlib_state_is_unchanged(tmp_path, without_graphviz):
    before = dict(matplotlib.rcParams)
    plot_model(stack(), tmp_path / "model.png", dpi=30)
    assert dict(matplotlib.rcParams) == before


# -- Graphviz ---------------------------------------------------------------------------------------------------------
def test_dot_graph():
    pytest.importorskip("pydot")
    dot = model_to_dot(nested(), show_shapes=True, expand_nested=True)
    text = dot.to_string()
    assert dot.get_rankdir() == "TB" and dot.get_splines() == "ortho"
    assert [cluster.get_label() for cluster in dot.get_subgraphs()] == ["core", "decoder"]
    assert [cluster.get_label() for cluster in dot.get_subgraphs()[0].get_subgraphs()] == ["split"]
    assert len(dot.get_edges()) == 15
    assert "<b>loop</b> (Dense)" in text and "Output shape: <b>(None, 8)</b>" in text
    assert type(model_to_dot(stack(), subgraph=True)).__name__ == "Cluster"


def test_edges_equal_keras():
    keras = pytest.importorskip("keras")
    pytest.importorskip("pydot")
    x = keras.Input((4,), name="x")
    shared = keras.layers.Dense(4, name="shared")
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="i1"), keras.layers.Dense(4, name="i2")])
    model = keras.Model(x, keras.layers.Add(name="add")([inner(shared(shared(x))), x]))

    ours_x = jk.Input((4,), name="x")
    ours_shared = layers.Dense(4, name="shared")
    ours_inner = jk.Sequential([jk.Input((4,)), layers.Dense(4, name="i1"), layers.Dense(4, name="i2")])
    ours = jk.Model(ours_x, layers.Add(name="add")([ours_inner(ours_shared(ours_shared(ours_x))), ours_x]))

    dot = keras.utils.model_to_dot(model, expand_nested=True)
    nodes = [*dot.get_nodes(), *(n for cluster in dot.get_subgraphs() for n in cluster.get_nodes())]
    names = {n.get_name().strip('"'): re.search(r"<b>(\w+)</b>", n.get_label() or "<b>none</b>")[1] for n in nodes}
    edges = [e for graph in (dot, *dot.get_subgraphs()) for e in graph.get_edges()]
    theirs = {tuple(names[str(end).strip('"')] for end in (e.get_source(), e.get_destination())) for e in edges}
    assert named_edges(ours, expand_nested=True) == theirs


def test_graphviz_is_used_when_installed(tmp_path, monkeypatch):
    pytest.importorskip("pydot")
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho \"drawn by dot $@\"\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    plot_model(stack(), tmp_path / "model.png")
    assert (tmp_path / "model.png").read_text().startswith("drawn by dot -Tpng")


# -- notebooks and errors ---------------------------------------------------------------------------------------------
def test_figure_is_displayed_in_a_notebook(tmp_path, monkeypatch, without_graphviz):
    IPython = pytest.importorskip("IPython")
    monkeypatch.setattr(IPython, "get_ipython", lambda: types.SimpleNamespace())
    kinds = [type(plot_model(stack(), tmp_path / f"model.{e}", dpi=30)).__name__ for e in START]
    assert kinds == ["Image", "SVG", "NoneType"]


def hide(monkeypatch, name):
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)


def test_missing_matplotlib_raises(tmp_path, monkeypatch, without_graphviz):
    hide(monkeypatch, "matplotlib")
    draw.text_width.cache_clear()
    with pytest.raises(ImportError, match=re.escape('pip install "jaxkeras[plot]"')):
        plot_model(stack(), tmp_path / "model.png")


def test_missing_pydot_raises(monkeypatch):
    hide(monkeypatch, "pydot")
    with pytest.raises(ImportError, match=re.escape('pip install "jaxkeras[plot]"')):
        model_to_dot(stack())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"show_shape": True}, "show_shape.*show_shapes"),
        ({"rankdir": "UP"}, "'TB', 'BT', 'LR', 'RL'"),
    ],
)
def test_invalid_arguments_raise(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        plot_model(stack(), tmp_path / "model.png", **options)


def test_unbuilt_model_raises(tmp_path):
    with pytest.raises(ValueError, match="not built"):
        plot_model(jk.Sequential([layers.Dense(2)]), tmp_path / "model.png")


def test_signatures():
    keras = pytest.importorskip("keras")
    import inspect

    for mine, theirs in ((plot_model, keras.utils.plot_model), (model_to_dot, keras.utils.model_to_dot)):
        assert [(p.name, p.default) for p in inspect.signature(mine).parameters.values()] == [
            (p.name, p.default) for p in inspect.signature(theirs).parameters.values()
        ]
