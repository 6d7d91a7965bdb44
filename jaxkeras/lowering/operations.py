"""The operations that have forms of their own on some platform."""

from jaxkeras.lowering import flash, reference
from jaxkeras.lowering.dispatch import Operation

conv = Operation(reference.conv, linear=True)
max_pool = Operation(reference.max_pool)
average_pool = Operation(reference.average_pool, linear=True)
global_average_pool = Operation(reference.global_average_pool)
batch_norm = Operation(reference.batch_norm)
layer_norm = Operation(reference.layer_norm)
dense_kernel_gradient = Operation(reference.dense_kernel_gradient, linear=True)
argmax = Operation(reference.argmax)
attention = Operation(reference.attention)
attention_of_any_length = Operation(reference.attention)  # no dropout; the platform may go block by block
blockwise_attention = Operation(flash.attention)  # no dropout; never the weights of all pairs at once
gelu = Operation(reference.gelu)
lstm = Operation(reference.lstm)
gru = Operation(reference.gru)
simple_rnn = Operation(reference.simple_rnn)
