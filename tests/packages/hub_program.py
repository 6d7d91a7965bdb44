"""A program on KerasHub that runs on whatever `keras` is, and writes what it computes to a folder.

Usage: `python hub_program.py write FOLDER NAME...`, and `python hub_program.py read FOLDER NAME...`, which writes what
models in the files there compute to `read.npz`. A name is that of a backbone, such as `Bert`.
"""

import pathlib
import sys

import keras
import keras_hub
import numpy as np

ROWS, TIME, WORDS = 3, 8, 13
DRAWS = np.random.default_rng(0)
TOKENS = DRAWS.integers(1, WORDS, (ROWS, TIME))
TEXT = {"token_ids": TOKENS, "padding_mask": np.arange(TIME) < np.array([[8], [5], [6]])}
IMAGES = DRAWS.random((2, 16, 16, 3), np.float32)

ENCODER = {
    "vocabulary_size": WORDS, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16, "dropout": 0.0,
    "max_sequence_length": TIME,
}  # fmt: skip
DECODER = {
    "vocabulary_size": WORDS, "num_layers": 2, "num_query_heads": 4, "num_key_value_heads": 2, "hidden_dim": 8,
    "intermediate_dim": 16,
}  # fmt: skip
RESNET = {
    "input_conv_filters": [64], "input_conv_kernel_sizes": [3], "stackwise_num_filters": [64, 64],
    "stackwise_num_blocks": [1, 1], "stackwise_num_strides": [1, 2], "block_type": "basic_block",
    "image_shape": (16, 16, 3),
}  # fmt: skip
VIT = {
    "image_shape": (16, 16, 3), "patch_size": (8, 8), "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 16,
    "dropout_rate": 0.0,
}  # fmt: skip
BACKBONES = {
    "Bert": (ENCODER, {**TEXT, "segment_ids": TOKENS % 2}),
    "Roberta": (ENCODER, TEXT),
    "GPT2": (ENCODER, TEXT),
    "Llama": (DECODER, TEXT),
    "Gemma": ({**DECODER, "head_dim": 4}, TEXT),
    "Mistral": ({**DECODER, "sliding_window": 3}, TEXT),
    "Qwen": (DECODER, TEXT),
    "ViT": (VIT, IMAGES),
    "ResNet": (RESNET, IMAGES),
}
TRAINED = ("GPT2", "Mistral", "Qwen")
SAMPLERS = {
    "greedy": "greedy",
    "top_k": "top_k",
    "top_k_with_seed": keras_hub.samplers.TopKSampler(k=4, seed=11, temperature=0.7),
}
PROMPT = {"token_ids": TOKENS, "padding_mask": np.arange(TIME) < np.array([[2], [3], [2]])}


def with_weights(model):
    """Give a model weights that do not depend on the library."""
    draws = np.random.default_rng(1)
    values = [draws.normal(0.0, 0.3, w.shape).astype("float32") for w in model.weights]
    model.set_weights([np.abs(v) if w.name == "moving_variance" else v for w, v in zip(model.weights, values)])
    return model


def outputs(model, inputs):
    return np.concatenate([np.ravel(y) for y in keras.tree.flatten(model.predict(inputs, verbose=0))])


def trained(name):
    """The losses of two epochs, and the weights after them."""
    settings, _ = BACKBONES[name]
    backbone = getattr(keras_hub.models, f"{name}Backbone")(**settings)
    model = with_weights(getattr(keras_hub.models, f"{name}CausalLM")(backbone=backbone))
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    weights = TEXT["padding_mask"].astype("float32")
    history = model.fit(
        TEXT, np.roll(TOKENS, -1, 1), sample_weight=weights, batch_size=2, epochs=2, verbose=0, shuffle=False
    )
    return {"losses": history.history["loss"], "after_fit": outputs(model, TEXT)}


def generated(name):
    """The tokens by every sampler, drawn twice in a row, and up to stop tokens."""
    settings, _ = BACKBONES[name]
    backbone = getattr(keras_hub.models, f"{name}Backbone")(**settings)
    model = with_weights(getattr(keras_hub.models, f"{name}CausalLM")(backbone=backbone))
    results = {}
    for key, sampler in SAMPLERS.items():
        keras.utils.set_random_seed(7)
        model.compile(sampler=sampler)
        tokens = [model.generate(dict(PROMPT), stop_token_ids=stop)["token_ids"] for stop in (None, None, (2, 5))]
        results[f"tokens_{key}"] = np.stack(tokens)
    return results


def write(folder, names):
    for name in names:
        settings, inputs = BACKBONES[name]
        model = with_weights(getattr(keras_hub.models, f"{name}Backbone")(**settings))
        results = {"weights": [f"{w.path} {w.shape}" for w in model.weights], "outputs": outputs(model, inputs)}
        model.save(folder / f"{name}.keras")
        model.save_weights(folder / f"{name}.weights.h5")
        if name in TRAINED:
            results.update(trained(name), **generated(name))
        np.savez(folder / f"{name}.npz", **results)


def read(folder, names):
    results = {}
    for name in names:
        settings, inputs = BACKBONES[name]
        results[f"{name}.keras"] = outputs(keras.models.load_model(folder / f"{name}.keras"), inputs)
        model = getattr(keras_hub.models, f"{name}Backbone")(**settings)
        model.load_weights(folder / f"{name}.weights.h5")
        results[f"{name}.weights.h5"] = outputs(model, inputs)
    np.savez(folder / "read.npz", **results)


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](pathlib.Path(sys.argv[2]), sys.argv[3:])
