"""The object API adds no operations: the jaxpr of a model's step equals that of a hand-written step.

Both are compared with the operations as `lax` has them: a platform's own forms are not what the API adds.
"""

import re
from unittest.mock import patch

import jax
import jax.numpy as jnp
import pytest

import jaxkeras as jk

pytestmark = pytest.mark.usefixtures("references")


@pytest.fixture
def references():
    with patch("jaxkeras.lowering.dispatch.wants_reference", lambda: True):
        yield


class Net(jk.Model):
    def __init__(self):
        super().__init__()
        self.a = jk.layers.Dense(8)
        self.norm = jk.layers.BatchNormalization()
        self.b = jk.layers.Dense(1)

    def call(self, x, training=None):
        return self.b(self.norm(jnp.tanh(self.a(x)), training=training))


def by_hand(params, state, x):
    h = jnp.tanh(jnp.matmul(x, params["a"]["kernel"]) + params["a"]["bias"])
    p, s = params["norm"], state["norm"]
    gamma, beta = p["gamma"].reshape([1, -1]), p["beta"].reshape([1, -1])
    mean, variance = jnp.mean(h, 0, keepdims=True), jnp.var(h, 0, keepdims=True)
    inverse = jax.lax.rsqrt(variance + 1e-3)
    h = (h - mean) * (inverse * gamma) + beta
    mean, variance = jnp.squeeze(mean, 0), jnp.squeeze(variance, 0)
    new = {
        "moving_mean": s["moving_mean"] * 0.99 + mean * (1 - 0.99),
        "moving_variance": s["moving_variance"] * 0.99 + variance * (1 - 0.99),
    }
    y = jnp.matmul(h, params["b"]["kernel"]) + params["b"]["bias"]
    return y, {"norm": new}


def step(forward):
    def train_step(params, state, x, y):
        def loss(params):
            prediction, new_state = forward(params, state, x)
            return jnp.mean((prediction - y) ** 2), new_state

        grads, new_state = jax.grad(loss, has_aux=True)(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, grads), new_state

    return train_step


def test_train_step_jaxpr_equals_the_hand_written_one():
    net = Net()
    params, state = net.init(0, (None, 4))
    x, y = jnp.ones((16, 4)), jnp.ones((16, 1))
    ours = jax.make_jaxpr(step(lambda p, s, x: net.apply(p, s, x, training=True)))(params, state, x, y)
    theirs = jax.make_jaxpr(step(by_hand))(params, state, x, y)
    assert str(ours) == str(theirs)
    assert "dot_general" in str(ours)  # the programs are not empty


def test_session_step_adds_only_metrics_and_the_step_counter():
    """Besides forward, backward and update, the step of `fit` has only the metrics and the step counter."""
    net = Net()
    net.compile(jk.optimizers.SGD(0.1), "mse")
    x, y = jnp.ones((16, 4)), jnp.ones((16, 1))
    net._session.refresh((x, y, None))
    ts = net._session.acquire().current
    ours = jax.make_jaxpr(net._session.train.step)(ts, (x, y, None))
    plain = jax.make_jaxpr(step(by_hand))(ts.params, ts.state, x, y)
    net._session.write_back()
    # A second mean in the loss, and the sum of the loss tracker.
    extra = {"dot_general": 0, "rsqrt": 0, "tanh": 0, "reduce_sum": 3}
    for name, more in extra.items():
        found, expected = (len(re.findall(rf"\b{name}\b", str(jaxpr))) for jaxpr in (ours, plain))
        assert 0 < expected <= found <= expected + more, (name, found, expected)
