"""Calls of every op, one per line, over a few small arrays. Several tests read this table."""

import numpy as np

_rng = np.random.default_rng(0)


def _normal(*shape):
    return _rng.normal(size=shape).astype("float32")


ARRAYS = {
    "A": _normal(3, 4),
    "B": _normal(3, 4),
    "P": np.abs(_normal(3, 4)) + 0.1,  # positive
    "U": _rng.uniform(-0.9, 0.9, (3, 4)).astype("float32"),
    "V": _normal(4),
    "W": _normal(4),
    "Z": np.array([[0.0, 2.0, -1.0, 0.0]] * 3, "float32"),  # with zeros
    "NAN": np.where(_rng.random((3, 4)) < 0.3, np.nan, _normal(3, 4)).astype("float32"),
    "S": np.sort(_normal(6)),  # sorted
    "Q": _normal(4, 4) + 3 * np.eye(4, dtype="float32"),
    "SPD": np.eye(3, dtype="float32") * 3 + 0.5,
    "T": _normal(2, 3, 4),
    "I": _rng.integers(-9, 9, (3, 4)).astype("int32"),
    "J": _rng.integers(1, 6, (3, 4)).astype("int32"),
    "D": np.array([1, 3, 0, 3, 2], "int32"),
    "M": _rng.random((3, 4)) < 0.5,
    "CX": (_normal(3, 4) + 1j * _normal(3, 4)).astype("complex64"),
    "SIG": _normal(2, 64),
    "IMG": _rng.uniform(size=(2, 8, 10, 3)).astype("float32"),
    "IMB": _rng.uniform(size=(2, 8, 10, 3)).astype("float32"),
    "PIX": _rng.integers(0, 255, (6, 8, 3)).astype("uint8"),
    "CHW": _normal(2, 4, 6, 6),
    "X1": _normal(2, 9, 3),
    "X2": _normal(2, 7, 8, 4),
    "X3": _normal(1, 4, 5, 6, 2),
    "K1": _normal(3, 3, 5),
    "K2": _normal(3, 2, 4, 6),
    "K2G": _normal(3, 3, 2, 6),
    "KD": _normal(3, 3, 4, 2),
    "KP": _normal(1, 1, 8, 5),
    "KT": _normal(3, 3, 5, 4),
    "K3": _normal(2, 2, 2, 2, 3),
    "ATT": _normal(2, 5, 4, 8),
    "KEY": _normal(2, 6, 2, 8),
    "PROB": _rng.dirichlet(np.ones(5), size=3).astype("float32"),
    "GOLD": np.eye(5, dtype="float32")[[1, 4, 0]],
    "CLS": np.array([1, 4, 0], "int32"),
    "LOGITS": _normal(2, 6, 5),
    "LABELS": np.array([[1, 2, 2], [3, 0, 0]], "int32"),
}

# Elementwise ops that take any real array.
ELEMENTWISE = """
abs absolute angle arcsinh arctan cbrt ceil copy cos cosh deg2rad erf erfc exp exp2 expm1 fabs floor imag isfinite isinf
isnan isneginf isposinf isreal i0 logical_not negative rad2deg real reciprocal round sign signbit sin sinc sinh square
tan tanh trunc conj conjugate nan_to_num celu elu gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
leaky_relu log_sigmoid log_softmax relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus
sparse_sigmoid sparsemax squareplus swish tanh_shrink glu stop_gradient
all any amax amin argmax argmin argsort count_nonzero max mean median min prod ptp std sum var cumsum cumprod sort flip
fliplr flipud ravel transpose logsumexp corrcoef trace tril triu diag diagonal size ndim
""".split()
NAN = """
isnan nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanprod nanstd nansum nanvar nan_to_num
"""
POSITIVE = "log log10 log1p log2 sqrt rsqrt"
UNIT = "arccos arcsin arctanh erfinv"
BINARY = """
add arctan2 divide equal floor_divide fmax fmin fmod greater greater_equal heaviside hypot isclose less less_equal
logaddexp logaddexp2 logical_and logical_or logical_xor maximum minimum mod multiply nextafter not_equal subtract
true_divide divide_no_nan allclose isin append outer kron inner vdot
"""
INTEGER = """
bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor gcd lcm left_shift right_shift power mod
floor_divide multiply divide maximum
"""

OTHERS = """
nan_to_num(NAN, 1.0, 2.0, -2.0)
round(A, 2)
round(I, -1)
celu(A, 0.5)
elu(A, alpha=0.5)
gelu(A, approximate=False)
glu(A, axis=1)
leaky_relu(A, negative_slope=0.3)
hard_shrink(A, 0.2)
soft_shrink(A, 0.2)
squareplus(A, b=1)
threshold(A, 0.1, -5.0)
softmax(A, axis=0)
softmax(T, axis=(0, 2))
log_softmax(T, axis=(1, 2))
sparsemax(A, axis=0)
arccosh(P + 1.0)
bitwise_invert(I)
bitwise_not(I)
power(P, A)
power(A, 2)
multiply(I, 2.5)
add([1, 2], [3, 4])
add(A, V)
ldexp(A, I)
clip(A, -0.5, 0.5)
clip(M, 0, 1)
isclose(A, A + 1e-6)
allclose(A, A)
isin(I, J, invert=True)
max(A, axis=1, keepdims=True, initial=0.5)
min(A, initial=-10.0)
sum(T, axis=(0, 2), keepdims=True)
sum(M)
mean(I)
mean(M, axis=0)
var(I, axis=1)
std(T, axis=(0, 1), keepdims=True)
prod(A, axis=0, dtype="float16")
all(M, axis=0)
any(M, axis=1, keepdims=True)
argmax(A, axis=1, keepdims=True)
argmin(A, axis=0)
argpartition(A, 2)[:, 2]
argpartition(A, 2, axis=None)[2]
argsort(A, axis=0)
sort(A, axis=0)
median(T, axis=[0, 2], keepdims=True)
nanmedian(NAN, axis=0)
nanvar(NAN, axis=0, keepdims=True)
percentile(A, 30.0, axis=1)
quantile(A, [0.1, 0.5], axis=0, method="nearest")
quantile(A, 0.3, keepdims=True)
nanpercentile(NAN, 30.0)
nanquantile(NAN, 0.3, axis=0, keepdims=True)
average(A, axis=1, weights=V)
average(I)
bincount(D)
bincount(D, weights=[1.0, 2.0, 3.0, 4.0, 5.0], minlength=8)
bincount(J, minlength=6)
count_nonzero(Z, axis=1)
cumsum(I, axis=1)
cumprod(A, axis=0, dtype="float32")
nancumsum(NAN, axis=1)
diff(A, 2, 0)
trapezoid(A)
trapezoid(V, [1.0, 2.0, 4.0, 7.0])
append(A, B, axis=0)
array_split(A, 3, axis=1)
split(A, 2, axis=1)
split(A, [1, 3], axis=1)
hsplit(A, 2)
vsplit(A, 3)
dsplit(T, 2)
concatenate([A, B], axis=1)
stack([A, B], axis=1)
hstack([A, B])
vstack([A, B])
dstack([A, B])
repeat(A, 2, axis=1)
repeat(A, 2)
tile(A, (2, 1))
roll(A, 1, axis=0)
roll(A, 2)
rot90(A)
flip(A, axis=1)
take(A, [0, 2], axis=1)
take(A, I % 3)
take_along_axis(A, argsort(A, axis=1), axis=1)
unstack(A, axis=1)
unstack(A, 3)
get_item(A, np.s_[:, 1])
searchsorted(S, A)
searchsorted(S, V, side="right")
digitize(A, [-1.0, 0.0, 1.0])
histogram(V, bins=3, range=(-2.0, 2.0))
nonzero(Z)
where(Z)
where(M, A, B)
where(M, A, 0.0)
unique(J)
unique(D, return_index=True, return_inverse=True, return_counts=True)
unravel_index(np.array([1, 7, 11]), (3, 4))
select([M, A > 0], [A, B], 7.0)
broadcast_to(V, (3, 4))
expand_dims(A, 1)
expand_dims(A, (0, 2))
squeeze(expand_dims(A, 1), 1)
moveaxis(T, 0, -1)
swapaxes(T, 0, 2)
transpose(T, (1, 0, 2))
reshape(A, (2, -1))
reshape(A, 12)
diag(V, k=1)
diagflat(V, 1)
diagonal(T, offset=1, axis1=1, axis2=2)
trace(T, axis1=1, axis2=2)
tril(A, -1)
triu(A, 1)
pad(A, 1)
pad(A, ((1, 0), (2, 1)), constant_values=3.0)
pad(A, ((1, 1), (0, 0)), mode="reflect")
matmul(T, Q)
matmul(A, V)
dot(A, V)
dot(A, Q)
tensordot(T, A, axes=[[1, 2], [0, 1]])
tensordot(A, Q, 1)
einsum("ij,kj->ik", A, B)
einsum("bij,jk->bik", T, Q)
cross(A[:, :3], B[:, :3])
correlate(V, W, mode="same")
vander(V, 3)
vander(V, increasing=True)
meshgrid(V, W)
meshgrid(V, W, indexing="ij")
arange(5)
arange(1, 2, 0.25)
arange(0, 10, 3, dtype="int16")
linspace(0, 1, 5)
linspace(0.0, V, 3, endpoint=False, axis=1)
logspace(0.0, 2.0, 4)
geomspace(1.0, 100.0, 3)
array([[1, 2]], dtype="float32")
shape(empty((2, 3)))
shape(empty_like(A))
eye(3, 4, k=1)
full((2, 3), 7)
full_like(A, 2)
identity(3)
ones((2,), dtype="int32")
ones_like(I)
tri(3, 4, -1)
zeros((2, 3))
zeros_like(A, dtype="int32")
bartlett(7)
blackman(7)
hamming(7)
hanning(7)
kaiser(7, 3.5)
vectorize(lambda x, y: x + y)(A, V)
view(A, "int32")
cast(A, "int32")
cast(I, "bfloat16")
saturate_cast(A * 300, "uint8")
saturate_cast(I, "uint8")
saturate_cast(M, "float16")
convert_to_tensor([1.5, 2.5])
convert_to_tensor(A, dtype="float16")
convert_to_numpy(A)
is_tensor(convert_to_tensor(A))
shape(A)
dtype(A)
cond(True, lambda: 1.0, lambda: 2.0)
switch(1, [lambda x: x + 1, lambda x: x - 1], A)
while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (0, A))
while_loop(lambda x: x < 100, lambda x: x * 2, 1, maximum_iterations=3)
fori_loop(0, 4, lambda i, x: x + i, 0)
scan(lambda c, x: (c + x, c * x), V * 0, A)
scan(lambda c, x: (c + 1, c), 0, length=4, reverse=True)
associative_scan(lambda a, b: a + b, A, axis=1)
associative_scan(lambda a, b: a * b, A, reverse=True)
map(lambda x: x * 2, A)
vectorized_map(lambda x: sum(x), A)
custom_gradient(lambda x: (x * 2, lambda upstream: upstream))(A)
scatter([[0, 1], [2, 3]], V[:2], (3, 4))
scatter([[1], [1]], A[:2], (4, 4))
scatter_update(A, [[0, 1], [2, 3]], [5.0, 6.0])
scatter_update(A, [[0, 1], [0, 1]], [5.0, 6.0], reduction="add")
scatter_update(A, [[0], [2]], B[:2], reduction="max")
slice(A, (1, 0), (2, 3))
slice_update(A, (1, 1), B[:2, :2])
rearrange(T, "a b c -> c (a b)")
rearrange(T, "a b (c d) -> (a d) c b", c=2)
in_top_k(np.array([1, 0, 3]), A, 2)
top_k(A, 2)
cdist(A, B)
logdet(SPD)
slogdet(Q)
segment_sum(A, np.array([0, 0, 1]), num_segments=3)
segment_max(A, np.array([0, 0, 1]), num_segments=2)
segment_min(A, np.array([0, 1, 1]), num_segments=2, sorted=True)
segment_prod(A, np.array([0, 0, 1]), num_segments=2)
fft((A, B))
fft2((A, B))
ifft2((A, B))
rfft(A)
rfft(A, 6)
irfft((A, B))
irfft((A, B), fft_length=5)
extract_sequences(SIG, 5, 3)
stft(SIG, 12, 4, 16)
stft(SIG, 16, 5, 16, window=None, center=False)
istft(stft(SIG, 12, 4, 16), 12, 4, 16)
istft(stft(SIG, 16, 4, 16, window="hamming", center=False), 16, 4, 16, length=40, window="hamming", center=False)
istft(stft(SIG, 16, 4, 16, window=None), 16, 4, 16, window=None)
view_as_complex(stack([A, B], axis=-1))
view_as_real(CX)
polar(P, A)
angle(CX)
conj(CX)
real(CX)
imag(CX)
abs(CX)
cholesky(SPD)
cholesky(SPD, upper=True)
cholesky_inverse(cholesky(SPD))
cholesky_inverse(cholesky(SPD, upper=True), upper=True)
det(Q)
abs(eig(Q)[0])[:1] * 0
eigh(SPD)[0]
inv(Q)
norm(A)
norm(T, ord="fro", axis=(1, 2))
norm(A, ord=1, axis=1, keepdims=True)
solve(Q, transpose(A))
solve_triangular(Q, transpose(A))
solve_triangular(tril(Q), V, lower=True)
svd(A, compute_uv=False)
abs(svd(A, full_matrices=False)[0])
lstsq(transpose(A), V)
lu_factor(Q)
matrix_rank(Q)
pinv(A)
qr(A)
qr(transpose(A), mode="complete")[1]
moments(T, [0, 1])
moments(T, [0, 2], keepdims=True)
batch_normalization(T, V, W * W, -1, offset=W, scale=V)
layer_normalization(T, gamma=V, beta=W)
layer_normalization(A, axis=0, epsilon=1e-3)
layer_normalization(A, gamma=V, rms_scaling=True)
rms_normalization(T, scale=V)
rms_normalization(T, axis=(1, 2))
normalize(A)
normalize(A, axis=0, order=3)
one_hot(CLS, 5)
one_hot(J, 6, axis=0, dtype="int32")
multi_hot(J, 6)
multi_hot(D, num_classes=6)
binary_crossentropy(PROB, GOLD)
binary_crossentropy(GOLD, PROB * 5, from_logits=True)
categorical_crossentropy(GOLD, PROB)
categorical_crossentropy(GOLD, PROB, from_logits=True)
sparse_categorical_crossentropy(CLS, PROB)
sparse_categorical_crossentropy(CLS[:, None], PROB, from_logits=True)
psnr(IMG, IMB, 1.0)
ctc_loss(LABELS, LOGITS, [3, 1], [6, 4])
ctc_loss(LABELS, LOGITS, [2, 0], [5, 2], mask_index=4)
ctc_decode(LOGITS, [6, 4])
ctc_decode(LOGITS, [6, 4], merge_repeated=False, mask_index=4)
ctc_decode(LOGITS, [6, 4], strategy="beam_search", beam_width=40, top_paths=3)
conv(X1, K1, 2, "same")
conv(X2, K2, (2, 1), "valid")
conv(X2, K2G, padding="same", dilation_rate=2)
conv(X3, K3, padding="same")
conv(CHW, K2, data_format="channels_first")
depthwise_conv(X2, KD, padding="same")
depthwise_conv(X2, KD, strides=2)
separable_conv(X2, KD, KP, padding="same")
conv_transpose(X2, KT, strides=2)
conv_transpose(X2, KT, strides=2, padding="same")
max_pool(X2, 2, 2)
max_pool(X2, (3, 2), strides=2, padding="same")
max_pool(X1, 2, 1, data_format="channels_first")
average_pool(X2, 2, 3)
average_pool(X2, 3, strides=2, padding="same")
adaptive_average_pool(X2, (3, 5))
adaptive_average_pool(X3, 3)
adaptive_max_pool(X1, 4)
adaptive_max_pool(CHW, 4, data_format="channels_first")
dot_product_attention(ATT, ATT, ATT)
dot_product_attention(ATT, ATT, ATT, is_causal=True, scale=0.5)
dot_product_attention(ATT, ATT, ATT, mask=tril(ones((5, 5), "bool"))[None, None], bias=ones((1, 4, 5, 5)))
unfold(CHW, 3, padding=1, stride=2)
fold(unfold(CHW, (2, 3), dilation=2), (6, 6), (2, 3), dilation=2)
fold(unfold(CHW, 2, padding=1, stride=2), 6, 2, padding=1, stride=2)
depth_to_space(X2, 2)
depth_to_space(CHW, 2, data_format="channels_first")
space_to_depth(CHW, 2, data_format="channels_last")
space_to_depth(CHW, 2, data_format="channels_first")
image.rgb_to_grayscale(IMG)
image.rgb_to_grayscale(PIX)
image.rgb_to_hsv(IMG)
image.hsv_to_rgb(IMG)
image.resize(IMG, (5, 7))
image.resize(IMG, (16, 4), interpolation="bicubic", antialias=True)
image.resize(PIX, (12, 4), interpolation="nearest")
image.resize(PIX, (3, 4))
image.resize(IMG, (6, 6), crop_to_aspect_ratio=True)
image.resize(IMG, (6, 6), pad_to_aspect_ratio=True, fill_value=0.5)
image.pad_images(IMG, 1, 2, target_height=12, target_width=14)
image.crop_images(IMG, 1, 2, bottom_cropping=2, target_width=5)
image.extract_patches(IMG, (3, 2))
image.extract_patches(IMG, 3, strides=2, padding="same", dilation_rate=1)
image.extract_patches(CHW, 2, dilation_rate=2, strides=1, data_format="channels_first")
image.extract_patches_3d(X3, (2, 2, 3), strides=1)
image.map_coordinates(A, [[0.5, 1.2, 5.0], [1.1, 2.0, 0.0]], order=1)
image.map_coordinates(A, [[0.4, 1.2], [1.1, 2.0]], order=0, fill_mode="nearest")
image.affine_transform(IMG, np.float32([[1.1, 0.2, -0.5, 0.1, 0.9, 0.3, 0, 0]] * 2))
image.affine_transform(IMG[0], np.float32([1.1, 0.21, -0.53, 0.13, 0.9, 0.31, 0, 0]), "nearest", "reflect")
image.perspective_transform(IMG[0], np.array([[0.0, 0], [9, 0], [0, 7], [9, 7]]), np.array([[1.0, 1], [8, 0], [0, 6], [9, 7]]))
image.scale_and_translate(IMG, (2, 6, 5, 3), np.float32([0.7, 0.6]), np.float32([0.3, 0.1]), (1, 2), "linear")
image.gaussian_blur(IMG, (3, 5), (1.0, 0.7), data_format="channels_last")
image.sobel_edges(IMG)[:, 1:-1, 1:-1]
image.ssim(IMG, IMB, filter_size=5)
image.ssim(IMG[0], IMB[0], max_val=2.0, filter_size=7, filter_sigma=1.0)
shape(image.elastic_transform(IMG, seed=1))
"""  # noqa: E501

# Calls that the installed Keras does not have, and the same with NumPy and SciPy.
NEWER = {
    "amax(A, axis=1, initial=0.5)": "np.max(A, axis=1, initial=0.5)",
    "amin(A, keepdims=True, initial=-10.0)": "np.min(A, keepdims=True, initial=-10.0)",
    "column_stack([V, W])": "np.column_stack([V, W])",
    "column_stack([A, V[:3], B])": "np.column_stack([A, V[:3], B])",
    "copysign(A, B)": "np.copysign(A, B)",
    "copysign(I, -0.0)": "np.copysign(I, -0.0)",
    "cov(A)": "np.cov(A)",
    "cov(V)": "np.cov(V)",
    "float_power(P, A)": "np.float_power(P, A)",
    "float_power(J, -1)": "np.float_power(J, -1)",
    "gammainc(P, P + 1)": "special.gammainc(P, P + 1)",
    "gammainc(V * V, 0.5)": "special.gammainc(V * V, 0.5)",
    "grad(lambda x: sum(x * x))(A)": "2 * A",
    "grad(lambda x, y: sum(x * y), argnums=(1, 0))(A, B)": "[A, B]",
    "lgamma(A)": "special.gammaln(A)",
    "lgamma(J)": "special.gammaln(J)",
    "matrix_power(Q, 3)": "np.linalg.matrix_power(Q, 3)",
    "matrix_power(stack([Q, Q + 1]), -2)": "np.linalg.matrix_power(np.stack([Q, Q + 1]), -2)",
    "matrix_power(Q, 0)": "np.eye(4)",
    "top_k(A, 2, is_stable=False)": "[-np.sort(-A)[:, :2], np.argsort(-A)[:, :2]]",
    "image.reconstruct_patches(image.extract_patches(IMG, (4, 2)), (4, 2))": "IMG",
    "image.reconstruct_patches(image.extract_patches(IMG[0], 2), 2, (8, 10))": "IMG[0]",
    "image.reconstruct_patches(image.extract_patches(IMG, 3, padding='same'), 3, (8, 10), padding='same')": "IMG",
    "image.reconstruct_patches(image.extract_patches(CHW, 2, data_format='channels_first'), 2, None, 2, "
    "data_format='channels_first')": "CHW",
    "image.reconstruct_patches(image.extract_patches_3d(X3, (2, 3, 3), padding='same'), (2, 3, 3), (4, 5, 6), "
    "padding='same', strides=(2, 3, 3))": "X3",
}

CALLS = (
    [f"{name}(A)" for name in ELEMENTWISE]
    + ["diagflat(V)"]
    + [f"{name}(NAN)" for name in NAN.split()]
    + [f"{name}(P)" for name in POSITIVE.split()]
    + [f"{name}(U)" for name in UNIT.split()]
    + [f"{name}(A, B)" for name in BINARY.split()]
    + [f"{name}(I, J)" for name in INTEGER.split()]
    + [line for line in OTHERS.splitlines() if line]
    + list(NEWER)
)
