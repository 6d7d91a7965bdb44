"""Parity with Keras of layers other than recurrence and attention: signature, config, weights, outputs."""

import numpy as np
import pytest

from jaxkeras import layers
from tests.layers.parity import make_input, randomize, same_layer, same_signature

keras = pytest.importorskip("keras")

L1 = {"class_name": "L1", "config": {"l1": 0.1}}
BOTH = (None, False, True)

# (layer, arguments, input shape or shapes, further arguments of `same_layer`)
CASES = [
    ("Dense", {"units": 3, "lora_rank": 2, "activation": "relu"}, (2, 5, 4), {}),
    ("Activation", {"activation": "relu"}, (2, 3), {}),
    ("Activation", {"activation": "softmax"}, (2, 3), {}),
    ("Identity", {}, (2, 3), {}),
    ("Masking", {"mask_value": 0.0}, (2, 3, 2), {}),
    ("Embedding", {"input_dim": 5, "output_dim": 3}, (2, 4), {"dtype": "int32"}),
    ("Embedding", {"input_dim": 5, "output_dim": 3, "mask_zero": True}, (2, 4), {"dtype": "int32"}),
    ("Embedding", {"input_dim": 5, "output_dim": 3, "mask_zero": True}, (2,), {"dtype": "int32"}),
    ("Embedding",
     {"input_dim": 5, "output_dim": 3, "embeddings_regularizer": "l2", "activity_regularizer": "l1"},
     (2, 4), {"dtype": "int32"}),
    ("Embedding", {"input_dim": 5, "output_dim": 3, "lora_rank": 2}, (2, 4), {"dtype": "int32"}),
    ("ReversibleEmbedding", {"input_dim": 5, "output_dim": 3, "mask_zero": True}, (2, 4), {"dtype": "int32"}),
    ("ReversibleEmbedding", {"input_dim": 5, "output_dim": 3, "tie_weights": False}, (2, 4), {"dtype": "int32"}),
    ("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 3}, (2, 4), {}),
    ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 3), "bias_axes": "d"}, (2, 5, 4), {}),
    ("EinsumDense",
     {"equation": "...x,xy->...y", "output_shape": 3, "bias_axes": "y", "activation": "tanh"},
     (2, 5, 4), {}),
    ("EinsumDense", {"equation": "ab...,bc->ac...", "output_shape": 3, "bias_axes": "c"}, (2, 4, 5), {}),
    ("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"}, (2, 5, 4), {}),
    ("EinsumDense", {"equation": "abcd,cde->abe", "output_shape": (5, 3), "bias_axes": "be"}, (2, 5, 2, 4), {}),
    ("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "lora_rank": 2}, (2, 5, 4), {}),
    ("ReLU", {}, (2, 3), {}),
    ("ReLU", {"max_value": 0.5, "negative_slope": 0.1, "threshold": 0.2}, (2, 30), {}),
    ("LeakyReLU", {"negative_slope": 0.2}, (2, 3), {}),
    ("PReLU", {}, (2, 3, 4), {}),
    ("PReLU", {"shared_axes": [1], "alpha_regularizer": L1}, (2, 3, 4), {}),
    ("ELU", {"alpha": 0.5}, (2, 3), {}),
    ("Softmax", {}, (2, 3), {}),
    ("Softmax", {"axis": (1, 2)}, (2, 3, 4), {}),
    ("Flatten", {}, (2, 3, 4), {}),
    ("Flatten", {}, (2,), {}),
    ("Flatten", {"data_format": "channels_first"}, (2, 3, 4, 5), {}),
    ("Reshape", {"target_shape": (4, 3)}, (2, 3, 4), {}),
    ("Reshape", {"target_shape": (-1, 6)}, (2, 3, 4), {}),
    ("Permute", {"dims": (2, 1)}, (2, 3, 4), {}),
    ("RepeatVector", {"n": 3}, (2, 4), {}),
    ("Cropping1D", {}, (2, 5, 3), {}),
    ("Cropping1D", {"cropping": (0, 2)}, (2, 5, 3), {}),
    ("Cropping2D", {"cropping": 1}, (2, 5, 6, 3), {}),
    ("Cropping2D", {"cropping": ((1, 0), (0, 2))}, (2, 5, 6, 3), {}),
    ("Cropping2D", {"cropping": (1, 2), "data_format": "channels_first"}, (2, 3, 5, 6), {}),
    ("Cropping3D", {"cropping": ((1, 0), (0, 2), (1, 1))}, (2, 4, 5, 6, 3), {}),
    ("ZeroPadding1D", {}, (2, 5, 3), {}),
    ("ZeroPadding1D", {"padding": (0, 2), "data_format": "channels_first"}, (2, 3, 5), {}),
    ("ZeroPadding2D", {"padding": (1, 2)}, (2, 5, 6, 3), {}),
    ("ZeroPadding2D", {"padding": ((1, 0), (0, 2)), "data_format": "channels_first"}, (2, 3, 5, 6), {}),
    ("ZeroPadding3D", {"padding": 2}, (2, 3, 4, 5, 2), {}),
    ("UpSampling1D", {"size": 3}, (2, 4, 3), {}),
    ("UpSampling2D", {"size": (1, 2)}, (2, 3, 4, 2), {}),
    ("UpSampling2D", {"size": 3, "data_format": "channels_first"}, (2, 2, 3, 4), {}),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, (2, 3, 4, 2), {}),
    ("UpSampling2D", {"interpolation": "bicubic", "data_format": "channels_first"}, (2, 2, 3, 4), {}),
    ("UpSampling2D", {"interpolation": "lanczos3"}, (2, 3, 4, 2), {}),
    ("UpSampling2D", {"interpolation": "bilinear"}, (2, 3, 4, 2), {"dtype": "int32"}),
    ("UpSampling3D", {"size": (1, 2, 3)}, (2, 2, 3, 2, 2), {}),
    ("UpSampling3D", {"data_format": "channels_first"}, (2, 2, 2, 3, 2), {}),
    ("Dropout", {"rate": 0.5, "noise_shape": (None, 1), "seed": 3}, (2, 3), {"training": (None, False)}),
    ("Dropout", {"rate": 0.0}, (2, 3), {"training": BOTH}),
    ("SpatialDropout1D", {"rate": 0.5, "seed": 3}, (2, 3, 4), {"training": (None, False)}),
    ("SpatialDropout2D", {"rate": 0.5, "data_format": "channels_first"}, (2, 3, 3, 4), {"training": (None, False)}),
    ("SpatialDropout3D", {"rate": 0.5}, (2, 3, 3, 3, 4), {"training": (None, False)}),
    ("GaussianDropout", {"rate": 0.5, "seed": 3}, (2, 3), {"training": (None, False)}),
    ("GaussianNoise", {"stddev": 0.5}, (2, 3), {"training": (None, False)}),
    ("AlphaDropout", {"rate": 0.5, "noise_shape": (2, 1)}, (2, 3), {"training": (None, False)}),
    ("ActivityRegularization", {"l1": 0.5, "l2": 0.1}, (2, 3), {}),
    ("Conv1D", {"filters": 4, "kernel_size": 3}, (2, 7, 3), {}),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, (2, 7, 3), {}),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "same", "strides": 2, "use_bias": False}, (2, 8, 3), {}),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "activation": "relu"}, (2, 6, 7, 3), {}),
    ("Conv2D", {"filters": 4, "kernel_size": (3, 2), "strides": (2, 1), "padding": "SAME"}, (2, 6, 7, 3), {}),
    ("Conv2D", {"filters": 4, "kernel_size": 2, "groups": 2, "dilation_rate": (1, 2)}, (2, 6, 7, 4), {}),
    ("Conv2D",
     {"filters": 4, "kernel_size": 3, "kernel_regularizer": L1, "bias_constraint": "non_neg"},
     (2, 4, 4, 1), {}),
    ("Conv2D", {"filters": 4, "kernel_size": 2, "groups": 2, "lora_rank": 3, "lora_alpha": 6}, (2, 4, 4, 4), {}),
    ("Conv3D", {"filters": 3, "kernel_size": 2, "strides": (1, 2, 1), "padding": "same"}, (2, 3, 4, 3, 2), {}),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2}, (2, 7, 3), {}),
    ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "strides": 2}, (2, 6, 7, 3), {}),
    ("DepthwiseConv2D", {"kernel_size": 2, "strides": 2, "dilation_rate": (1, 2)}, (2, 6, 7, 3), {}),
    ("SeparableConv1D",
     {"filters": 4, "kernel_size": 2, "strides": 2, "dilation_rate": 2, "padding": "same"},
     (2, 7, 3), {}),
    ("DepthwiseConv2D",
     {"kernel_size": 2, "depth_multiplier": 2, "dilation_rate": 2, "activation": "relu"},
     (2, 6, 7, 3), {}),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "padding": "same"}, (2, 7, 3), {}),
    ("SeparableConv2D", {"filters": 4, "kernel_size": 3, "depth_multiplier": 2}, (2, 6, 7, 3), {}),
    ("SeparableConv2D", {"filters": 4, "kernel_size": 3, "strides": 2, "use_bias": False}, (2, 6, 7, 3), {}),
    ("Conv1DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2}, (2, 5, 3), {}),
    ("Conv1DTranspose", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, (2, 5, 3), {}),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": (3, 2), "strides": 2, "padding": "same"}, (2, 3, 4, 3), {}),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "output_padding": 1}, (2, 3, 4, 3), {}),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2, "activation": "tanh"}, (2, 2, 3, 2, 3), {}),
    ("MaxPooling1D", {}, (2, 7, 3), {}),
    ("MaxPooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, (2, 7, 3), {}),
    ("MaxPooling1D", {"data_format": "Channels_First"}, (2, 3, 7), {}),
    ("MaxPooling2D", {}, (2, 6, 7, 3), {}),
    ("MaxPooling2D", {"pool_size": (3, 2), "strides": 1, "data_format": "channels_first"}, (2, 3, 6, 7), {}),
    ("MaxPooling3D", {"pool_size": (1, 2, 3)}, (2, 4, 4, 6, 2), {}),
    ("AveragePooling1D", {"pool_size": 2, "padding": "same"}, (2, 7, 3), {}),
    ("AveragePooling2D", {"pool_size": (2, 3), "strides": (1, 2), "padding": "same"}, (2, 6, 7, 3), {}),
    ("AveragePooling2D", {"pool_size": 2, "data_format": "channels_first"}, (2, 3, 6, 7), {}),
    ("AveragePooling3D", {"pool_size": 2}, (2, 4, 4, 5, 2), {}),
    ("GlobalMaxPooling1D", {}, (2, 7, 3), {}),
    ("GlobalMaxPooling2D", {"data_format": "channels_first", "keepdims": True}, (2, 3, 4, 5), {}),
    ("GlobalMaxPooling3D", {}, (2, 2, 3, 4, 2), {}),
    ("GlobalAveragePooling1D", {"keepdims": True}, (2, 7, 3), {}),
    ("GlobalAveragePooling2D", {}, (2, 4, 5, 3), {}),
    ("GlobalAveragePooling3D", {"data_format": "channels_first"}, (2, 2, 3, 4, 2), {}),
    ("AdaptiveMaxPooling1D", {"output_size": 3}, (2, 7, 3), {}),
    ("AdaptiveMaxPooling2D", {"output_size": (3, 4), "data_format": "channels_first"}, (2, 3, 6, 7), {}),
    ("AdaptiveMaxPooling3D", {"output_size": 2}, (2, 4, 5, 3, 2), {}),
    ("AdaptiveAveragePooling1D", {"output_size": 3}, (2, 7, 3), {}),
    ("AdaptiveAveragePooling2D", {"output_size": (3, 4), "data_format": "channels_first"}, (2, 3, 6, 7), {}),
    ("AdaptiveAveragePooling3D", {"output_size": 2}, (2, 4, 5, 3, 2), {}),
    ("BatchNormalization", {}, (6, 4), {"training": BOTH + (True, False)}),
    ("BatchNormalization", {"axis": 1, "momentum": 0.8, "epsilon": 0.01}, (3, 4, 5), {"training": BOTH}),
    ("BatchNormalization", {"center": False, "gamma_regularizer": L1}, (3, 4, 4, 5), {"training": BOTH}),
    ("BatchNormalization", {"scale": False, "beta_constraint": "non_neg"}, (3, 4, 4, 5), {"training": BOTH}),
    ("BatchNormalization", {"renorm": True}, (6, 4), {"training": BOTH + (True, False)}),
    ("BatchNormalization",
     {"renorm": True, "renorm_momentum": 0.5, "scale": False,
      "renorm_clipping": {"rmin": 0.5, "rmax": 2.0, "dmax": 0.3}},
     (6, 4), {"training": BOTH + (True,)}),
    ("LayerNormalization", {}, (2, 3, 4), {}),
    ("LayerNormalization", {"axis": [1, 2], "epsilon": 0.1}, (2, 3, 4), {}),
    ("LayerNormalization", {"axis": 1, "center": False}, (2, 3, 4), {}),
    ("LayerNormalization", {"scale": False}, (2, 3, 4), {}),
    ("GroupNormalization", {"groups": 2}, (2, 3, 4), {}),
    ("GroupNormalization", {"groups": -1, "center": False}, (2, 3, 3, 4), {}),
    ("GroupNormalization", {"groups": 3, "axis": 1, "scale": False}, (2, 6, 4), {}),
    ("RMSNormalization", {}, (2, 3, 4), {}),
    ("RMSNormalization", {"axis": [1, 2], "epsilon": 0.1}, (2, 3, 4), {}),
    ("UnitNormalization", {}, (2, 3), {}),
    ("UnitNormalization", {"axis": [1, 2]}, (2, 3, 4), {}),
    *[(name, {}, [(2, 3, 4)] * 2, {}) for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")],
    *[(name, {}, [(2, 3, 4), (2, 1, 4), (2, 4)], {}) for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")],
    ("Concatenate", {}, [(2, 3), (2, 4), (2, 1)], {}),
    ("Concatenate", {"axis": 1}, [(2, 3, 4), (2, 1, 4)], {}),
    ("Dot", {"axes": 1}, [(2, 3), (2, 3)], {}),
    ("Dot", {"axes": (2, 1)}, [(2, 3, 4), (2, 4, 5)], {}),
    ("Dot", {"axes": -1, "normalize": True}, [(2, 3, 4), (2, 5, 4)], {}),
]  # fmt: skip


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES} | {"Lambda", "SpectralNormalization"}))
def test_signature(name):
    same_signature(keras, name)


@pytest.mark.parametrize("name, kwargs, shape, options", CASES, ids=lambda value: str(value)[:60])
def test_layer(name, kwargs, shape, options):
    same_layer(keras, name, kwargs, shape, **options)


@pytest.mark.parametrize("name, kwargs", [("Dense", {"units": 3}), ("Conv1D", {"filters": 3, "kernel_size": 2})])
def test_spectral_normalization(name, kwargs):
    x = make_input((2, 5, 4))
    theirs = keras.layers.SpectralNormalization(getattr(keras.layers, name)(**kwargs, name="inner"), 2, name="it")
    ours = layers.SpectralNormalization(getattr(layers, name)(**kwargs, name="inner"), 2, name="it")
    theirs.build(x.shape)
    randomize(theirs)
    ours.build(x.shape)
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, tuple(w.shape)) for w in theirs.weights]
    ours.set_weights(theirs.get_weights())
    for training in (False, True, True, False):
        np.testing.assert_allclose(ours(x, training=training), theirs(x, training=training), 1e-5, 1e-6)
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, 1e-5, 1e-6)
    mine, expected = ours.get_config(), theirs.get_config()
    assert mine.pop("layer")["class_name"] == expected.pop("layer")["class_name"]
    assert mine == expected
