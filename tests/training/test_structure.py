"""Custom loops over `train_on_batch`: changes to the model between two batches take effect."""

import numpy as np
import pytest

import jaxkeras as jk

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


class Net(jk.Model):
    def __init__(self):
        super().__init__()
        self.first = jk.layers.Dense(3)
        self.last = jk.layers.Dense(1)
        self.middle = None
        self.more = []

    def call(self, x):
        for layer in [self.first, self.middle, *self.more, self.last]:
            x = x if layer is None else layer(x)
        return x


def built():
    layer = jk.layers.Dense(3)
    layer.build((None, 3))
    return layer


def put(net):
    net.middle = built()


def append(net):
    net.more.append(built())


def replace(net):
    net.first = built()


def freeze(net):
    net.last.trainable = False


def freeze_one(net):
    net.first.kernel.trainable = False


def another_optimizer(net):
    net.optimizer = jk.optimizers.SGD(0.5)


def add_metric(net):
    net.extra = jk.metrics.Mean(name="extra")


CHANGES = [add_metric, put, append, replace, freeze, freeze_one, another_optimizer]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_change_between_batches_takes_effect(change):
    net = Net()
    net.compile("sgd", "mse")
    net.train_on_batch(X, Y)
    net.train_on_batch(X, Y)
    before = net._session.train
    change(net)
    kept = {v.path: (v.trainable, v.numpy()) for v in net.variables}
    net.train_on_batch(X, Y)
    assert net._session.train is not before
    for v in net.weights:
        was_trainable, value = kept[v.path]
        assert (not np.array_equal(value, v.numpy())) == was_trainable, v.path


def test_compiled_steps_are_kept_without_structural_changes():
    net = Net()
    net.compile("sgd", "mse", metrics=["mae"])
    net.train_on_batch(X, Y)
    before = net._session.train
    net.note, net.count = "another type of value", 3
    net.train_on_batch(X, Y)
    net.first.trainable = True
    net.train_on_batch(X, Y)
    assert net._session.train is before and net._session.is_current()
