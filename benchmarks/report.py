"""Format results as Markdown."""

from __future__ import annotations

from typing import Any


def _seconds(s: float) -> str:
    return f"{s:.2f}" if s >= 10 else f"{s:.3g}" if s >= 1 else f"{s * 1000:.3g} ms"


def _spread(s: dict[str, float], show: Any) -> str:
    return f"{show(s['median'])} ({show(s['min'])}–{show(s['max'])})"


def _ratio(r: float) -> str:
    return f"{r:.0f}" if r >= 100 else f"{r:.3g}" if r >= 10 else f"{r:.2f}"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def comparison(name: str, result: dict[str, Any]) -> list[str]:
    """The lines of one comparison."""
    w = result["workload"]
    drop = f", dropout {w['dropout']}" if w["dropout"] else ""
    sizes = "-".join(map(str, w["sizes"]))
    lines = [
        f"## {name}",
        "",
        f"{w['kind']} {sizes}{drop}, {w['optimizer']}, {w['rows']:,} rows in {w['steps']:,} steps of {w['batch']}; "
        f"data: {w['data']}.",
        "",
    ]
    entries = result["entries"]
    first = next(iter(entries), None)
    rows = []
    for entry, e in entries.items():
        found = ", ".join(f"{k} {v:.4g}" for k, v in e["results"].items())
        rows.append(
            [entry, _spread(e["seconds"], _seconds), _spread(e["ratio"], _ratio), _seconds(e["cpu_seconds"]["min"]),
             _seconds(e["first_epoch_seconds"]), f"{e['peak_bytes'] / 2**20:.0f}", found]
        )  # fmt: skip
    head = ["", "seconds (min–max)", f"ratio to {first} (min–max)", "CPU, least", "first epoch", "peak MiB", "result"]
    lines += table(head, rows)
    target = result["target"]
    if target:
        verdict = "met" if target["met"] else "**not met**"
        lines += ["", f"Target (jaxkeras − 3 ms) / {target['against']} ≤ 1.05: "
                      f"{_spread(target['ratio'], _ratio)}, {verdict}; of the fastest epochs "
                      f"{_ratio(target['ratio_of_fastest'])}."]  # fmt: skip
    return [*lines, ""]


def markdown(results: dict[str, Any]) -> str:
    """The whole report."""
    m = results["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in m["versions"].items())
    lines = [
        f"# Benchmarks: {results['label']}",
        "",
        f"{m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, {m['system']}, Python {m['python']}; {versions}.",
        f"Load average at the start {m['load_average_at_start']}. Rounds: {results['rounds']}, fraction of the rows: "
        f"{results['scale']:g}.",
        "",
        *(f"- `{name}`: {about}" for name, about in results["frameworks"].items()),
        "",
    ]
    for name, result in results["comparisons"].items():
        lines += comparison(name, result)
    if results.get("first_epoch"):
        lines += ["## From the start of a process to the end of its first epoch", ""]
        rows = [
            [name, framework, _spread(both["cold"], _seconds), _spread(both["warm"], _seconds)]
            for name, by in results["first_epoch"].items()
            for framework, both in by.items()
        ]
        lines += table(["workload", "framework", "cold", "second process"], rows) + [""]
    if results.get("imports"):
        lines += ["## Imports", ""]
        rows = [
            [name, _spread(e["seconds"], _seconds), _spread(e["ratio"], _ratio)]
            for name, e in results["imports"].items()
        ]
        lines += table(["", "seconds", "ratio to jax, optax"], rows) + [""]
    return "\n".join(lines)
