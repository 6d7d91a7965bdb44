"""Draw the chart of the README from the results: `python -m benchmarks.chart`."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure

RESULTS = Path(__file__).parent / "results"
LABELS = {
    "jaxkeras": "jaxkeras", "jax-scan": "JAX by hand, one scan", "jax-loop": "JAX by hand, a loop",
    "torch": "PyTorch, eager", "keras-jax": "Keras on JAX", "keras-tf": "Keras on TensorFlow",
}  # fmt: skip
COLORS = {
    "jaxkeras": "#2b6cb0", "jax-scan": "#63b3ed", "jax-loop": "#a0aec0", "torch": "#ed8936", "keras-jax": "#c05621",
    "keras-tf": "#8b6f47",
}  # fmt: skip
SMALLEST = 0.01


def seconds() -> dict[str, dict[str, float]]:
    """The median seconds of an epoch by workload and framework."""
    found = {}
    for name in ("two-cores-workloads.json", "two-cores-cnn.json"):
        results = json.loads((RESULTS / name).read_text())
        for workload, result in results["comparisons"].items():
            if "jaxkeras" in result["entries"]:
                found[workload] = {f: e["seconds"]["median"] for f, e in result["entries"].items() if f in LABELS}
    return found


def draw(ink: str) -> Figure:
    """Speed relative to jaxkeras, by workload."""
    data = seconds()
    names = [n for n in ("linear", "tabular", "mlp", "cnn", "lstm", "transformer") if n in data]
    figure = Figure(figsize=(9, 3.2), layout="constrained", facecolor="none")
    axes = figure.subplots()
    axes.set_facecolor("none")
    width = 0.8 / len(LABELS)
    for i, (framework, label) in enumerate(LABELS.items()):
        places = [j + (i - len(LABELS) / 2 + 0.5) * width for j in range(len(names))]
        speeds = [max(SMALLEST, data[n]["jaxkeras"] / data[n].get(framework, float("inf"))) for n in names]
        axes.bar(places, speeds, width * 0.92, color=COLORS[framework], label=label)
    axes.axhline(1, color=ink, lw=0.6)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel("epochs a second,\nrelative to jaxkeras", fontsize=9)
    axes.legend(fontsize=8, frameon=False, labelcolor=ink, ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.2))
    axes.tick_params(colors=ink, length=0)
    axes.yaxis.label.set_color(ink)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(ink)
    return figure


if __name__ == "__main__":
    for name, ink in (("light", "#1a202c"), ("dark", "#e2e8f0")):
        draw(ink).savefig(RESULTS / f"speed-{name}.svg", metadata={"Date": None})
