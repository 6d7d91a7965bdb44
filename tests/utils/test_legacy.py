"""Keras's older format of configs, compared with Keras."""

import keras
import pytest

import jaxkeras as jk


class Range:
    def __init__(self, low, high=None, inner=None, function=None, name="range"):
        self.settings = {"low": low, "high": high, "inner": inner, "function": function, "name": name}

    def get_config(self):
        return self.settings

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class Plain:
    """Without `from_config`."""

    def __init__(self, size=1):
        self.size = size

    def get_config(self):
        return {"size": self.size}


def double(x):
    return 2 * x


NAMES = {"Range": Range, "Plain": Plain, "double": double}
OBJECTS = [None, double, Plain(3), Range(0, [1, 2]), Range(0, inner=Range(1, inner=Plain(2)), function=double)]


@pytest.mark.parametrize("thing", OBJECTS, ids=range(len(OBJECTS)))
def test_equals_keras(thing):
    ours, theirs = jk.utils.legacy, keras.utils.legacy
    config = ours.serialize_keras_object(thing)
    assert config == theirs.serialize_keras_object(thing)
    revived = ours.deserialize_keras_object(config, NAMES)
    again = theirs.deserialize_keras_object(theirs.serialize_keras_object(thing), NAMES, NAMES)
    assert type(revived) is type(again)
    assert ours.serialize_keras_object(revived) == config


@pytest.mark.parametrize("identifier", ["nothing", {"class_name": "nothing", "config": {}}, {"config": {}}])
def test_errors(identifier):
    with pytest.raises(ValueError):
        jk.utils.legacy.deserialize_keras_object(identifier, NAMES)
    with pytest.raises(ValueError):
        jk.utils.legacy.serialize_keras_object(3)
