"""Embeddings, einsum, masking, functions and activations."""

from jaxkeras import layers as L
from jaxkeras.registry import register_keras_serializable
from tests.contract.row import Row


@register_keras_serializable("contract")
def twice(x):
    return 2 * x


ROWS = [
    Row("Dense", lambda: L.Dense(4, activation="gelu"), (2, 3)),
    Row("Dense-deep", lambda: L.Dense(3, use_bias=False), (2, 3, 4)),
    Row("Dense-lora", lambda: L.Dense(4, lora_rank=2), (2, 3), step=1e-3),
    Row("Activation", lambda: L.Activation("tanh"), (2, 3)),
    Row("Identity", lambda: L.Identity(), (2, 3)),
    Row("Masking", lambda: L.Masking(), (2, 3, 2)),
    Row("Lambda", lambda: L.Lambda(twice), (2, 3), keras=False, keras_file=False),
    Row("Embedding", lambda: L.Embedding(5, 3), (2, 4), dtype="int32"),
    Row("Embedding-mask_zero", lambda: L.Embedding(5, 3, mask_zero=True), (2, 4), dtype="int32"),
    Row("Embedding-lora", lambda: L.Embedding(5, 3, lora_rank=2), (2, 4), dtype="int32", step=1e-3),
    Row("ReversibleEmbedding", lambda: L.ReversibleEmbedding(5, 3), (2, 4), dtype="int32"),
    Row("EinsumDense", lambda: L.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d", activation="relu"), (2, 4, 5)),
    Row("EinsumDense-elided", lambda: L.EinsumDense("...x,xy->...y", 3, lora_rank=2), (2, 4, 5), step=1e-3),
    Row("ReLU", lambda: L.ReLU(6.0, 0.1, 0.2), (2, 3)),
    Row("LeakyReLU", lambda: L.LeakyReLU(), (2, 3)),
    Row("PReLU", lambda: L.PReLU(shared_axes=[1]), (2, 3, 4)),
    Row("ELU", lambda: L.ELU(0.5), (2, 3)),
    Row("Softmax", lambda: L.Softmax(), (2, 3)),
    Row("Softmax-mask", lambda: L.Softmax(), (2, 3), mask=True),
]
