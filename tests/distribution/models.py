"""Six models and their data, small enough to run on many meshes."""

import numpy as np

import jaxkeras as jk

ROWS, BATCH, EPOCHS = 50, 16, 3  # the last batch is smaller, and divides by no number of devices
L = jk.layers


def dense():
    x = jk.Input((24,))
    h = L.Dense(32, activation="relu", kernel_regularizer="l2")(x)
    model = jk.Model(x, L.Dense(8)(h))
    model.compile(jk.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae"])
    return model, draw(24), draw(8), None


def convolutional():
    model = jk.Sequential([
        jk.Input((8, 8, 3)), L.Conv2D(8, 3, padding="same", use_bias=False), L.BatchNormalization(), L.ReLU(),
        L.MaxPooling2D(),
        L.Conv2D(16, 3), L.GlobalAveragePooling2D(), L.Dense(8, activation="softmax"),
    ])  # fmt: skip
    model.compile(jk.optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, draw(8, 8, 3), classes(8), None


def recurrent():
    model = jk.Sequential([jk.Input((6, 8)), L.LSTM(16, return_sequences=True), L.GRU(8), L.Dense(1)])
    model.compile(jk.optimizers.SGD(0.1), "mse")
    return model, draw(6, 8), draw(1), None


def transformer():
    x = jk.Input((8,), dtype="int32")
    h = L.Embedding(40, 16)(x)
    a = L.MultiHeadAttention(4, 4, dropout=0.1, use_bias=False)(L.LayerNormalization()(h), L.LayerNormalization()(h))
    h = L.Add()([h, L.Dropout(0.1)(a)])
    f = L.Dense(16)(L.Dense(32, activation="gelu")(L.LayerNormalization()(h)))
    h = L.Add()([h, L.Dropout(0.1)(f)])
    model = jk.Model(x, L.Dense(40)(h))
    loss = jk.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jk.optimizers.Adam(1e-3, epsilon=1e-3), loss, metrics=["accuracy"])
    return model, classes(40, 8), classes(40, 8), None


def outputs():
    x = jk.Input((16,))
    h = L.Dense(16, activation="tanh")(x)
    model = jk.Model(x, {"a": L.Dense(4, name="a")(h), "b": L.Dense(1, name="b", activation="sigmoid")(h)})
    model.compile(
        jk.optimizers.SGD(0.1), {"a": "mse", "b": "binary_crossentropy"}, loss_weights={"a": 1.0, "b": 0.5},
        weighted_metrics={"a": ["mae"], "b": ["accuracy"]},
    )  # fmt: skip
    weight = np.linspace(0.1, 2, ROWS).astype("float32")
    return model, draw(16), {"a": draw(4), "b": classes(2, 1)}, {"a": weight, "b": weight[::-1]}


def embedding():
    model = jk.Sequential([
        jk.Input((5,), dtype="int32"), L.Embedding(64, 8), L.GlobalAveragePooling1D(), L.Dense(8, activation="softmax")
    ])  # fmt: skip
    model.compile(jk.optimizers.SGD(0.5), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, classes(64, 5), classes(8), None


MODELS = [dense, convolutional, recurrent, transformer, outputs, embedding]


def draw(*shape):
    return np.random.default_rng(len(shape)).normal(size=(ROWS, *shape)).astype("float32")


def classes(n, *shape):
    return np.random.default_rng(n).integers(0, n, (ROWS, *shape)).astype("int32")


def train(make, distribution, all_modes=True):
    """Fit, and in all modes evaluate and predict; returns all numbers, and the counts of programs after each epoch."""
    jk.distribution.set_distribution(distribution)
    jk.utils.set_random_seed(3)
    model, x, y, weight = make()
    counts = []
    counter = jk.callbacks.LambdaCallback(on_epoch_end=lambda *_: counts.append(programs(model)))
    history = model.fit(x, y, BATCH, EPOCHS, 0, [counter], sample_weight=weight)
    numbers = [np.array(v) for v in history.history.values()]
    if all_modes:
        numbers.append(np.array(model.evaluate(x, y, BATCH, 0, sample_weight=weight)))
        predicted = model.predict(x, BATCH, 0)
        numbers += list(predicted.values()) if isinstance(predicted, dict) else [predicted]
    numbers += [np.asarray(w) for w in model.get_weights()]
    return model, numbers, counts


def programs(model):
    return model._session.train.count


def difference(a, b):
    """The largest difference of two lists of arrays in the Euclidean norm, relative to that of the array, or to 0.1."""
    return max(float(np.linalg.norm(p - q) / max(0.1, np.linalg.norm(p))) for p, q in zip(a, b, strict=True))
