"""Every optimizer and option against the installed Keras: numbers, order and names of variables, configs."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras.optimizers as ours
from jaxkeras.core.names import name_scope
from jaxkeras.core.variable import Variable

keras = pytest.importorskip("keras")
theirs = keras.optimizers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHAPES = {"dense/kernel": (3, 4), "dense/bias": (4,), "embedding/embeddings": (5, 2), "conv/kernel": (2, 3, 4)}
STEPS = 6


def case(name, **kwargs):
    options = ",".join(f"{key}={value}" for key, value in kwargs.items())
    return pytest.param(lambda module: getattr(module, name)(**kwargs), id=f"{name}({options})")


def built(label, make):
    return pytest.param(make, id=label)


NAMES = (
    "SGD RMSprop Adam AdamW Adagrad Adadelta Adamax Nadam Ftrl Lion Adafactor Lamb Muon ScheduleFreeAdamW"
).split()
CASES = [
    *(case(name, learning_rate=0.1) for name in NAMES),
    case("SGD", momentum=0.9),
    case("SGD", momentum=0.9, nesterov=True),
    case("RMSprop", centered=True, learning_rate=0.01),
    case("RMSprop", momentum=0.9, centered=True, rho=0.8),
    case("Adam", amsgrad=True, beta_1=0.5, epsilon=1e-3),
    case("AdamW", weight_decay=0.1, learning_rate=0.1),
    case("Adagrad", initial_accumulator_value=0.0, epsilon=1e-3),
    case("Ftrl", l1_regularization_strength=0.1, l2_regularization_strength=0.2, learning_rate=0.1),
    case("Ftrl", l2_shrinkage_regularization_strength=0.1, beta=0.5, learning_rate_power=-0.3),
    case("Adafactor", relative_step=False, clip_threshold=0.5),
    case("Muon", nesterov=False, rms_rate=None, exclude_layers=["dense"], adam_lr_ratio=0.5),
    case("Muon", exclude_embeddings=False, weight_decay=0.1, ns_steps=3),
    case("ScheduleFreeAdamW", warmup_steps=4),
    case("SGD", clipnorm=0.5),
    case("SGD", clipvalue=0.5),
    case("SGD", global_clipnorm=0.5),
    case("SGD", clipnorm=-0.5),
    case("SGD", clipvalue=-0.5),
    case("SGD", weight_decay=0.1, learning_rate=0.1),
    case("Adam", use_ema=True, ema_momentum=0.8, learning_rate=0.1),
    case("SGD", use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=2),
    case("Adam", loss_scale_factor=16.0),
    case("SGD", gradient_accumulation_steps=2, momentum=0.5),
    case("Adam", gradient_accumulation_steps=4, clipnorm=1.0, weight_decay=0.1),
    case("Nadam", gradient_accumulation_steps=3),
    case("Adam", gradient_accumulation_steps=2, use_ema=True, amsgrad=True, ema_overwrite_frequency=2),
    built("Adam(cosine)", lambda m: m.Adam(m.schedules.CosineDecay(0.1, 4, warmup_target=0.2, warmup_steps=2))),
    built("Adafactor(schedule)", lambda m: m.Adafactor(m.schedules.ExponentialDecay(0.1, 2, 0.5))),
    built(
        "MultiOptimizer",
        lambda m: m.MultiOptimizer(m.OptimizerMap(m.SGD(0.1, momentum=0.9), {"conv/.*": m.Adam(), "x": m.Lion()})),
    ),
    built("LossScaleOptimizer", lambda m: m.LossScaleOptimizer(m.Adam(0.1), initial_scale=4.0, dynamic_growth_steps=2)),
]
# Ten matrix products in a row; differences of large powers.
LOOSE = {"Muon": {"rtol": 1e-4, "atol": 1e-6}, "Ftrl": {"rtol": 1e-4, "atol": 1e-7}}


def start(rng):
    return {path: rng.normal(size=shape).astype("float32") for path, shape in SHAPES.items()}


def gradients(rng, scale=1.0):
    """From 1e-8 to 1e3, as in the corners of real training."""
    return {
        path: (scale * rng.choice([-1, 1], shape) * 10 ** rng.uniform(-8, 3, shape)).astype("float32")
        for path, shape in SHAPES.items()
    }


def variables(values, make, scope):
    made = []
    for path, value in values.items():
        layer, name = path.split("/")
        with scope(layer):
            made.append(make(value, name=name))
    return made


def tree(values):
    nested = {}
    for path, value in values.items():
        layer, name = path.split("/")
        nested.setdefault(layer, {})[name] = jnp.asarray(value)
    return nested


PATHS = [tuple(path.split("/")) for path in SHAPES]


def without_registered_names(config):
    """Of built-in classes; nothing reads them."""
    if not isinstance(config, dict):
        return config
    return {key: without_registered_names(value) for key, value in config.items() if key != "registered_name"}


def rebuild(make):
    keras.utils.clear_session(free_memory=False)
    return make(theirs), make(ours)


@pytest.mark.parametrize("make", CASES)
def test_same_numbers_names_and_order_as_keras(make):
    rng = np.random.default_rng(0)
    values, grads = start(rng), [gradients(rng, 4.0) for _ in range(STEPS)]
    reference, optimizer = rebuild(make)
    expected = variables(values, keras.Variable, keras.name_scope)
    reference.build(expected)
    cells = variables(values, Variable, name_scope)
    optimizer.build(cells, PATHS)

    known_odd = ("u_product",)  # Keras makes it without a name
    odd_scope = type(optimizer).__name__ == "Adafactor"  # and the unused variables of vectors outside the scope
    assert [v.shape for v in optimizer.variables] == [tuple(v.shape) for v in reference.variables]
    assert [str(v.dtype) for v in optimizer.variables] == [str(v.dtype) for v in reference.variables]
    for mine, other in zip(optimizer.variables, reference.variables):
        if mine.name not in known_odd:
            assert mine.name == other.name
            assert mine.path == other.path or odd_scope
        np.testing.assert_allclose(mine.numpy(), other.numpy())

    params = tree(values)
    state = optimizer.init(params)
    at_rest = jax.tree.map(lambda v: v.cell(), optimizer.cells, is_leaf=lambda v: isinstance(v, Variable))
    jax.tree.map(np.testing.assert_array_equal, state, at_rest)

    for g in grads:  # not jitted: one program for each operation and shape serves all cases
        params, state = optimizer.update(tree(g), state, params)
        reference.apply([g[path] for path in SHAPES], expected)
    tolerance = LOOSE.get(type(optimizer).__name__, {"rtol": 1e-5, "atol": 1e-7})
    for v, (layer, name) in zip(expected, PATHS):
        np.testing.assert_allclose(params[layer][name], v.numpy(), **tolerance, err_msg=v.path)
    for mine, v in zip(optimizer._unpack(state), reference.variables):
        np.testing.assert_allclose(mine, v.numpy(), **tolerance, err_msg=v.path)


@pytest.mark.parametrize("make", [*CASES, *map(case, NAMES)])
def test_same_config_as_keras_and_it_restores_the_optimizer(make):
    reference, optimizer = rebuild(make)
    assert without_registered_names(ours.serialize(optimizer)) == without_registered_names(theirs.serialize(reference))
    again = ours.deserialize(ours.serialize(optimizer))
    assert type(again) is type(optimizer) and again.get_config() == optimizer.get_config()
    if type(optimizer).__name__ != "Lamb":  # which Keras cannot read
        assert theirs.deserialize(ours.serialize(optimizer)).get_config() == reference.get_config()


@pytest.mark.parametrize("name", [n for n in dir(theirs) if inspect.isclass(getattr(theirs, n)) and n != "legacy"])
def test_same_signature_as_keras(name):
    def signature(cls):
        parameters = list(inspect.signature(cls.__init__).parameters.values())
        return [(p.name, p.kind, p.default) for p in parameters]

    assert signature(getattr(ours, name)) == signature(getattr(theirs, name))


@pytest.mark.parametrize("name", [n.lower() for n in NAMES if n != "Lamb"] + ["Adam", "ADAM"])
def test_same_names_as_keras(name):
    assert type(ours.get(name)).__name__ == type(theirs.get(name)).__name__


def test_weight_decay_exclusions_match_keras():
    rng = np.random.default_rng(1)
    values, grads = start(rng), gradients(rng)
    reference, optimizer = rebuild(lambda m: m.SGD(0.1, weight_decay=0.5))
    expected = variables(values, keras.Variable, keras.name_scope)
    cells = variables(values, Variable, name_scope)
    reference.exclude_from_weight_decay(var_list=[expected[0]], var_names=["bias", "^emb"])
    optimizer.exclude_from_weight_decay(var_list=[cells[0]], var_names=["bias", "^emb"])
    reference.apply(list(grads.values()), expected)
    optimizer.apply(list(grads.values()), cells)
    for mine, other in zip(cells, expected):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-6)


def test_constraints_and_overwriting_match_keras():
    rng = np.random.default_rng(1)
    values = start(rng)
    reference, optimizer = rebuild(lambda m: m.Adam(0.1, gradient_accumulation_steps=2))
    expected = variables(values, keras.Variable, keras.name_scope)
    cells = variables(values, Variable, name_scope)
    for group in (expected, cells):
        group[0].constraint = lambda w: w * (w > 0)
        group[1].overwrite_with_gradient = True
    reference.build(expected)
    optimizer.build(cells, PATHS)
    assert [v.path for v in optimizer.variables] == [v.path for v in reference.variables]
    assert optimizer.cells["momentum"]["dense"]["bias"] is None
    for _ in range(4):
        grads = list(gradients(rng).values())
        reference.apply(grads)
        optimizer.apply(grads)
        for mine, other in zip([*cells, *optimizer.variables], [*expected, *reference.variables]):
            np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-5, atol=1e-7)


def test_loss_scale_skips_bad_steps_like_keras():
    values = start(np.random.default_rng(0))
    reference, optimizer = rebuild(lambda m: m.LossScaleOptimizer(m.SGD(0.1), initial_scale=8.0))
    expected = variables(values, keras.Variable, keras.name_scope)
    cells = variables(values, Variable, name_scope)
    grads = {path: np.full(shape, 2.0, "float32") for path, shape in SHAPES.items()}
    bad = {**grads, "dense/bias": np.full(4, np.inf, "float32")}
    for g in (grads, bad, grads):
        reference.apply(list(g.values()), expected)
        optimizer.apply(list(g.values()), cells)
    assert float(optimizer.scale_loss(1.0)) == float(reference.scale_loss(1.0)) == 4.0
    assert int(optimizer.iterations) == 2
    for mine, other in zip([*cells, *optimizer.variables], [*expected, *reference.variables]):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-6)


def test_a_keras_file_layout_loads():
    values = start(np.random.default_rng(0))
    reference, optimizer = rebuild(lambda m: m.Adam(0.1, amsgrad=True))
    expected = variables(values, keras.Variable, keras.name_scope)
    cells = variables(values, Variable, name_scope)
    reference.apply([np.ones_like(v) for v in values.values()], expected)
    store = {}
    reference.save_own_variables(store)
    optimizer.build(cells)
    optimizer.load_own_variables(store)
    again = {}
    optimizer.save_own_variables(again)
    assert list(again) == list(store)
    for key in store:
        np.testing.assert_array_equal(again[key], store[key])


SCHEDULES = [
    ("ExponentialDecay", dict(initial_learning_rate=0.1, decay_steps=7, decay_rate=0.9)),
    ("ExponentialDecay", dict(initial_learning_rate=0.1, decay_steps=7, decay_rate=0.9, staircase=True)),
    ("InverseTimeDecay", dict(initial_learning_rate=0.1, decay_steps=3, decay_rate=0.5)),
    ("InverseTimeDecay", dict(initial_learning_rate=0.1, decay_steps=3, decay_rate=0.5, staircase=True)),
    ("PiecewiseConstantDecay", dict(boundaries=[5, 9, 20], values=[1.0, 0.5, 0.25, 0.1])),
    ("PolynomialDecay", dict(initial_learning_rate=0.1, decay_steps=10)),
    ("PolynomialDecay", dict(initial_learning_rate=0.1, decay_steps=10, power=0.5, cycle=True)),
    ("CosineDecay", dict(initial_learning_rate=0.1, decay_steps=20)),
    ("CosineDecay", dict(initial_learning_rate=0.01, decay_steps=9, alpha=0.1, warmup_target=0.2, warmup_steps=5)),
    ("CosineDecayRestarts", dict(initial_learning_rate=0.1, first_decay_steps=4)),
    ("CosineDecayRestarts", dict(initial_learning_rate=0.1, first_decay_steps=4, t_mul=1.0, m_mul=0.5, alpha=0.1)),
    ("CosineDecayRestarts", dict(initial_learning_rate=0.1, first_decay_steps=5, t_mul=1.5, m_mul=0.9)),
]


@pytest.mark.parametrize("name,arguments", SCHEDULES)
def test_schedules_match_keras(name, arguments):
    mine, other = getattr(ours.schedules, name)(**arguments), getattr(theirs.schedules, name)(**arguments)
    steps = np.arange(40, dtype="int32")
    np.testing.assert_allclose(
        jax.jit(jax.vmap(mine))(steps), [np.asarray(other(step)) for step in steps], rtol=1e-5, atol=1e-8
    )
    assert mine.get_config() == other.get_config()
    config = ours.schedules.serialize(mine)
    assert without_registered_names(config) == without_registered_names(theirs.schedules.serialize(other))
    assert ours.schedules.deserialize(config).get_config() == mine.get_config()


@pytest.mark.parametrize("options", [{}, {"warmup_fraction": 0.1, "div_factor": 5.0, "final_div_factor": 9.0}], ids=str)
def test_one_cycle_matches_optax(options):
    optax = pytest.importorskip("optax")
    mine = ours.schedules.OneCycle(0.3, 40, **options)
    names = {"warmup_fraction": "pct_start", "div_factor": "div_factor", "final_div_factor": "final_div_factor"}
    other = optax.cosine_onecycle_schedule(40, 0.3, **{names[k]: v for k, v in options.items()})
    steps = np.arange(50, dtype="int32")
    np.testing.assert_allclose(jax.vmap(mine)(steps), [other(step) for step in steps], rtol=1e-5, atol=1e-8)
    again = ours.schedules.deserialize(ours.schedules.serialize(mine))
    assert type(again) is type(mine) and again.get_config() == mine.get_config()
    with pytest.raises(ValueError, match="warmup_fraction"):
        ours.schedules.OneCycle(0.3, 40, warmup_fraction=1.0)


@pytest.mark.parametrize("name", [n for n in dir(theirs.schedules) if inspect.isclass(getattr(theirs.schedules, n))])
def test_schedules_have_the_signatures_of_keras(name):
    def signature(cls):
        return [(p.name, p.default) for p in inspect.signature(cls.__init__).parameters.values()]

    assert signature(getattr(ours.schedules, name)) == signature(getattr(theirs.schedules, name))


def test_private_names_that_other_packages_read():
    values = start(np.random.default_rng(0))
    make = lambda m: m.Adam(0.5, clipnorm=1.0, weight_decay=0.1, use_ema=True, gradient_accumulation_steps=2)  # noqa: E731
    reference, optimizer = rebuild(make)
    expected = variables(values, keras.Variable, keras.name_scope)
    cells = variables(values, Variable, name_scope)
    grads = list(gradients(np.random.default_rng(1)).values())
    for mine, other in zip(optimizer._clip_gradients(grads), reference._clip_gradients(grads)):
        np.testing.assert_allclose(mine, other, rtol=1e-6)
    for one, group in ((reference, expected), (optimizer, cells)):
        one.exclude_from_weight_decay(var_names=["bias"])
        one._apply_weight_decay(group)
        for _ in range(3):
            one.apply(grads, group)
    assert [optimizer._use_weight_decay(v) for v in cells] == [reference._use_weight_decay(v) for v in expected]
    assert [v.path for v in optimizer._trainable_variables] == [v.path for v in reference._trainable_variables]
    for mine, other in zip(
        [*cells, *optimizer._model_variables_moving_average, *optimizer._accumulated_gradients],
        [*expected, *reference._model_variables_moving_average, *reference._accumulated_gradients],
    ):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-5, atol=1e-7)


def test_methods_of_muon_match_keras():
    reference, optimizer = rebuild(lambda m: m.Muon(rms_rate=0.3, exclude_layers=["conv"]))
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    np.testing.assert_allclose(optimizer.lr_adjust(x), reference.lr_adjust(x), rtol=1e-6)
    expected = reference.zeropower_via_newtonschulz5(jnp.asarray(x), 5)
    np.testing.assert_allclose(optimizer.zeropower_via_newtonschulz5(x, 5), expected, rtol=1e-4, atol=1e-6)
    cells = variables(start(np.random.default_rng(0)), Variable, name_scope)
    assert [optimizer._should_use_adamw(v) for v in cells] == [reference._should_use_adamw(v) for v in cells]


@pytest.mark.parametrize("name", NAMES)
def test_without_parameters_the_state_is_that_of_keras(name):
    reference, optimizer = rebuild(lambda m: getattr(m, name)())
    reference.build([])
    optimizer.build([])
    assert [(v.shape, v.dtype) for v in optimizer.variables] == [
        (tuple(v.shape), str(v.dtype)) for v in reference.variables
    ]
    assert optimizer.init({}).keys() == optimizer.cells.keys()
