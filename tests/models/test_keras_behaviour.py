"""Behaviour of models that code written for Keras relies on."""

import warnings

import numpy as np
import pytest

import jaxkeras as jk

X = np.ones((4, 3), "float32")


def two_inputs(names):
    a, b = (jk.Input((3,), name=name) for name in names)
    return jk.Model(dict(zip(names, (a, b))), jk.layers.Subtract()([a, b]))


def test_inputs_that_the_model_does_not_use_are_reported():
    model = two_inputs("ab")
    with pytest.warns(UserWarning, match=r"\['c'\] is not used"):
        model({"a": X, "b": X, "c": X})


def test_a_list_for_named_inputs_is_taken_in_order_with_a_warning():
    with pytest.warns(UserWarning, match="in this order"):
        y = two_inputs("ab")([X, 2 * X])
    np.testing.assert_allclose(y, -X)


def test_a_list_for_named_inputs_in_another_order_is_refused():
    with pytest.raises(ValueError, match="ambiguous"):
        two_inputs("ba")([X, 2 * X])


def test_inputs_by_name_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        two_inputs("ba")({"a": X, "b": X})


def test_a_loss_may_stand_alone_in_a_list():
    x = jk.Input((3,))
    model = jk.Model(x, {"p": jk.layers.Dense(1)(x), "q": jk.layers.Dense(1)(x)})
    model.compile("sgd", {"p": "mse", "q": ["mae"]})
    logs = model.evaluate(X, {"p": X[:, :1], "q": X[:, :1]}, verbose=0, return_dict=True)
    assert set(logs) == {"loss", "p_loss", "q_loss"}


def test_a_sequential_model_keeps_the_shape_that_it_was_built_for():
    model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(1)])
    model.build((None, 3))
    with pytest.raises(ValueError, match="already been configured"):
        model.build((None, 4))


def test_a_sequential_model_has_a_functional_form():
    model = jk.Sequential([jk.layers.Dense(2)])
    assert model._functional is None
    model(X)
    functional = model._functional
    assert type(functional) is jk.Model(model.input, model.output).__class__
    assert functional.layers[-1] is model.layers[0] and functional._operations == functional.operations


def test_two_variables_of_one_path_do_not_fit_into_a_state_tree():
    class Twice(jk.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = jk.layers.Dense(3, name="same"), jk.layers.Dense(3, name="same")

        def call(self, x):
            return self.b(self.a(x))

    model = Twice()
    model(X)
    with pytest.raises(ValueError, match="have the path"):
        model.get_state_tree()


def test_recursive_clones_reach_layers_of_stacks_that_are_not_built():
    def flagged(layer):
        copy = type(layer).from_config(layer.get_config())
        copy.flag = True
        return copy

    model = jk.Sequential([jk.Sequential([jk.layers.Dense(2)])])
    clone = jk.models.clone_model(model, clone_function=flagged, recursive=True)
    assert clone.layers[0].layers[0].flag


def test_clones_on_tensors_of_another_structure_are_refused():
    a, b = jk.Input((3,)), jk.Input((3,))
    model = two_inputs("ab")
    with pytest.raises(ValueError, match="same structure"):
        jk.models.clone_model(model, input_tensors=(a, b))
    assert set(jk.models.clone_model(model, input_tensors={"a": a, "b": b}).input) == {"a", "b"}


def test_a_model_from_the_middle_of_another_has_only_the_layers_behind():
    first, second = jk.layers.Dense(2), jk.layers.Dense(1)
    x = jk.Input((3,))
    hidden = first(x)
    whole = jk.Model(x, second(hidden))
    part = jk.Model(hidden, whole.output)
    assert part.layers[1:] == [second] and isinstance(part.layers[0], jk.layers.InputLayer)
    assert part.weights == second.weights
    np.testing.assert_allclose(part(first(X)), whole(X), rtol=1e-6)
    copy = jk.Model.from_config(part.get_config())
    assert [type(layer) for layer in copy.layers] == [jk.layers.InputLayer, jk.layers.Dense]


def test_a_sequential_config_without_a_name_is_refused():
    with pytest.raises(ValueError, match="must hold its `name`"):
        jk.Sequential.from_config({"layers": []})


def test_an_overridden_compile_is_not_called_when_a_model_is_loaded():
    class Own(jk.Model):
        def compile(self, **kwargs):
            super().compile(**kwargs)

    model, other = Own(), Own()
    model.compile(optimizer="sgd", loss="mse")
    with pytest.warns(UserWarning, match="`compile` of its own"):
        other.compile_from_config(model.get_compile_config())
    assert not other.compiled


@pytest.mark.parametrize("own", [True, False])
def test_training_given_to_a_layer_of_a_graph_is_kept(own):
    inputs = jk.Input((20,))
    model = jk.Model(inputs, jk.layers.Dropout(0.5, seed=1)(inputs, training=own))
    x = np.ones((4, 20), "float32")
    for y in (model(x), model(x, training=True), model(x, training=False), model.predict(x, verbose=0)):
        assert (np.asarray(y) == 0).any() == own
