"""Attention."""

from jaxkeras import layers as L
from tests.contract.row import Row

PAIR = ((2, 4, 5), (2, 3, 5))
PAIR5 = ((2, 4, 5, 3), (2, 4, 3, 3))
ROWS = [
    Row("MultiHeadAttention", lambda: L.MultiHeadAttention(2, 3), PAIR, step=2e-3),
    Row("MultiHeadAttention-dropout", lambda: L.MultiHeadAttention(2, 3, value_dim=4, dropout=0.2), PAIR),
    Row(
        "MultiHeadAttention-causal", lambda: L.MultiHeadAttention(2, 3), PAIR, step=2e-3,
        call_kwargs={"use_causal_mask": True},
    ),  # fmt: skip
    Row("MultiHeadAttention-axes", lambda: L.MultiHeadAttention(2, 3, attention_axes=(2,)), PAIR5),
    Row("GroupQueryAttention", lambda: L.GroupQueryAttention(3, 4, 2, use_gate=True), PAIR, step=2e-3),
    Row("Attention", lambda: L.Attention(use_scale=True, dropout=0.2), list(PAIR)),
    Row("Attention-concat", lambda: L.Attention(score_mode="concat"), list(PAIR)),
    Row("AdditiveAttention", lambda: L.AdditiveAttention(), list(PAIR)),
]
