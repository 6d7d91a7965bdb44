"""Pages of the API reference: one for each public namespace, from the docstrings of its names."""

import inspect
import pathlib
import re
import shutil
import types

import jaxkeras

# Names of arguments that share a description, over several lines.
ARGUMENTS = re.compile(r"^ +\*{0,2}\w+(?:,\s+\*{0,2}\w+)+: ", re.M)
LINK = re.compile(r"\[([^\]\[`]{1,200})\]\((https?://[^)\s]+)\)")
CODE = re.compile(r"(``.+?``|`[^`]+`)", re.S)


def namespaces() -> dict[str, types.ModuleType]:
    """Every public module by its dotted name, the package itself first."""
    found = {"jaxkeras": jaxkeras}
    for name in public_names(jaxkeras):
        value = getattr(jaxkeras, name)
        if isinstance(value, types.ModuleType):
            found[f"jaxkeras.{name}"] = value
            inner = [n for n in public_names(value) if isinstance(getattr(value, n), types.ModuleType)]
            found |= {f"jaxkeras.{name}.{n}": getattr(value, n) for n in inner}
    return found


def public_names(module: types.ModuleType) -> list[str]:
    return [name for name in dir(module) if not name.startswith("_")]


def write(folder: pathlib.Path) -> None:
    """Write a page for every namespace that has names of its own, and `index.md` with the list of them.

    A name is documented where it is found first, outer namespaces before inner ones and the package itself last. The
    others refer to it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    home: dict[int, str] = {}
    modules = namespaces()
    written = []
    for path in [*list(modules)[1:], "jaxkeras"]:
        text = page(path, modules[path], home)
        if text:
            (folder / f"{path}.md").write_text(text)
            written.append(path)
    entries = "\n".join(sorted(written))
    (folder / "index.md").write_text(
        f"# API reference\n\nEvery public name, by namespace.\n\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
    )


def page(path: str, module: types.ModuleType, home: dict[int, str]) -> str | None:
    """The page of a namespace, or None if all its names are documented elsewhere."""
    own: dict[str, list[str]] = {"class": [], "function": [], "data": []}
    elsewhere: list[str] = []
    for name in public_names(module):
        value = getattr(module, name)
        if isinstance(value, types.ModuleType):
            continue
        if id(value) in home:
            elsewhere.append(f"`{name}` ({{py:obj}}`{home[id(value)]}`)")
            continue
        home[id(value)] = f"{path}.{name}"
        own["class" if inspect.isclass(value) else "function" if callable(value) else "data"].append(name)
    if not any(own.values()):
        return None
    lines = [f"# {path}", "", summary(module), ""]
    for kind, heading in (("class", "Classes"), ("function", "Functions"), ("data", "Values")):
        if own[kind]:
            directives = "\n\n".join(f".. auto{kind}:: {path}.{name}" for name in own[kind])
            lines += [f"## {heading}", "", "```{eval-rst}", directives, "```", ""]
    if elsewhere:
        lines += ["## Documented elsewhere", "", ", ".join(elsewhere) + ".", ""]
    return "\n".join(lines)


def summary(module: types.ModuleType) -> str:
    return (inspect.getdoc(module) or "").split("\n\n")[0]


def to_markup(app, what, name, obj, options, lines: list[str]) -> None:  # noqa: ANN001
    """Docstrings are plain text with code in backticks: make it reStructuredText outside of examples."""
    text = "\n".join(lines)
    text = ARGUMENTS.sub(lambda match: re.sub(r",\s+", ", ", match[0]), text)
    paragraphs = [p if p.lstrip().startswith(">>>") else escape(p) for p in text.split("\n\n")]
    lines[:] = LINK.sub(link, "\n\n".join(paragraphs)).split("\n")


def link(match: re.Match[str]) -> str:
    """A link of Markdown as one of reStructuredText, on one line."""
    return f"`{' '.join(match[1].split())} <{match[2]}>`__"


def escape(text: str) -> str:
    """Hide markup outside of code, and end code before a suffix, as in "two `Dense`s"."""
    parts = CODE.split(text)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            part = re.sub(r"([*|]|(?<=\w)_(?=\W|$))", r"\\\1", part)
            parts[i] = re.sub(r"^(?=\w)", r"\\ ", part) if i else part
    return "".join(parts)


def skip_member(app, what, name, obj, skip, options) -> bool | None:  # noqa: ANN001
    """Leave out members without a docstring, and those that scikit-learn generates."""
    return True if not getattr(obj, "__doc__", None) or name.endswith("_request") else None
