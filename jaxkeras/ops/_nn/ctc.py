"""Connectionist temporal classification: its loss, and the most probable label sequences."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import op
from jaxkeras.ops._arrays import TensorLike, as_array

# In place of log 0: finite, so that an impossible alignment gives a large loss and gradients without NaN.
_LOG_ZERO = -1e5
_PAD = -1


def _shifted(log_alpha: jax.Array, by: int) -> jax.Array:
    return jnp.pad(log_alpha[:, :-by], ((0, 0), (by, 0)), constant_values=_LOG_ZERO)


@op
def ctc_loss(
    target: TensorLike,
    output: TensorLike,
    target_length: TensorLike,
    output_length: TensorLike,
    mask_index: int = 0,
) -> jax.Array:
    """Minus the log probability of a label sequence, summed over all its alignments with the predictions.

    Args:
        target: integer array of labels, shape `(batch, max_labels)`.
        output: array of logits, shape `(batch, time, classes)`.
        target_length: integer array, number of labels, shape `(batch,)`.
        output_length: integer array, number of time steps, shape `(batch,)`.
        mask_index: the blank class, which stands for no label.

    Returns:
        Array of losses, shape `(batch,)`.

    Example:

    >>> logits = np.zeros((1, 2, 3), "float32")  # each class has probability 1 / 3
    >>> print(np.asarray(np.exp(-ctc_loss([[1]], logits, [1], [2]))).round(4))  # 3 of 9 alignments give label 1
    [0.3333]

    Reference:
        [Graves et al., 2006](https://www.cs.toronto.edu/~graves/icml_2006.pdf), section 4.1.
    """
    labels, lengths, times = (as_array(a).astype("int32") for a in (target, target_length, output_length))
    logits = as_array(output)
    log_probs = jax.nn.log_softmax(logits.astype(jnp.promote_types(logits.dtype, jnp.float32)))
    batch, most = labels.shape

    # States: blank, label 1, blank, label 2, ..., blank. A label may be entered from the one before it, skipping the
    # blank between, only if the two differ. Labels that are the blank class count as labels, as in Keras.
    states = jnp.full((batch, 2 * most + 1), mask_index, jnp.int32).at[:, 1::2].set(labels)
    differ = labels != jnp.pad(labels[:, :-1], ((0, 0), (1, 0)), constant_values=_PAD)
    may_skip = jnp.zeros(states.shape, bool).at[:, 1::2].set(differ)
    emissions = jnp.take_along_axis(log_probs, states[:, None, :], axis=2)

    def advance(log_alpha: jax.Array, inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        emission, running = inputs
        skip = jnp.where(may_skip, _shifted(log_alpha, 2), _LOG_ZERO)
        reached = jnp.logaddexp(jnp.logaddexp(log_alpha, _shifted(log_alpha, 1)), skip)
        return jnp.where(running[:, None], reached + emission, log_alpha), None

    # Before the first step, all probability is on the blank before the first label.
    start = jnp.where(jnp.arange(2 * most + 1) == 0, 0.0, _LOG_ZERO).astype(log_probs.dtype)
    running = jnp.arange(logits.shape[1])[:, None] < times[None, :]
    log_alpha, _ = jax.lax.scan(
        advance, jnp.broadcast_to(start, states.shape), (jnp.moveaxis(emissions, 1, 0), running)
    )
    end = 2 * lengths[:, None]
    end_blank = jnp.take_along_axis(log_alpha, end, axis=1)
    end_label = jnp.where(end > 0, jnp.take_along_axis(log_alpha, jnp.maximum(end - 1, 0), axis=1), _LOG_ZERO)
    return -jnp.logaddexp(end_blank, end_label)[:, 0]


@op
def ctc_decode(
    inputs: TensorLike,
    sequence_lengths: TensorLike,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[jax.Array, jax.Array]:
    """Decode the most probable label sequences.

    Args:
        inputs: array of logits, shape `(batch, time, classes)`.
        sequence_lengths: integer array, number of time steps, shape `(batch,)`.
        strategy: `"greedy"` takes the best class at each step, `"beam_search"` keeps several sequences.
        beam_width: number of sequences that the beam search keeps.
        top_paths: number of sequences that the beam search returns.
        merge_repeated: whether the greedy strategy merges repetitions of a class without a blank between them.
        mask_index: the blank class, which stands for no label.

    Returns:
        `(labels, scores)`: int32 labels of shape `(paths, batch, time)`, padded with -1. Scores of the greedy strategy
        are the negative sums of the best logits, shape `(batch, 1)`; those of the beam search log probabilities, shape
        `(batch, top_paths)`.

    Raises:
        ValueError: for another strategy.

    Example:

    >>> logits = 9.0 * np.eye(3, dtype="float32")[[[1, 1, 0, 2]]]
    >>> labels, _ = ctc_decode(logits, [4])
    >>> labels.tolist()
    [[[1, 2, -1, -1]]]
    """
    logits = as_array(inputs)
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    running = jnp.arange(logits.shape[1])[None, :] < as_array(sequence_lengths)[:, None]
    if strategy == "greedy":
        return _greedy(logits, running, merge_repeated, mask_index)
    if strategy == "beam_search":
        search = jax.vmap(lambda x, r: _beam_search(x, r, beam_width, top_paths, mask_index))
        paths, scores = search(jax.nn.log_softmax(logits), running)
        return jnp.moveaxis(paths, 1, 0), scores
    raise ValueError(f"`strategy` must be 'greedy' or 'beam_search', got {strategy!r}.")


def _greedy(logits: jax.Array, running: jax.Array, merge: bool, blank: int) -> tuple[jax.Array, jax.Array]:
    labels = jnp.where(running, jnp.argmax(logits, axis=-1), blank)
    scores = -jnp.sum(jnp.where(running, jnp.max(logits, axis=-1), 0), axis=1, keepdims=True)
    is_label = labels != blank
    if merge:
        is_label &= jnp.pad(labels[:, 1:] != labels[:, :-1], ((0, 0), (1, 0)), constant_values=True)
    order = jnp.argsort(~is_label, axis=1, stable=True)
    labels = jnp.take_along_axis(jnp.where(is_label, labels, _PAD), order, axis=1)
    return labels[None], scores


def _beam_search(
    log_probs: jax.Array, running: jax.Array, width: int, top: int, blank: int
) -> tuple[jax.Array, jax.Array]:
    """Decode one sequence. A beam is a label sequence with the log probabilities to end in a blank and in a label."""
    time, classes = log_probs.shape
    width = max(width, top)
    rows = jnp.arange(width)

    def extend(beams: tuple, inputs: tuple[jax.Array, jax.Array]) -> tuple[tuple, None]:
        x, is_running = inputs
        paths, lengths, in_blank, in_label = beams
        total = jnp.logaddexp(in_blank, in_label)
        last = jnp.where(lengths > 0, paths[rows, lengths - 1], _PAD)

        # The same labels: the step emits a blank, or the last label again.
        stay_blank = total + x[blank]
        stay_label = jnp.where(lengths > 0, in_label + x[last], -jnp.inf)
        # One more label; a repetition of the last one needs a blank in between.
        repeats = jnp.arange(classes)[None, :] == last[:, None]
        more = jnp.where(repeats, in_blank[:, None], total[:, None]) + x[None, :]
        more = more.at[:, blank].set(-jnp.inf)

        # If the extended sequence is itself a beam, add its probability there.
        parents = paths.at[rows, lengths - 1].set(jnp.where(lengths > 0, _PAD, paths[rows, lengths - 1]))
        grown = (lengths[:, None] == lengths[None, :] + 1) & (parents[:, None] == paths[None, :]).all(-1)
        gain = jnp.where(grown, more[:, last].T, -jnp.inf)
        stay_label = jnp.logaddexp(stay_label, jax.nn.logsumexp(gain, axis=1))
        taken = jnp.zeros_like(more, bool).at[rows[None, :], last[:, None]].max(grown)
        more = jnp.where(taken, -jnp.inf, more)

        scores = jnp.concatenate([jnp.logaddexp(stay_blank, stay_label), more.ravel()])
        scores = jnp.where(jnp.isnan(scores), -jnp.inf, scores)
        _, best = jax.lax.top_k(scores, width)
        is_stay = best < width
        source = jnp.where(is_stay, best, (best - width) // classes)
        label = jnp.where(is_stay, _PAD, (best - width) % classes)
        new_paths = paths[source]
        place = jnp.minimum(lengths[source], time - 1)
        new_paths = new_paths.at[rows, place].set(jnp.where(is_stay, new_paths[rows, place], label))
        new = (
            new_paths,
            lengths[source] + ~is_stay,
            jnp.where(is_stay, stay_blank[source], -jnp.inf),
            jnp.where(is_stay, stay_label[source], scores[best]),
        )
        return jax.tree.map(lambda a, b: jnp.where(is_running, a, b), new, beams), None

    start = (
        jnp.full((width, time), _PAD),
        jnp.zeros(width, jnp.int32),
        jnp.where(rows == 0, 0.0, -jnp.inf).astype(log_probs.dtype),
        jnp.full(width, -jnp.inf, log_probs.dtype),
    )
    (paths, _, in_blank, in_label), _ = jax.lax.scan(extend, start, (log_probs, running))
    scores, best = jax.lax.top_k(jnp.logaddexp(in_blank, in_label), top)
    return paths[best], scores
