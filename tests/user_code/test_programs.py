"""Longer programs as users write them for Keras 3 on JAX, with only the import changed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as keras
from jaxkeras import layers, ops

rng = np.random.default_rng(0)


# -- a generative adversarial network with a custom training step -----------------------------------------------------
class GAN(keras.Model):
    def __init__(self, discriminator, generator, latent_dim):
        super().__init__()
        self.discriminator = discriminator
        self.generator = generator
        self.latent_dim = latent_dim
        self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
        self.g_loss_tracker = keras.metrics.Mean(name="g_loss")
        self.seed_generator = keras.random.SeedGenerator(1337)
        self.built = True

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile(optimizer=g_optimizer)
        self.d_optimizer = d_optimizer
        self.g_optimizer = g_optimizer
        self.loss_fn = loss_fn
        self.jitted_step = jax.jit(self.step)  # once: every jit of a bound method recompiles
        self.d_optimizer.build(self.discriminator.trainable_variables)
        self.g_optimizer.build(self.generator.trainable_variables)

    @property
    def metrics(self):
        return [self.d_loss_tracker, self.g_loss_tracker]

    def losses_of(self, d_weights, d_state, g_weights, g_state, real, noise):
        fake, g_state = self.generator.stateless_call(g_weights, g_state, noise, training=True)
        on_real, d_state = self.discriminator.stateless_call(d_weights, d_state, real, training=True)
        on_fake, d_state = self.discriminator.stateless_call(d_weights, d_state, fake, training=True)
        d_loss = self.loss_fn(jnp.ones_like(on_real), on_real) + self.loss_fn(jnp.zeros_like(on_fake), on_fake)
        return d_loss, self.loss_fn(jnp.ones_like(on_fake), on_fake)

    def step(self, weights, real, noise):
        """Update both networks once; `weights` are the discriminator's and the generator's."""
        d_weights, g_weights = weights
        d_state = [v.value for v in self.discriminator.non_trainable_variables]
        g_state = [v.value for v in self.generator.non_trainable_variables]
        d_loss, d_grads = jax.value_and_grad(
            lambda w: self.losses_of(w, d_state, g_weights, g_state, real, noise)[0]
        )(d_weights)
        g_loss, g_grads = jax.value_and_grad(
            lambda w: self.losses_of(d_weights, d_state, w, g_state, real, noise)[1]
        )(g_weights)
        return d_loss, d_grads, g_loss, g_grads

    def train_on(self, real):
        noise = keras.random.normal((len(real), self.latent_dim), seed=self.seed_generator)
        d, g = self.discriminator.trainable_variables, self.generator.trainable_variables
        d_loss, d_grads, g_loss, g_grads = self.jitted_step(([v.value for v in d], [v.value for v in g]), real, noise)
        self.d_optimizer.apply(d_grads, d)
        self.g_optimizer.apply(g_grads, g)
        self.d_loss_tracker.update_state(d_loss)
        self.g_loss_tracker.update_state(g_loss)
        return {m.name: float(m.result()) for m in self.metrics}


def test_generative_adversarial_network():
    discriminator = keras.Sequential([keras.Input((2,)), layers.Dense(8), layers.LeakyReLU(0.2), layers.Dense(1)])
    generator = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(2)])
    gan = GAN(discriminator, generator, latent_dim=4)
    gan.compile(
        keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True)
    )
    real = (rng.normal(size=(64, 2)) * 0.1 + [3.0, -2.0]).astype("float32")
    before = generator(jnp.ones((1, 4)))
    for _ in range(60):
        gan.reset_metrics()
        logs = gan.train_on(real)
    assert set(logs) == {"d_loss", "g_loss"} and all(np.isfinite(v) for v in logs.values())
    fake = generator(keras.random.normal((64, 4), seed=1))
    assert np.linalg.norm(np.mean(np.asarray(fake), 0) - [3.0, -2.0]) < 3.2
    assert not np.allclose(before, generator(jnp.ones((1, 4))))


class Distiller(keras.Model):
    """A custom `train_step` in the form that Keras documents for JAX."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)
        self.tracker = keras.metrics.Mean(name="loss")
        self.mae = keras.metrics.MeanAbsoluteError(name="mae")

    def call(self, x):
        return self.dense(x)

    @property
    def metrics(self):
        return [self.tracker, self.mae]

    def compute_loss_and_updates(self, trainable_variables, non_trainable_variables, x, y, training=False):
        y_pred, non_trainable_variables = self.stateless_call(trainable_variables, non_trainable_variables, x)
        return jnp.mean(jnp.square(y - y_pred)), (y_pred, non_trainable_variables)

    def train_step(self, state, data):
        trainable_variables, non_trainable_variables, optimizer_variables, metrics_variables = state
        x, y = data
        grad_fn = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (loss, (y_pred, non_trainable_variables)), grads = grad_fn(
            trainable_variables, non_trainable_variables, x, y, training=True
        )
        trainable_variables, optimizer_variables = self.optimizer.stateless_apply(
            optimizer_variables, grads, trainable_variables
        )
        count = len(self.tracker.variables)
        loss_vars = self.tracker.stateless_update_state(metrics_variables[:count], loss)
        mae_vars = self.mae.stateless_update_state(metrics_variables[count:], y, y_pred)
        logs = {"loss": self.tracker.stateless_result(loss_vars), "mae": self.mae.stateless_result(mae_vars)}
        return logs, (trainable_variables, non_trainable_variables, optimizer_variables, loss_vars + mae_vars)


def test_custom_train_step():
    model = Distiller()
    model.compile(optimizer=keras.optimizers.Adam(0.05))
    x = rng.random((64, 4)).astype("float32")
    history = model.fit(x, x.sum(1, keepdims=True), epochs=10, verbose=0).history
    assert set(history) == {"loss", "mae"}
    assert history["loss"][-1] < history["loss"][0] / 2


# -- a variational autoencoder ----------------------------------------------------------------------------------------
class Sampling(layers.Layer):
    """Samples the latent variable and adds its KL divergence to the loss."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        self.add_loss(-0.0005 * ops.mean(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var)))
        epsilon = keras.random.normal(shape=ops.shape(z_mean), seed=self.seed_generator)
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


def test_variational_autoencoder():
    encoder_inputs = keras.Input((8,))
    x = layers.Dense(16, activation="relu")(encoder_inputs)
    z_mean = layers.Dense(2, name="z_mean")(x)
    z_log_var = layers.Dense(2, name="z_log_var")(x)
    z = Sampling()([z_mean, z_log_var])
    encoder = keras.Model(encoder_inputs, [z_mean, z_log_var, z], name="encoder")
    latent = keras.Input((2,))
    decoder = keras.Model(latent, layers.Dense(8)(layers.Dense(16, activation="relu")(latent)), name="decoder")
    vae = keras.Model(encoder_inputs, decoder(encoder(encoder_inputs)[2]), name="vae")
    vae.compile(keras.optimizers.Adam(0.02), "mse")
    t = rng.random((128, 1)).astype("float32")
    data = np.concatenate([np.sin(3 * t + k) for k in range(8)], 1)
    history = vae.fit(data, data, epochs=30, batch_size=32, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 3
    assert decoder.predict(np.zeros((3, 2)), verbose=0).shape == (3, 8)
    assert [y.shape for y in encoder.predict(data, verbose=0)] == [(128, 2)] * 3


# -- sequence to sequence with states ---------------------------------------------------------------------------------
def test_sequence_to_sequence():
    tokens, latent_dim = 6, 24
    encoder_inputs = keras.Input((None, tokens))
    _, state_h, state_c = layers.LSTM(latent_dim, return_state=True)(encoder_inputs)
    decoder_inputs = keras.Input((None, tokens))
    decoder_lstm = layers.LSTM(latent_dim, return_sequences=True, return_state=True)
    decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=[state_h, state_c])
    decoder_dense = layers.Dense(tokens, activation="softmax")
    model = keras.Model([encoder_inputs, decoder_inputs], decoder_dense(decoder_outputs))
    model.compile(keras.optimizers.Adam(0.02), "categorical_crossentropy", metrics=["accuracy"])
    source = rng.integers(1, tokens, (64, 4))
    target = source[:, ::-1]
    shifted = np.concatenate([np.zeros((64, 1), int), target[:, :-1]], 1)
    one_hot = np.eye(tokens, dtype="float32")
    history = model.fit([one_hot[source], one_hot[shifted]], one_hot[target], epochs=30, batch_size=32, verbose=0)
    assert history.history["loss"][-1] < 0.8 * history.history["loss"][0]

    # Encoder and decoder for inference, built from the trained layers.
    encoder_model = keras.Model(encoder_inputs, [state_h, state_c])
    h, c = keras.Input((latent_dim,)), keras.Input((latent_dim,))
    outputs, new_h, new_c = decoder_lstm(decoder_inputs, initial_state=[h, c])
    decoder_model = keras.Model([decoder_inputs, h, c], [decoder_dense(outputs), new_h, new_c])
    states = encoder_model.predict(one_hot[source[:1]], verbose=0)
    token, decoded = np.zeros((1, 1), int), []
    for _ in range(4):
        probabilities, *states = decoder_model.predict([one_hot[token], *states], verbose=0)
        token = probabilities[:, -1:].argmax(-1)
        decoded.append(int(token[0, 0]))
    teacher = model.predict([one_hot[source[:1]], one_hot[np.array([[0, *decoded[:-1]]])]], verbose=0)
    assert teacher.argmax(-1)[0].tolist() == decoded


# -- a transformer with custom layers and masks -----------------------------------------------------------------------
class TokenAndPositionEmbedding(layers.Layer):
    def __init__(self, maxlen, vocab_size, embed_dim):
        super().__init__()
        self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim, mask_zero=True)
        self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

    def call(self, x):
        positions = ops.arange(0, ops.shape(x)[-1], 1)
        return self.token_emb(x) + self.pos_emb(positions)

    def compute_mask(self, x, mask=None):
        return self.token_emb.compute_mask(x)


class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):
        super().__init__()
        self.supports_masking = True
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)

    def call(self, inputs, mask=None):
        attention_mask = None if mask is None else mask[:, None, :]
        attn_output = self.dropout1(self.att(inputs, inputs, attention_mask=attention_mask))
        out1 = self.layernorm1(inputs + attn_output)
        return self.layernorm2(out1 + self.dropout2(self.ffn(out1)))


@pytest.mark.filterwarnings("ignore:.*does not support masking.*")
def test_transformer_classifier():
    inputs = keras.Input((6,), dtype="int32")
    embedding = TokenAndPositionEmbedding(6, 12, 8)
    embedding.supports_masking = True
    x = embedding(inputs)
    x = TransformerBlock(8, 2, 16)(x)
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Dropout(0.1)(x)))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    # Own random rows, independent of earlier tests; enough epochs for any initialization; no dropout in the checks.
    x = np.random.default_rng(0).integers(1, 12, (96, 6))
    x[::3, 4:] = 0
    y = (x == 5).any(1).astype("int32")
    model.fit(x, y, epochs=40, batch_size=32, verbose=0)
    assert model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"] > 0.9
    # Padding is masked: the embedding of id 0 does not affect the output.
    padded = np.array([[5, 7, 2, 0, 0, 0]])
    before = model.predict(padded, verbose=0)
    table = embedding.token_emb.embeddings
    table.assign(table.value.at[0].add(10.0))
    np.testing.assert_allclose(model.predict(padded, verbose=0), before, rtol=1e-4)


# -- shared weights ---------------------------------------------------------------------------------------------------
def test_siamese_network():
    shared = keras.Sequential([keras.Input((4,)), layers.Dense(16, activation="relu"), layers.Dense(4)])
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    distance = layers.Lambda(lambda t: ops.sqrt(ops.sum(ops.square(t[0] - t[1]), axis=1, keepdims=True) + 1e-6))
    # A larger distance means less similar; with the opposite initial sign, training would first have to flip it.
    head = layers.Dense(1, activation="sigmoid", kernel_initializer=keras.initializers.Constant(-1.0))
    model = keras.Model([a, b], head(distance([shared(a), shared(b)])))
    assert len(model.trainable_variables) == 6
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    x = rng.normal(size=(128, 4)).astype("float32")
    same = rng.integers(0, 2, 128)
    other = np.where(same[:, None] == 1, x + 0.05, -x)
    history = model.fit({"a": x, "b": other}, same, epochs=20, batch_size=32, verbose=0).history
    assert history["accuracy"][-1] > 0.9


# -- transfer learning ------------------------------------------------------------------------------------------------
def test_transfer_learning():
    base = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
        ]
    )
    base.trainable = False
    inputs = keras.Input((8, 8, 1))
    outputs = layers.Dense(1, name="head")(layers.Dropout(0.1)(base(inputs, training=False)))
    model = keras.Model(inputs, outputs)
    assert [v.path for v in model.trainable_variables] == ["head/kernel", "head/bias"]
    x, y = rng.random((32, 8, 8, 1)), rng.integers(0, 2, (32, 1))
    frozen = base.get_weights()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)])
    head = model.get_layer("head").get_weights()
    model.fit(x, y, epochs=2, verbose=0)
    for before, after in zip(frozen, base.get_weights()):
        np.testing.assert_array_equal(before, after)
    assert not np.allclose(head[0], model.get_layer("head").get_weights()[0])

    base.trainable = True
    model.compile(keras.optimizers.Adam(1e-2), loss)
    assert len(model.trainable_variables) == 6
    model.fit(x, y, epochs=2, verbose=0)
    names = [v.path.split("/")[-1] for v in base.weights]
    changed = {n: not np.array_equal(a, b) for n, a, b in zip(names, frozen, base.get_weights())}
    assert changed["kernel"] and changed["gamma"]


# -- a schedule and callbacks -----------------------------------------------------------------------------------------
def test_schedule_early_stopping_and_checkpoint(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(1)])
    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, decay_steps=20, decay_rate=0.5, staircase=True)
    model.compile(keras.optimizers.SGD(schedule, momentum=0.9), "mse")
    path = str(tmp_path / "best.keras")
    x = rng.random((64, 4)).astype("float32")
    y = x.sum(1, keepdims=True)
    stop = keras.callbacks.EarlyStopping(patience=3, min_delta=1e-3, restore_best_weights=True)
    best = keras.callbacks.ModelCheckpoint(path, save_best_only=True)
    history = model.fit(
        x, y, epochs=100, validation_split=0.25, batch_size=16, callbacks=[stop, best], verbose=0
    ).history
    assert 4 < len(history["val_loss"]) < 100
    steps = 3 * len(history["loss"])
    assert int(model.optimizer.iterations) == steps
    np.testing.assert_allclose(float(model.optimizer.learning_rate), 0.05 * 0.5 ** (steps // 20), rtol=1e-5)
    loaded = keras.models.load_model(path)
    np.testing.assert_allclose(loaded.evaluate(x[48:], y[48:], verbose=0), min(history["val_loss"]), rtol=1e-4)
    assert isinstance(loaded.optimizer.get_config()["learning_rate"], dict)


# -- a hand-written training loop over lists of variables -------------------------------------------------------------
def test_hand_written_loop_over_lists_of_variables():
    inputs = keras.Input((4,))
    model = keras.Model(
        inputs, layers.Dense(3)(layers.BatchNormalization()(layers.Dense(8, activation="relu")(inputs)))
    )
    optimizer = keras.optimizers.Adam(1e-2)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    accuracy = keras.metrics.SparseCategoricalAccuracy()

    def loss_and_updates(trainable, fixed, metric_variables, x, y):
        logits, fixed = model.stateless_call(trainable, fixed, x, training=True)
        metric_variables = accuracy.stateless_update_state(metric_variables, y, logits)
        return loss_of(y, logits), (fixed, metric_variables)

    @jax.jit
    def step(state, x, y):
        trainable, fixed, optimizer_variables, metric_variables = state
        gradient = jax.value_and_grad(loss_and_updates, has_aux=True)
        (loss, (fixed, metric_variables)), grads = gradient(trainable, fixed, metric_variables, x, y)
        trainable, optimizer_variables = optimizer.stateless_apply(optimizer_variables, grads, trainable)
        return loss, (trainable, fixed, optimizer_variables, metric_variables)

    optimizer.build(model.trainable_variables)
    x = rng.normal(size=(64, 4)).astype("float32")
    y = np.argmax(x[:, :3], 1)
    state = first = (
        model.trainable_variables, model.non_trainable_variables, optimizer.variables, accuracy.variables,
    )  # fmt: skip
    losses = []
    for _ in range(20):
        loss, state = step(state, x, y)
        losses.append(float(loss))
    values = step(tuple([v.value for v in part] for part in first), x, y)[0]
    assert values == losses[0] > 1.2 * losses[-1]
    for variables, values in zip(first, state):
        for variable, value in zip(variables, values):
            variable.assign(value)
    assert int(optimizer.iterations) == 20 and accuracy.result() > 0.4
