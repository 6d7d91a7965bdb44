"""Error messages say what was given, what was expected and what to write instead."""

import jax.numpy as jnp
import pytest

import jaxkeras as jk
from jaxkeras import layers as L


def ones(*shape):
    return jnp.ones(shape)


CASES = [
    (lambda: L.Conv2D(4, 5)(ones(1, 3, 3, 2)), r"empty output.*\(5, 5\).*\(1, 3, 3, 2\).*padding='same'"),
    (lambda: L.Conv2D(4, 5)(jk.Input((3, 3, 2))), r"empty output.*\(None, 3, 3, 2\)"),
    (lambda: L.Conv2D(4, 3)(jk.Input((8, 8, None))), r"must know the size of axis -1.*Input\(shape=...\)"),
    (lambda: L.Conv2D(4, 3)(ones(1, 8, 8)), "expected min_ndim=4, found ndim=3"),
    (lambda: L.Conv2D(3, 3, groups=2), r"`groups`.*divide `filters`"),
    (lambda: L.Conv2D(4, 3, groups=2)(ones(1, 8, 8, 3)), "groups=2, which must divide them; got 3 channels"),
    (lambda: L.Conv2D(4, (3, 3, 3)), r"`kernel_size` must be an integer or 2 integers; got \(3, 3, 3\)"),
    (lambda: L.Conv2D(4, 0), "`kernel_size` must be at least 1"),
    (lambda: L.Conv2D(0, 3), "`filters` of Conv2D must be a positive integer"),
    (lambda: L.Conv2D(4, 3, strides=2, dilation_rate=2), "strides and dilation at once"),
    (lambda: L.Conv2D(4, 3, padding="causal"), "'valid' or 'same'; got 'causal'"),
    (lambda: L.Conv2D(4, 3, data_format="last"), "data_format"),
    (lambda: L.Conv2D(4, 3, activation="rleu"), "relu"),
    (lambda: L.Conv2D(4, 3, kernal_initializer="zeros"), "kernel_initializer"),
    (lambda: L.Conv2DTranspose(4, 3, strides=2, output_padding=2), "`output_padding`.*smaller than `strides`"),
    (lambda: L.DepthwiseConv2D(3, depth_multiplier=0), "`depth_multiplier`"),
    (lambda: L.MaxPooling2D(5, strides=1)(ones(1, 3, 3, 2)), r"MaxPooling2D.*does not fit.*\(1, 3, 3, 2\)"),
    (lambda: L.MaxPooling2D(2, padding="full"), "'valid' or 'same'; got 'full'"),
    (lambda: L.GlobalMaxPooling1D()(ones(2, 3)), "expected ndim=3, found ndim=2"),
    (lambda: L.AdaptiveMaxPooling2D((2, 3, 4)), "`output_size`"),
    (lambda: L.Flatten()(jnp.float32(1)), "min_ndim=1"),
    (lambda: L.Reshape((4, 4))(ones(2, 3, 4)), r"cannot make \(4, 4\).*\(2, 3, 4\).*12 elements, not 16"),
    (lambda: L.Reshape((4, 4))(jk.Input((3, 4))), r"12 elements, not 16"),
    (lambda: L.Reshape((-1, 5))(ones(2, 3, 4)), "12 elements, which 5 does not divide"),
    (lambda: L.Reshape((-1, -1)), "one -1"),
    (lambda: L.Permute((0, 1)), "numbers 1 to 2"),
    (lambda: L.RepeatVector(0), "`n` of RepeatVector must be a positive integer"),
    (lambda: L.Cropping1D(3)(ones(1, 5, 2)), r"cut 3 \+ 3 places off axis 1, which has only 5"),
    (lambda: L.Cropping2D((1, 2, 3)), "`cropping` of Cropping2D must be"),
    (lambda: L.ZeroPadding1D(-1), "`padding` must be at least 0"),
    (lambda: L.UpSampling2D(2, interpolation="biliner"), "bilinear"),
    (lambda: L.Dropout(1.5), "`rate` of Dropout must be a number from 0 to 1; got 1.5"),
    (lambda: L.Dropout(0.5, noise_shape="all"), "`noise_shape` of Dropout"),
    (lambda: L.Dropout(0.5, noise_shape=(0, 1)), "`noise_shape` of Dropout"),
    (lambda: L.BatchNormalization(axis=3)(ones(2, 3)), r"axis 3, which an input of shape \(2, 3\) does not have"),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"max": 1}), "rmin, rmax and dmax; got \\['max'\\]"),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"rmin": 2, "rmax": 1}), "rmin <= rmax"),
    (lambda: L.BatchNormalization(renorm=True, moving_variance_initializer=None)(ones(2, 3)),
     "needs a `moving_variance_initializer`"),
    (lambda: L.GroupNormalization(3)(ones(2, 4)), "divide the 4 channels"),
    (lambda: L.GroupNormalization(0), "`groups`"),
    (lambda: L.LayerNormalization(axis="last"), "`axis` of LayerNormalization"),
    (lambda: L.SpectralNormalization(L.Dense(2), 0), "`power_iterations`"),
    (lambda: L.Add()(ones(2, 3)), r"list of one or more tensors, as in Add\(\)\(\[a, b\]\)"),
    (lambda: L.Add()([ones(2, 3), ones(2, 4)]), r"shapes \[\(2, 3\), \(2, 4\)\]: .*incompatible sizes along axis 1"),
    (lambda: L.Add()([ones(2, 3), ones(3, 3)]), "different batch sizes"),
    (lambda: L.Subtract()([ones(2, 3)] * 3), "exactly 2 tensors"),
    (lambda: L.Concatenate()([ones(2, 3, 4), ones(2, 5, 4)]), r"agree on every axis but axis=-1.*\(2, 5, 4\)"),
    (lambda: L.Concatenate(axis=1)([jk.Input((3, 4)), jk.Input((5,))]), "agree on every axis"),
    (lambda: L.Concatenate(axis=2)([ones(2, 3), ones(2, 3)]), "axis=2"),
    (lambda: L.Dot(axes=0), "batch axis 0"),
    (lambda: L.Dot(axes=(1, 2, 3)), "integer or two"),
    (lambda: L.Dot(axes=1)([ones(2, 3), ones(2, 4)]), r"sums over axes \(1, 1\).*\(2, 4\)"),
    (lambda: L.Embedding(0, 2), "`input_dim` of Embedding must be a positive integer; got 0"),
    (lambda: L.Embedding(3, 2, quantization_config={"mode": "int8"}), "quantization_config.*floating point"),
    (lambda: L.EinsumDense("ab,bc", 3)(ones(2, 3)), "cannot use the equation 'ab,bc'"),
    (lambda: L.EinsumDense("abc,cd->abd", 3)(ones(2, 3, 4)), "`output_shape` of EinsumDense"),
    (lambda: L.EinsumDense("abc,cd->abd", (5, 3))(ones(2, 3, 4)), "Axis 'b'.*is 3 in the input.*but 5 in output_shape"),
    (lambda: L.EinsumDense("ab,bc->ad", 3)(ones(2, 4)), "Axis 'd'.*appears in the output"),
    (lambda: L.EinsumDense("ab,bc->ac", 3, bias_axes="d")(ones(2, 4)), "Axis 'd'.*bias_axes"),
    (lambda: L.EinsumDense("ab,bc->ac", 3)(ones(2, 4, 5)), r"does not fit an input of shape \(2, 4, 5\)"),
    (lambda: L.EinsumDense("abc,bcd->abd", (None, 3))(jk.Input((None, 4))), "must know every axis of its kernel"),
    (lambda: L.ReLU(negative_slope=-1), "`negative_slope` of ReLU"),
    (lambda: L.LeakyReLU(None), "`negative_slope` of LeakyReLU"),
    (lambda: L.PReLU()(jk.Input((None, 3))), r"shared_axes=\[1"),
    (lambda: L.Lambda("relu"), "needs a function; got 'relu'"),
    (lambda: L.Activation("rleu"), "relu"),
]


@pytest.mark.parametrize("make, message", CASES, ids=lambda value: value[:50] if isinstance(value, str) else "")
def test_message(make, message):
    with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
        make()
