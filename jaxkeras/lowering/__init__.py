"""Heavy operations, expressed in the form that XLA runs fastest on the target platform. Pure functions of arrays."""

from jaxkeras.lowering import table as table  # installs the forms
from jaxkeras.lowering.activations import gelu as gelu
from jaxkeras.lowering.attention import dot_product_attention as dot_product_attention
from jaxkeras.lowering.attention import softmax as softmax
from jaxkeras.lowering.convolution import conv as conv
from jaxkeras.lowering.convolution import conv_transpose as conv_transpose
from jaxkeras.lowering.convolution import depthwise_conv as depthwise_conv
from jaxkeras.lowering.convolution import separable_conv as separable_conv
from jaxkeras.lowering.hash_rng import dropout as dropout
from jaxkeras.lowering.hash_rng import dropout_mask as dropout_mask
from jaxkeras.lowering.hash_rng import normal_noise as normal_noise
from jaxkeras.lowering.matmul import dense as dense
from jaxkeras.lowering.matmul import projection as projection
from jaxkeras.lowering.normalization import batch_moments as batch_moments
from jaxkeras.lowering.normalization import batch_norm as batch_norm
from jaxkeras.lowering.normalization import layer_norm as layer_norm
from jaxkeras.lowering.pooling import average_pool as average_pool
from jaxkeras.lowering.pooling import global_average_pool as global_average_pool
from jaxkeras.lowering.pooling import max_pool as max_pool
from jaxkeras.lowering.recurrent import gru_sequence as gru_sequence
from jaxkeras.lowering.recurrent import lstm_sequence as lstm_sequence
from jaxkeras.lowering.recurrent import simple_rnn_sequence as simple_rnn_sequence
from jaxkeras.lowering.reductions import argmax as argmax
