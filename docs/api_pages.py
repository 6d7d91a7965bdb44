"""Pages of the API reference: one for each public namespace, from the docstrings of its names."""

import inspect
import pathlib
import re
import shutil
import types

import jaxkeras

# Names of arguments that share a description, over several lines.
ARGUMENTS = re.compile(r"^ +\*{0,2}\w+(?:,\s+\*{0,2}\w+)+: ", re.M)
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
    """Write the pages, and `index.md` with the list of them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    home: dict[int, str] = {}  # where an object is documented; other namespaces refer to it
    modules = namespaces()
    # A name is documented in the most specific namespace, so the package itself comes last.
    for module in reversed(modules.values()):
        for name in public_names(module):
            home[id(getattr(module, name))] = ""
    for path, module in [*list(modules.items())[1:], ("jaxkeras", jaxkeras)]:
        (folder / f"{path}.md").write_text(page(path, module, home))
    entries = "\n".join(modules)
    (folder / "index.md").write_text(
        f"# API reference\n\nEvery public name, by namespace.\n\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
    )


def page(path: str, module: types.ModuleType, home: dict[int, str]) -> str:
    """The page of a namespace."""
    lines = [f"# {path}", "", summary(module), ""]
    aliases: list[str] = []
    own: list[tuple[str, str]] = []
    for name in public_names(module):
        value = getattr(module, name)
        if isinstance(value, types.ModuleType):
            continue
        known = home.get(id(value))
        if known and known != f"{path}.{name}":
            aliases.append(f"`{name}` ({{py:obj}}`{known}`)")
            continue
        home[id(value)] = f"{path}.{name}"
        kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
        own.append((kind, f"{path}.{name}"))
    for heading, kinds in (("Classes", ["class"]), ("Functions", ["function"]), ("Values", ["data"])):
        chosen = [(kind, name) for kind, name in own if kind in kinds]
        if chosen:
            lines += [f"## {heading}", "", "```{eval-rst}"]
            for kind, name in chosen:
                lines += [f".. auto{kind}:: {name}", ""]
            lines += ["```", ""]
    if aliases:
        lines += ["## Documented elsewhere", "", ", ".join(aliases) + ".", ""]
    return "\n".join(lines)


def summary(module: types.ModuleType) -> str:
    return (inspect.getdoc(module) or "").split("\n\n")[0]


def to_markup(app, what, name, obj, options, lines: list[str]) -> None:  # noqa: ANN001
    """Docstrings are plain text with code in backticks: make it reStructuredText outside of examples."""
    text = "\n".join(lines)
    text = ARGUMENTS.sub(lambda match: re.sub(r",\s+", ", ", match[0]), text)
    paragraphs = text.split("\n\n")
    lines[:] = "\n\n".join(p if p.lstrip().startswith(">>>") else escape(p) for p in paragraphs).split("\n")


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
