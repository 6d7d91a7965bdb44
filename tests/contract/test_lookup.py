"""`get`, `serialize` and `deserialize` of every family: one implementation with Keras's argument names."""

import doctest
import importlib
import inspect
import pickle

import jax.numpy as jnp
import pytest

import jaxkeras

# family -> (an object, the argument of `serialize`, the first argument of `deserialize`)
FAMILIES = {
    "activations": (lambda m: m.relu, "activation", "config"),
    "constraints": (lambda m: m.MaxNorm(3), "constraint", "config"),
    "dtype_policies": (lambda m: m.DTypePolicy("mixed_bfloat16"), "dtype_policy", "config"),
    "initializers": (lambda m: m.HeNormal(seed=1), "initializer", "config"),
    "layers": (lambda m: m.ReLU(), "layer", "config"),
    "losses": (lambda m: m.Huber(2.0), "loss", "name"),
    "metrics": (lambda m: m.AUC(), "metric", "config"),
    "optimizers": (lambda m: m.SGD(0.5), "optimizer", "config"),
    "optimizers.schedules": (lambda m: m.ExponentialDecay(0.1, 2, 0.5), "learning_rate_schedule", "config"),
    "regularizers": (lambda m: m.L2(0.5), "regularizer", "config"),
}
NAMES = {f: [n for n in ("get", "serialize", "deserialize") if (f, n) != ("layers", "get")] for f in FAMILIES}


@pytest.mark.parametrize("family", FAMILIES)
def test_round_trip_by_keyword(family):
    module = importlib.import_module(f"jaxkeras.{family}")
    make, argument, config_argument = FAMILIES[family]
    made = make(module)
    config = module.serialize(**{argument: made})
    again = module.deserialize(**{config_argument: config}, custom_objects=None)
    assert type(again) is type(made) and module.serialize(again) == config == module.serialize(made)
    with pytest.raises(TypeError, match="unexpected keyword|missing a required"):
        module.serialize(something=made)
    if "get" in NAMES[family]:
        assert module.get(identifier=made) is made
        assert module.serialize(module.get(config)) == config


@pytest.mark.parametrize("family, name", [(f, n) for f, names in NAMES.items() for n in names])
def test_introspection_of_generated_functions(family, name):
    """Each function has its own signature, docstring and example, and can be pickled."""
    module = importlib.import_module(f"jaxkeras.{family}")
    function = getattr(module, name)
    _, argument, config_argument = FAMILIES[family]
    expected = {
        "get": ["identifier"], "serialize": [argument], "deserialize": [config_argument, "custom_objects"],
    }[name]  # fmt: skip
    assert list(inspect.signature(function).parameters) == expected
    assert function.__name__ == name and pickle.loads(pickle.dumps(function)) is function
    assert f"    {expected[0]}: " in function.__doc__ and "Returns:" in function.__doc__
    (test,) = doctest.DocTestFinder().find(function, name, module=False, globs={**vars(module), "jnp": jnp})
    assert test.examples
    test.globs.update({n: getattr(module, n) for n in dir(module)})
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0


def test_objects_of_another_family_raise():
    with pytest.raises(ValueError, match="Cannot use 3 as an initializer: expected a name"):
        jaxkeras.initializers.get(3)
    with pytest.raises(ValueError, match="config of L2, which is not a layer"):
        jaxkeras.layers.deserialize(jaxkeras.regularizers.serialize(jaxkeras.regularizers.L2()))
