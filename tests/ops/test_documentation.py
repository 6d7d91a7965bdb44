"""What an editor shows of every op and random function: a typed signature, a full docstring, public names only."""

import doctest
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from tests.cases import by_default

MODULES = {
    "ops": jk.ops, "ops.numpy": jk.ops.numpy, "ops.nn": jk.ops.nn, "ops.linalg": jk.ops.linalg,
    "ops.image": jk.ops.image, "random": jk.random, "tree": jk.tree,
}  # fmt: skip
FUNCTIONS = {
    f"{module}.{name}": getattr(MODULES[module], name)
    for module in ("ops", "ops.image", "random", "tree")
    for name in dir(MODULES[module])
    if not name.startswith("__") and inspect.isfunction(getattr(MODULES[module], name))
}
SCOPE = {"jax": jax, "jnp": jnp, "np": np, "jaxkeras": jk, "jk": jk}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# Examples that take more than half a second to compile.
SLOW = (
    "ops.image", "ops.separable_conv", "ops.space_to_depth", "ops.stft", "ops.istft", "ops.histogram", "ops.ctc_loss",
    "random.beta", "random.binomial", "random.gamma", "random.truncated_normal",
)
# These raise an error or nothing.
WITHOUT_RESULT = {"tree.assert_same_paths", "tree.assert_same_structure"}


def sections(function):
    """`{title: text}` of a docstring; the text before the first title is under `""`."""
    found, title = {"": ""}, ""
    for line in inspect.getdoc(function).splitlines():
        if line in ("Args:", "Returns:", "Raises:", "Example:", "Reference:"):
            title = line[:-1]
            assert title not in found, f"two sections {line}"
            found[title] = ""
        else:
            found[title] += line + "\n"
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_sections(name):
    found = sections(FUNCTIONS[name])
    summary = found.pop("").splitlines()
    assert summary[0].endswith(".") and (len(summary) == 1 or not summary[1])
    order = ["Args", "Returns", "Raises", "Example", "Reference"]
    assert list(found) == [title for title in order if title in found]
    assert all(text.strip() for text in found.values())
    needed = {"Args", "Example"} | ({"Returns"} if name not in WITHOUT_RESULT else {"Raises"})
    assert needed <= found.keys()
    documented = [line.split(":")[0].strip("* ") for line in found["Args"].splitlines() if line[4:5].strip()]
    assert documented == list(inspect.signature(FUNCTIONS[name]).parameters)
    assert ">>>" in found["Example"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signature_is_typed(name):
    signature = inspect.signature(FUNCTIONS[name])
    untyped = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
    assert not untyped and signature.return_annotation is not signature.empty


@pytest.mark.parametrize("name", by_default(FUNCTIONS, lambda name: not name.startswith(SLOW)))
@pytest.mark.filterwarnings("ignore")
def test_example_runs(name):
    function = FUNCTIONS[name]
    own = vars(inspect.getmodule(inspect.unwrap(function)))
    scope = {n: value for n, value in own.items() if not n.startswith("_")} | {name.split(".")[-1]: function} | SCOPE
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(function), scope, name, None, None)
    assert test.examples
    output = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=output.append)
    assert not output, "".join(output)


@pytest.mark.parametrize("module", MODULES)
def test_dir_lists_public_names_only(module):
    names = [name for name in dir(MODULES[module]) if not name.startswith("__")]
    assert set(names) == set(MODULES[module].__all__)
    for name in names:
        value = getattr(MODULES[module], name)
        assert not name.startswith("_")
        home = value.__name__ if inspect.ismodule(value) else value.__module__
        assert home.startswith("jaxkeras.")
    assert not {"jax", "jnp", "np", "op", "make_op", "as_array", "Any", "TensorLike", "public"} & set(names)
