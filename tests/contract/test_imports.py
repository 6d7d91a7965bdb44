"""Imports are one-directional and acyclic, heavy libraries are lazy, and only the optimizers import optax."""

import ast
import functools
import pathlib
import re
import subprocess
import sys

import jaxkeras

ROOT = pathlib.Path(jaxkeras.__file__).parent
ORDER = [
    ["core"], ["registry"], ["lookup"], ["ops"], ["lowering"], ["display"],
    ["random", "initializers", "activations", "regularizers", "constraints", "dtype_policies", "tree", "config"],
    ["quantizers"],
    ["layers"], ["losses", "metrics", "optimizers"], ["data"], ["training"], ["saving"], ["callbacks"],
    ["distribution"],
    ["models"],
    ["datasets", "utils", "wrappers", "applications", "visualization", "backend", "mixed_precision", "preprocessing",
     "distillation", "export"],
    ["alias"], ["as_keras"],
    ["cli"], ["__main__"],
]  # fmt: skip
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
# Ops and lowerings are plain functions of arrays; ops call the lowerings of heavy operations.
ALLOWED = {("ops", "lowering")}
HEAVY = {
    "h5py", "orbax", "rich", "matplotlib", "pandas", "sklearn", "grain", "tensorflow", "torch", "keras", "PIL", "optax",
    "flax", "equinox", "tensorboard", "anywidget", "traitlets",
}  # fmt: skip

# Lazily imported files whose classes inherit from a heavy library's.
IMPORTED_LATE = {"wrappers/estimators.py", "display/panel_widget.py"}

@functools.cache
def imports_of(path: pathlib.Path) -> list[tuple[str, bool]]:
    """`(imported module, whether at import time)` for every import statement."""
    return list(_imports(ast.parse(path.read_text())))


def _is_module(name: str) -> bool:
    path = ROOT.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def _imports(tree: ast.Module):
    late = {
        id(n) for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef)) for n in ast.walk(f)
    }
    typing_only = {
        id(n) for i in ast.walk(tree)
        if isinstance(i, ast.If) and "TYPE_CHECKING" in ast.dump(i.test) for n in ast.walk(i)
    }  # fmt: skip
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in late
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                own = node.module.split(".")[0] == "jaxkeras"
                is_module = own and (node.module == "jaxkeras" or _is_module(submodule))
                yield submodule if is_module else node.module, id(node) not in late


def files():
    return [p for p in ROOT.rglob("*.py") if p.parent != ROOT or p.name != "__init__.py"]


def part(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_part_is_ranked():
    assert {part(p) for p in files()} <= set(RANK), {part(p) for p in files()} - set(RANK)


def test_parts_import_only_lower_ranks():
    wrong = []
    for path in files():
        mine = part(path)
        for name, early in imports_of(path):
            if early and name.startswith("jaxkeras."):
                theirs = name.split(".")[1]
                if RANK.get(theirs, -1) > RANK[mine] and (mine, theirs) not in ALLOWED:
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


Graph = dict[str, set[str]]


def reachable(graph: Graph, start: str) -> set[str]:
    found, stack = set(), [start]
    while stack:
        for node in graph.get(stack.pop(), set()) - found:
            found.add(node)
            stack.append(node)
    return found


def cycles(graph: Graph) -> list[list[str]]:
    """The import cycles: groups of nodes that reach one another."""
    below = {node: reachable(graph, node) for node in graph}
    groups = {frozenset(n for n in below[node] if node in below.get(n, ())) for node in graph if node in below[node]}
    return sorted(map(sorted, groups))


def test_cycle_detection():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert cycles({"a": {"b", "c"}, "b": {"c"}}) == []


def test_heavy_libraries_are_imported_inside_functions():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files() if str(path.relative_to(ROOT)) not in IMPORTED_LATE
        for name, early in imports_of(path) if early and name.split(".")[0] in HEAVY
    ]  # fmt: skip
    assert not wrong, "\n".join(wrong)


def test_only_the_optimizers_import_optax():
    wrong = [
        str(p.relative_to(ROOT))
        for p in files()
        for n, _ in imports_of(p)
        if n.split(".")[0] == "optax" and part(p) != "optimizers"
    ]
    assert not wrong, wrong


def test_sparse_code_is_imported_inside_functions():
    sparse = "jax.experimental.sparse", "jaxkeras.ops._sparse"
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files() if path.parent != ROOT / "ops" / "_sparse"
        for name, early in imports_of(path) if early and name.startswith(sparse)
    ]  # fmt: skip
    assert not wrong, "\n".join(wrong)


def test_importing_the_package_loads_no_heavy_library():
    code = f"import sys, jaxkeras; print([m for m in {sorted(HEAVY)!r} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


# -- cycles, including imports inside functions ------------------------------------------------------------------------
_STUB_ROW = re.compile(r"^from (\S+) import \(?\s*(\w+) as (\w+)", re.MULTILINE)


def module_of(path: pathlib.Path) -> str:
    names = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


MODULES = {module_of(path): path for path in ROOT.rglob("*.py")}


@functools.cache
def stub_of(module: str) -> dict[str, tuple[str, str]]:
    """The names that a package imports on first use: `{name: (source module, name there)}`."""
    stub = MODULES[module].with_suffix(".pyi")
    rows = _STUB_ROW.findall(stub.read_text()) if stub.exists() else []
    return {public: (home, own) for home, own, public in rows}


def home_of(module: str, name: str) -> str:
    """The module that `from module import name` loads."""
    while f"{module}.{name}" not in MODULES:
        if name not in stub_of(module) or stub_of(module)[name][0] == module:
            return module
        module, name = stub_of(module)[name]
    return f"{module}.{name}"


@functools.cache
def imported_by(module: str) -> set[str]:
    """The library's modules imported by a module, at import time or inside a function."""
    tree = ast.parse(MODULES[module].read_text())
    typing_only = {
        id(n) for i in ast.walk(tree)
        if isinstance(i, ast.If) and "TYPE_CHECKING" in ast.dump(i.test) for n in ast.walk(i)
    }  # fmt: skip
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            found |= {home_of(node.module, alias.name) for alias in node.names}
    return found & MODULES.keys()


def test_imports_are_acyclic():
    """Imports inside functions included."""
    graph = {module: imported_by(module) - {module} for module in MODULES}
    assert sum(map(len, graph.values())) > 1000  # the graph is not empty
    assert not cycles(graph)


def test_imports_inside_functions_respect_ranks():
    wrong = [
        f"{module} imports {other}"
        for module in MODULES if "." in module
        for other in imported_by(module) if "." in other
        for mine, theirs in [(module.split(".")[1], other.split(".")[1])]
        if RANK.get(theirs, -1) > RANK.get(mine, -1) and (mine, theirs) not in ALLOWED
    ]  # fmt: skip
    assert not wrong, "\n".join(wrong)
