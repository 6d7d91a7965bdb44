"""A fake model and a fake clock for callbacks."""

from __future__ import annotations

import io

import numpy as np


class FakeOptimizer:
    name = "sgd"

    def __init__(self, learning_rate=0.1):
        self.learning_rate = np.float32(learning_rate)


class FakeMetric:
    def __init__(self, name, direction=None):
        self.name, self._direction = name, direction


class FakeModel:
    def __init__(self, learning_rate=0.1, metrics=()):
        self.optimizer = FakeOptimizer(learning_rate)
        self.stop_training = False
        self.metrics = list(metrics)
        self.weights = [np.zeros(2)]
        self.saved = []

    def get_weights(self):
        return [w.copy() for w in self.weights]

    def set_weights(self, weights):
        self.weights = [w.copy() for w in weights]

    def save(self, path, overwrite=True):
        self.saved.append(path)

    save_weights = save


def run_epochs(callbacks, logs_per_epoch, model):
    """Call the hooks of `fit` with these logs; return the number of epochs that ran."""
    callbacks.set_model(model)
    callbacks.on_train_begin()
    done = 0
    for epoch, logs in enumerate(logs_per_epoch):
        callbacks.on_epoch_begin(epoch)
        model.weights = [np.full(2, float(epoch))]
        callbacks.on_epoch_end(epoch, dict(logs))
        done += 1
        if model.stop_training:
            break
    callbacks.on_train_end()
    return done


class Clock:
    """A `perf_counter` set by the test."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    """Standard output that claims to be a terminal and counts writes."""

    encoding = "utf-8"

    def __init__(self):
        super().__init__()
        self.writes = 0

    def isatty(self):
        return True

    def write(self, text):
        self.writes += 1
        return super().write(text)


def screen(text):
    """The lines that a terminal shows after it was sent `text`."""
    lines, row, column, i = [[]], 0, 0, 0
    while i < len(text):
        c = text[i]
        if c == "\x1b":
            i = text.index("m", i)
        elif c == "\r":
            column = 0
        elif c == "\n":
            row, column = row + 1, 0
            lines.append([])
        else:
            line = lines[row]
            line.extend(" " * (column + 1 - len(line)))
            line[column] = c
            column += 1
        i += 1
    return ["".join(line).rstrip() for line in lines]
