"""Recurrent layers and wrappers."""

from jaxkeras import layers as L
from tests.contract.row import Row

X = (2, 5, 3)
H = (2, 4)
ROWS = [
    Row("SimpleRNN", lambda: L.SimpleRNN(4), X, mask=True),
    Row("LSTM", lambda: L.LSTM(4, return_sequences=True), X, mask=True),
    Row("LSTM-state", lambda: L.LSTM(4, return_state=True, go_backwards=True), X),
    Row("LSTM-dropout", lambda: L.LSTM(4, dropout=0.2, recurrent_dropout=0.2), X),
    Row("GRU", lambda: L.GRU(4, return_sequences=True), X, mask=True),
    Row("GRU-before", lambda: L.GRU(4, reset_after=False, unroll=True), X),
    Row("RNN", lambda: L.RNN(L.GRUCell(4)), X, mask=True),
    Row("RNN-stacked", lambda: L.RNN([L.LSTMCell(4), L.GRUCell(3)], return_sequences=True), X, mask=True),
    Row("Bidirectional", lambda: L.Bidirectional(L.LSTM(4, return_sequences=True)), X, mask=True),
    Row("Bidirectional-sum", lambda: L.Bidirectional(L.GRU(4), merge_mode="sum"), X),
    Row("TimeDistributed", lambda: L.TimeDistributed(L.Dense(4)), X, mask=True),
    Row("TimeDistributed-stateful", lambda: L.TimeDistributed(L.BatchNormalization()), X),
    Row("SimpleRNNCell", lambda: L.SimpleRNNCell(4), ((2, 3), H), keras_file=False),
    Row("LSTMCell", lambda: L.LSTMCell(4), ((2, 3), [H, H]), keras_file=False),
    Row("GRUCell", lambda: L.GRUCell(4), ((2, 3), H), keras_file=False),
    Row("StackedRNNCells", lambda: L.StackedRNNCells([L.GRUCell(4), L.GRUCell(4)]), ((2, 3), [H, H]), keras_file=False),
    Row("ConvLSTM3D", lambda: L.ConvLSTM3D(2, 2), (2, 2, 3, 3, 3, 2)),
    Row("ConvLSTM2D", lambda: L.ConvLSTM2D(3, 2, dropout=0.2), (2, 3, 5, 5, 2)),
    Row("ConvLSTM1D", lambda: L.ConvLSTM1D(3, 2), (2, 3, 5, 2)),
    # On NumPy, Keras cannot mask more than one axis of features.
    Row(
        "ConvLSTM1D-mask", lambda: L.ConvLSTM1D(3, 2, padding="same", return_sequences=True), (2, 3, 5, 2), mask=True,
        keras=False,
    ),  # fmt: skip
]
