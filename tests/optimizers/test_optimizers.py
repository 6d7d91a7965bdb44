"""Optimizers as pure functions, their Keras face, and optimizers of the user's own."""

import copy
import pickle
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.experimental.sparse import BCOO

import jaxkeras.optimizers as ours
from jaxkeras.core.names import name_scope
from jaxkeras.core.variable import Variable
from jaxkeras.optimizers import SGD, Adam, LossScaleOptimizer, MultiOptimizer, Optimizer, OptimizerMap
from jaxkeras.optimizers.optax_bridge import aliases
from jaxkeras.registry import register_keras_serializable
from tests.leaks import checking_leaks

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PARAMS = {"dense": {"kernel": jnp.arange(6.0).reshape(2, 3) / 6 + 0.1, "bias": jnp.ones(3)}}
GRADS = jax.tree.map(lambda p: 0.1 * p + 0.05, PARAMS)


class Momentum(Optimizer):
    """As a Keras user writes it."""

    def __init__(self, learning_rate=0.1, momentum=0.5, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momentums = []
        for variable in variables:
            self.momentums.append(self.add_variable_from_reference(variable, name="momentum"))
        self.total = self.add_variable((), name="total")

    def update_step(self, gradient, variable, learning_rate):
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, m * self.momentum - gradient * learning_rate)
        self.assign_add(variable, m)
        self.assign_add(self.total, jnp.sum(gradient))

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


class Clipped(Adam):
    """Changes the gradient and leaves the rest to Adam."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(jnp.sign(gradient), variable, learning_rate)


class Centralized(SGD):
    """Changes all gradients in `apply`."""

    def apply(self, grads, trainable_variables=None):
        super().apply([g - jnp.mean(g) for g in grads], trainable_variables)


def cells_of(params=PARAMS):
    made, paths = [], []
    for layer, weights in params.items():
        with name_scope(layer):
            for name in reversed(weights):  # Keras's order, not the alphabet's
                made.append(Variable(weights[name], name=name))
                paths.append((layer, name))
    return made, paths


EVERY = {
    "SGD": lambda: SGD(momentum=0.9),
    **{name: getattr(ours, name) for name in "RMSprop Adam AdamW Adagrad Adadelta Adamax Nadam Ftrl Lion".split()},
    **{name: getattr(ours, name) for name in "Adafactor Lamb Muon ScheduleFreeAdamW".split()},
    "options": lambda: Adam(clipnorm=1.0, weight_decay=0.1, use_ema=True, ema_overwrite_frequency=2,
                            gradient_accumulation_steps=2, loss_scale_factor=2.0),  # fmt: skip
    "schedule": lambda: SGD(ours.schedules.ExponentialDecay(0.1, 10, 0.9)),
    "loss scale": lambda: LossScaleOptimizer(Adam()),
    "multi": lambda: MultiOptimizer(OptimizerMap(SGD(), {".*kernel": Adam()})),
    "optax": lambda: ours.get(optax.adam(0.1)),
    "adabelief": lambda: ours.get("adabelief"),
    "user's": Momentum,
    "user's on Adam": Clipped,
    "user's apply": Centralized,
}  # fmt: skip


def assert_close(a, b, **tolerance):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **{"rtol": 1e-6, "atol": 1e-7, **tolerance}), a, b)


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY.keys())
def test_pure_under_every_transformation(make):
    optimizer = make()
    with checking_leaks():
        state = optimizer.init(PARAMS)
        new = jax.eval_shape(optimizer.update, GRADS, state, PARAMS)
    same = lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype)  # noqa: E731
    assert jax.tree.all(jax.tree.map(same, new, (PARAMS, state)))

    def three_steps(params, state):
        step = lambda carry, _: (optimizer.update(GRADS, carry[1], carry[0]), None)  # noqa: E731
        return jax.lax.scan(step, (params, state), None, length=3)[0]

    assert jax.tree.all(jax.tree.map(same, jax.eval_shape(three_steps, PARAMS, state), (PARAMS, state)))
    stack = lambda tree: jax.tree.map(lambda x: jnp.stack([x, x]), tree)  # noqa: E731
    batched = jax.eval_shape(jax.vmap(optimizer.update), stack(GRADS), stack(state), stack(PARAMS))
    assert jax.tree.all(jax.tree.map(same, batched, stack((PARAMS, state))))
    assert jax.tree.structure(jax.eval_shape(optimizer.init, PARAMS)) == jax.tree.structure(state)


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY.keys())
def test_cells_lists_and_trees_agree(make):
    cells, paths = cells_of()
    pure, optimizer = make(), make()
    optimizer.build(cells, paths)
    state = pure.init(PARAMS)
    is_cell = lambda v: isinstance(v, Variable)  # noqa: E731
    at_rest = jax.tree.map(lambda v: v.cell(), optimizer.cells, is_leaf=is_cell)
    assert_close(at_rest, state)
    assert {id(v) for v in optimizer.variables} == {id(v) for v in jax.tree.leaves(optimizer.cells, is_leaf=is_cell)}

    params, state = pure.update(GRADS, state, PARAMS)
    values = [v.cell() for v in cells]
    grads = [GRADS[layer][name] for layer, name in paths]
    trained, optimizer_variables = optimizer.stateless_apply([v.cell() for v in optimizer.variables], grads, values)
    assert_close({"/".join(p): x for p, x in zip(paths, trained)}, {"/".join(p): params[p[0]][p[1]] for p in paths})
    assert [v.cell() is value for v, value in zip(cells, values)] == [True, True]  # nothing at rest has changed
    optimizer.apply_gradients(zip(grads, cells))
    assert_close([v.cell() for v in cells], trained)
    assert_close([v.cell() for v in optimizer.variables], optimizer_variables)
    assert_close(jax.tree.map(lambda v: v.cell(), optimizer.cells, is_leaf=is_cell), state)


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY.keys())
def test_state_travels_through_lists_and_stores(make):
    cells, paths = cells_of()
    first, second = make(), make()
    first.build(cells, paths)
    first.apply([GRADS[layer][name] for layer, name in paths])
    second.build(cells, paths)
    store = {}
    first.save_own_variables(store)
    second.load_own_variables(store)
    assert_close([v.numpy() for v in second.variables], [v.numpy() for v in first.variables])
    second.set_weights([np.zeros_like(v.numpy()) for v in first.variables])
    assert not any(np.any(v.numpy()) for v in second.variables)


def jaxpr(function):
    state = {"iterations": jnp.zeros((), "int32"), "learning_rate": jnp.float32(0.1)}
    return str(jax.make_jaxpr(function)(GRADS, state, PARAMS))


def test_plain_sgd_compiles_to_what_one_writes_by_hand():
    def by_hand(grads, state, params):
        params = jax.tree.map(lambda p, g: p - state["learning_rate"] * g, params, grads)
        return params, {"iterations": state["iterations"] + 1, "learning_rate": state["learning_rate"]}

    assert jaxpr(SGD(0.1).update) == jaxpr(by_hand)


@pytest.mark.parametrize(
    "make", [lambda: Adam(0.1), lambda: ours.get("adabelief"), lambda: LossScaleOptimizer(SGD(0.1), 1.0)]
)
def test_a_new_learning_rate_does_not_retrace(make):
    optimizer, (cells, paths) = make(), cells_of()
    optimizer.build(cells, paths)
    traces = 0

    @jax.jit
    def step(grads, state, params):
        nonlocal traces
        traces += 1
        return optimizer.update(grads, state, params)

    moved = []
    for rate in (0.1, 0.01):
        optimizer.learning_rate = rate
        state = jax.tree.map(lambda v: v.cell(), optimizer.cells, is_leaf=lambda v: isinstance(v, Variable))
        params, _ = step(GRADS, state, PARAMS)
        moved.append(float(jnp.abs(params["dense"]["bias"] - PARAMS["dense"]["bias"]).max()))
    assert traces == 1
    assert moved[0] == pytest.approx(10 * moved[1], rel=1e-3)
    assert float(optimizer.learning_rate) == pytest.approx(0.01)


def test_low_precision_parameters_move():
    """Scalars are computed in float32: beta_2 would be 1 in bfloat16, and Adam would stand still."""
    params = {"w": jnp.ones(2, "bfloat16")}
    for optimizer in (Adam(0.1), ours.Nadam(0.1)):
        new, state = jax.jit(optimizer.update)(params, optimizer.init(params), params)
        assert new["w"].dtype == state["momentum"]["w"].dtype == jnp.bfloat16
        assert float(new["w"][0]) == pytest.approx(0.9, rel=2e-2)


def test_any_pytree_is_a_tree_of_parameters():
    params = (jnp.ones(2), [jnp.ones((2, 2)), {"a": jnp.ones(())}])
    optimizer = ours.Muon(exclude_layers=["1/0"])
    state = optimizer.init(params)
    assert state["velocity"][1][0] is not None
    new, _ = jax.eval_shape(optimizer.update, params, state, params)
    assert jax.tree.structure(new) == jax.tree.structure(params)


def test_missing_gradients_leave_parameters_alone():
    params, state = PARAMS, SGD(1.0).init(PARAMS)
    with pytest.warns(UserWarning, match="dense/bias"):
        new, _ = SGD(1.0).update({"dense": {"kernel": GRADS["dense"]["kernel"], "bias": None}}, state, params)
    assert_close(new["dense"]["bias"], params["dense"]["bias"])
    with pytest.raises(ValueError, match="No gradients"):
        SGD(1.0).update({"dense": {"kernel": None, "bias": None}}, state, params)


@pytest.mark.parametrize("make", [SGD, Adam, lambda: LossScaleOptimizer(SGD())])
def test_sparse_gradients_equal_dense_ones(make):
    rows = jnp.array([[0], [2]])
    gradient = BCOO((jnp.ones((2, 3)), rows), shape=(4, 3))
    params = {"w": jnp.ones((4, 3))}
    optimizer = make()
    expected = optimizer.update({"w": gradient.todense()}, optimizer.init(params), params)
    assert_close(optimizer.update({"w": gradient}, optimizer.init(params), params), expected)
    cell = Variable(params["w"], name="w")
    optimizer.apply([gradient], [cell])
    assert_close(cell.numpy(), expected[0]["w"])


def test_the_parts_of_a_multi_optimizer_are_found_by_variable():
    cells, _ = cells_of()
    optimizer = MultiOptimizer(OptimizerMap(SGD(), {".*kernel": Adam()}))
    optimizer.build(cells)
    parts = [optimizer.optimizers[optimizer._var_to_optimizer_idx[optimizer._var_key(v)]] for v in cells]
    assert [type(part) for part in parts] == [Adam if v.name == "kernel" else SGD for v in cells]


# -- learning rates -------------------------------------------------------------------------------------------------
def test_every_kind_of_learning_rate():
    for rate, expected in (
        (0.5, 0.5),
        (np.float32(0.5), 0.5),
        (1, 1.0),
        (lambda: 0.5, 0.5),
        (lambda step: 0.5 / (step + 1), 0.5),
        (optax.linear_schedule(0.5, 0.0, 10), 0.5),
        (ours.schedules.CosineDecay(0.5, 10), 0.5),
    ):
        optimizer = SGD(rate)
        assert float(optimizer.learning_rate) == expected
        state = optimizer.init(PARAMS)
        assert ("learning_rate" in state) is not callable(rate)
        new, _ = optimizer.update(PARAMS, state, PARAMS)
        assert_close(new["dense"]["bias"], (1 - expected) * PARAMS["dense"]["bias"])


def test_schedules_count_calls_inside_the_program():
    optimizer = SGD(lambda step: 1.0 / 2**step)
    state, params = optimizer.init(PARAMS), PARAMS
    ones = jax.tree.map(jnp.ones_like, params)
    for _ in range(3):
        params, state = optimizer.update(ones, state, params)
    assert_close(params["dense"]["bias"], PARAMS["dense"]["bias"] - 1.75)


def test_setting_the_learning_rate():
    optimizer = SGD(0.1)
    optimizer.learning_rate = ours.schedules.ExponentialDecay(0.2, 1, 0.5)
    assert float(optimizer.learning_rate) == pytest.approx(0.2)
    assert [v.name for v in optimizer.variables] == ["iteration"]
    with pytest.raises(TypeError, match="function of the step"):
        optimizer.learning_rate = 0.1
    for wrong in ("fast", None, True, [0.1]):
        with pytest.raises(ValueError, match="learning_rate"):
            SGD(wrong)


@register_keras_serializable()
class Halving(ours.schedules.LearningRateSchedule):
    def __init__(self, start):
        self.start = start

    def __call__(self, step):
        return self.start * 0.5**step

    def get_config(self):
        return {"start": self.start}


def test_a_schedule_of_the_users_own():
    config = Adam(Halving(0.5)).get_config()
    assert config["learning_rate"]["config"] == {"start": 0.5}
    assert float(Adam.from_config(config).learning_rate) == 0.5
    with pytest.raises(NotImplementedError, match="__call__"):
        ours.schedules.LearningRateSchedule()(0)
    with pytest.raises(ValueError, match="positive"):
        ours.schedules.CosineDecay(0.1, 0)


# -- optimizers of the user's own -------------------------------------------------------------------------------------
def test_a_keras_style_optimizer_is_pure():
    optimizer = Momentum(0.1, momentum=0.5)
    assert not optimizer.built
    state = optimizer.init(PARAMS)
    assert sorted(state) == ["iterations", "learning_rate", "momentum", "total"]
    params = PARAMS
    m = jax.tree.map(jnp.zeros_like, params)
    expected = params
    for _ in range(2):
        params, state = jax.jit(optimizer.update)(GRADS, state, params)
        m = jax.tree.map(lambda m, g: m * 0.5 - g * 0.1, m, GRADS)
        expected = jax.tree.map(jnp.add, expected, m)
    assert_close(params, expected)
    assert float(state["total"]) == pytest.approx(2 * sum(float(g.sum()) for g in jax.tree.leaves(GRADS)))
    assert not optimizer.built  # nothing has happened to it


def test_a_keras_style_optimizer_takes_the_common_options():
    options = dict(clipvalue=0.05, weight_decay=0.1, gradient_accumulation_steps=2, use_ema=True)
    mine, plain = Momentum(0.1, momentum=0.5, **options), SGD(0.1, momentum=0.5, **options)
    a, b = (PARAMS, mine.init(PARAMS)), (PARAMS, plain.init(PARAMS))
    for _ in range(4):
        a, b = mine.update(GRADS, a[1], a[0]), plain.update(GRADS, b[1], b[0])
    assert_close(a[0], b[0])
    assert_close({key: a[1][key] for key in b[1]}, b[1])


def test_a_subclass_can_lean_on_the_rule_of_its_parent():
    mine, plain = Clipped(0.1), Adam(0.1)
    ones = jax.tree.map(jnp.ones_like, GRADS)
    a, b = mine.update(GRADS, mine.init(PARAMS), PARAMS), plain.update(ones, plain.init(PARAMS), PARAMS)
    assert_close(a, b)
    optimizer = Centralized(1.0)
    new, _ = optimizer.update(GRADS, optimizer.init(PARAMS), PARAMS)
    g = GRADS["dense"]["kernel"]
    assert_close(new["dense"]["kernel"], PARAMS["dense"]["kernel"] - (g - g.mean()))


def test_variables_set_as_attributes_are_state_too():
    class Counting(Optimizer):
        def build(self, variables):
            super().build(variables)
            self.calls = Variable(3.0, trainable=False)

        def update_step(self, gradient, variable, learning_rate):
            self.assign_add(self.calls, 1.0)
            self.assign_sub(variable, learning_rate * gradient)

    optimizer = Counting(0.1)
    _, state = optimizer.update(GRADS, optimizer.init(PARAMS), PARAMS)
    assert float(state["calls"]) == 5.0


def test_what_is_missing_in_a_subclass_is_said():
    class Empty(Optimizer):
        pass

    with pytest.raises(NotImplementedError, match="update_step"):
        Empty(0.1).init(PARAMS)

    class Hasty(Optimizer):
        def __init__(self):
            self.rate = 0.1

    with pytest.raises(RuntimeError, match="super"):
        Hasty().build([])


# -- wrappers -------------------------------------------------------------------------------------------------------
def test_loss_scale_in_flight():
    optimizer = LossScaleOptimizer(SGD(1.0), initial_scale=8.0, dynamic_growth_steps=2)
    params, state = PARAMS, optimizer.init(PARAMS)
    assert float(optimizer.scale_loss(2.0, state)) == 16.0
    scaled = jax.tree.map(lambda g: 8.0 * g, GRADS)
    params, state = optimizer.update(scaled, state, params)
    assert_close(params, jax.tree.map(jnp.subtract, PARAMS, GRADS))
    skipped, state = optimizer.update(jax.tree.map(lambda g: g / 0, GRADS), state, params)
    assert_close(skipped, params)
    assert (float(state["dynamic_scale"]), int(state["inner"]["iterations"])) == (4.0, 1)
    with pytest.raises(ValueError, match="clipnorm"):
        LossScaleOptimizer(SGD(), clipnorm=1.0)


def test_multi_optimizer_gives_each_its_own():
    sgd, adam = SGD(1.0), Adam(0.1)
    optimizer = MultiOptimizer(lambda variable: adam if variable.name == "kernel" else sgd)
    new, state = optimizer.update(GRADS, optimizer.init(PARAMS), PARAMS)
    assert_close(new["dense"]["bias"], PARAMS["dense"]["bias"] - GRADS["dense"]["bias"])
    alone = Adam(0.1)
    kernel = {"kernel": PARAMS["dense"]["kernel"]}
    expected, _ = alone.update({"kernel": GRADS["dense"]["kernel"]}, alone.init(kernel), kernel)
    assert_close(new["dense"]["kernel"], expected["kernel"])
    with pytest.raises(AttributeError, match="parts"):
        optimizer.learning_rate  # noqa: B018
    with pytest.raises(ValueError, match="MultiOptimizer"):
        OptimizerMap(SGD())["a"] = optimizer
    with pytest.raises(ValueError, match="More than one"):
        OptimizerMap(SGD(), {"a.*": adam, ".*b": adam})["ab"]


def test_averages_replace_the_parameters_in_the_end():
    cells, paths = cells_of()
    optimizer = SGD(0.1, use_ema=True, ema_momentum=0.5)
    optimizer.build(cells, paths)
    for _ in range(3):
        optimizer.apply([GRADS[layer][name] for layer, name in paths])
    averages = [optimizer.cells["average"][layer][name].numpy() for layer, name in paths]
    optimizer.finalize_variable_values(cells)
    assert_close([v.numpy() for v in cells], averages)


# -- optax ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["adabelief", "yogi", "prodigy", "signum"])
def test_optax_by_name_equals_optax(name):
    optimizer = ours.get(name)
    rate = float(optimizer.learning_rate)
    tx = aliases()[name](rate)
    expected, _ = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    new, state = optimizer.update(GRADS, optimizer.init(PARAMS), PARAMS)
    assert_close(new, optax.apply_updates(PARAMS, expected))
    assert int(state["iterations"]) == 1
    again = ours.deserialize(ours.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()


def test_every_optax_name_makes_an_optimizer():
    assert {"adabelief", "adan", "lars", "fromage", "noisy_sgd", "prodigy", "schedule_free_sgd"} <= set(aliases())
    for name in aliases():
        assert isinstance(ours.get(name), Optimizer)


def test_a_transformation_of_optax():
    optimizer = ours.get(optax.chain(optax.clip_by_global_norm(1.0), optax.inject_hyperparams(optax.adamw)(0.5)))
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    state = optimizer.init(PARAMS)
    assert float(state["tx_state"][1].hyperparams["learning_rate"]) == 0.25
    with pytest.raises(AttributeError, match="inject_hyperparams"):
        ours.get(optax.sgd(0.1)).learning_rate  # noqa: B018
    with pytest.raises(ValueError, match="config"):
        ours.get(optax.sgd(0.1)).get_config()
    with pytest.raises(TypeError, match="gradient transformation"):
        ours.OptaxOptimizer("adam")


def test_the_value_of_the_loss_reaches_optax():
    optimizer = ours.get("polyak_sgd")
    _, state = optimizer.update(GRADS, optimizer.init(PARAMS), PARAMS, value=jnp.float32(1.0))
    assert int(state["iterations"]) == 1
    Adam().update(GRADS, Adam().init(PARAMS), PARAMS, value=jnp.float32(1.0))  # ignored


def test_constraints_hold_under_optax():
    cells, paths = cells_of()
    cells[0].constraint = lambda w: jnp.clip(w, 0.0, 0.5)
    optimizer = ours.get(optax.sgd(0.1))
    optimizer.build(cells, paths)
    optimizer.apply([GRADS[layer][name] for layer, name in paths])
    assert float(cells[0].numpy().max()) <= 0.5


def test_a_keras_optimizer_in_an_optax_chain():
    tx = optax.chain(optax.scale(2.0), ours.to_optax(SGD(0.5)))
    updates, _ = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    assert_close(updates, jax.tree.map(jnp.negative, GRADS), atol=1e-6)


# -- names, errors, copies ------------------------------------------------------------------------------------------
def test_get():
    assert ours.get(None) is None
    adam = Adam()
    assert ours.get(adam) is adam
    assert isinstance(ours.get(SGD), SGD)
    assert ours.get({"class_name": "adam", "config": {"learning_rate": 0.5}}).get_config()["learning_rate"] == 0.5
    with pytest.raises(ValueError, match="'adam'"):
        ours.get("addam")
    with pytest.raises(ValueError, match="'adabelief'"):
        ours.get("adabelif")
    with pytest.raises(ValueError, match="Not an optimizer: 3"):
        ours.get(3)


@pytest.mark.parametrize(
    "arguments,message",
    [
        (dict(clipnorm=1.0, clipvalue=1.0), "Only one"),
        (dict(gradient_accumulation_steps=1), "at least 2"),
        (dict(use_ema=True, ema_momentum=2.0), "ema_momentum"),
        (dict(use_ema=True, ema_overwrite_frequency=0.5), "ema_overwrite_frequency"),
        (dict(speed=1), "'speed'"),
        (dict(momentum=2.0), "momentum"),
    ],
)
def test_wrong_arguments(arguments, message):
    for optimizer in (SGD, ours.RMSprop):
        with pytest.raises(ValueError, match=message):
            optimizer(**arguments)


def test_wrong_calls():
    cells, paths = cells_of()
    optimizer = SGD(0.1)
    with pytest.raises(ValueError, match="build"):
        optimizer.apply([1.0])
    with pytest.raises(ValueError, match="built"):
        optimizer.stateless_apply([], [], [])
    optimizer.build(cells, paths)
    with pytest.raises(ValueError, match="not built with"):
        optimizer.apply([jnp.ones(2)], [Variable(jnp.ones(2), name="stranger")])
    with pytest.raises(ValueError, match="optimizer_variables"):
        optimizer.stateless_apply([], [1, 1], [1, 1])
    with pytest.warns(UserWarning, match="not loaded"):
        optimizer.load_own_variables({"0": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.apply([])  # nothing to do


def test_copies_are_independent():
    cells, paths = cells_of()
    optimizer = Adam(0.1)
    optimizer.build(cells, paths)
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        twin.learning_rate = 0.5
        assert float(optimizer.learning_rate) == pytest.approx(0.1)
        assert [v.path for v in twin.variables] == [v.path for v in optimizer.variables]
