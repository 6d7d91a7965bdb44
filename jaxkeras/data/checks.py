"""Checks of data before the first step. Each message says what was received and what to write instead.

Functions named after a mistake return the exception to raise; the others raise it, or return if the data are valid.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

_STEPS = "`steps_per_epoch` (`steps` in evaluate and predict)"


def describe(value: Any) -> str:
    """Describe a value in a few words, for messages."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__} of shape {tuple(value.shape)}, {value.dtype}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def _root(name: str) -> str:
    return name.partition("[")[0]


# --- arguments ---


def batch_size(value: Any) -> int | None:
    """Return a positive integer as an int, None for None and, as in Keras, for 0."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"`batch_size` must be a whole number such as 32. Received: {describe(value)}.")
    if value < 0:
        raise ValueError(f"`batch_size` must be at least 1. Received: {value}. Leave it out for the default, 32.")
    if value == 0:
        warnings.warn("`batch_size` is 0, which counts as the default, 32.", stacklevel=2)
    return int(value) or None


def steps(value: Any) -> int | None:
    """Return a positive integer as an int, None for None and, as in Keras, for 0."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(
            f"{_STEPS} must be a whole number of batches. Received: {describe(value)}. "
            "Write rows // batch_size with two slashes."
        )
    if value < 0:
        raise ValueError(f"{_STEPS} must be at least 1. Received: {value}. Leave it out to use all the data.")
    if value == 0:
        warnings.warn(f"{_STEPS} is 0, so all the data are used.", stacklevel=2)
    return int(value) or None


def enough_steps(wanted: int | None, available: int, batch: int | None = None) -> int | None:
    """Return the number of steps of an epoch: no more than the data hold, with a warning."""
    if wanted is None or wanted <= available:
        return wanted
    size = f" of {batch} rows" if batch else ""
    warnings.warn(
        f"{_STEPS} is {wanted}, but the data hold only {available} batches{size}, so epochs end after {available}. "
        "Leave it out, or repeat the data.",
        stacklevel=2,
    )
    return available


def shuffle(value: Any) -> bool | str:
    """Return True, False or "batch"."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if value == "batch":
        return "batch"
    raise ValueError(f'`shuffle` must be True, False or "batch". Received: {describe(value)}.')


def validation_split(value: Any) -> None:
    """Check that the fraction is strictly between 0 and 1."""
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and 0 < value < 1:
        return
    raise ValueError(
        "`validation_split` must be a number between 0 and 1 (both excluded), the share of the last rows to validate "
        f"on, such as 0.2. Received: {value!r}."
    )


def split_rows(rows: int, split_at: int, share: float) -> None:
    """Check that both parts of a split have at least one row."""
    if not 0 < split_at < rows:
        raise ValueError(
            f"`validation_split={share}` of {rows} rows leaves {split_at} for training and {rows - split_at} for "
            "validation, and each needs at least one. Give more data or another share."
        )


def split_of_stream(kind: str) -> ValueError:
    """`validation_split` with data that cannot be split."""
    return ValueError(
        f"`validation_split` needs arrays, whose last rows can be held back; `x` is a {kind}. "
        "Pass `validation_data=` with data of their own instead."
    )


# --- structures and leaves ---


def no_plain_lists(label: str, tree: Any) -> None:
    """Refuse Python lists of numbers: a list stands for one array per input or output."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            no_plain_lists(f"{label}[{key!r}]", part)
    if not isinstance(tree, (list, tuple)):
        return
    first = tree
    while isinstance(first, (list, tuple)) and len(first):
        first = first[0]
    if not isinstance(first, (bool, int, float, complex, str, bytes, np.generic)):
        for i, part in enumerate(tree):
            no_plain_lists(f"{label}[{i}]", part)
        return
    try:
        shape = np.asarray(tree, dtype=object if isinstance(first, (str, bytes)) else None).shape
    except ValueError:
        raise ValueError(
            f"`{label}` is a Python list of rows with different lengths. Make them equally long first: "
            f"{label} = jaxkeras.utils.pad_sequences({label})."
        ) from None
    raise ValueError(
        f"`{label}` is a plain Python list of {type(first).__name__} values (shape {shape}). A list stands for several "
        f"arrays, one for each input or output. Write np.array({label}) for one array of rows."
    )


def not_an_array(name: str, value: Any) -> ValueError:
    """A leaf without rows."""
    return ValueError(
        f"`{name}` is not an array: {describe(value)}. Expected a NumPy or JAX array, a tensor, a DataFrame or a "
        f"Series, or dicts, lists and tuples of them. Convert it first, with np.array({name}) if it holds rows."
    )


def unknown_data(value: Any) -> ValueError:
    """An `x` that is neither arrays nor a stream of batches."""
    kind = type(value)
    if value is None:
        came = "`x` is None: there are no data."
    elif callable(value) and not hasattr(value, "shape"):
        came = f"`x` is a function, {getattr(value, '__name__', kind.__name__)}: call it to make its generator."
    else:
        came = f"`x` is of a type that is not known as data: {kind.__module__}.{kind.__qualname__}."
    return ValueError(
        f"{came} Expected arrays (NumPy, JAX, pandas, or dicts and lists of them), a PyDataset, a generator or another "
        "iterable of batches, a tf.data.Dataset, a torch DataLoader or a grain dataset."
    )


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def has_rows(name: str, array: Any) -> None:
    """Check that the first axis exists and is not empty."""
    if len(array.shape) == 0:
        raise ValueError(
            f"`{name}` is a single value ({describe(array)}), without an axis of rows. "
            f"For one sample write np.array({name})[None]; a dataset of single samples needs .batch(32) first."
        )
    if array.shape[0] == 0:
        raise ValueError(
            f"`{name}` is empty: its shape is {tuple(array.shape)}, 0 rows. "
            "Look at the filter, the slice or the file that it came from."
        )


def same_rows(leaves: list[tuple[str, Any]]) -> int | None:
    """Return the number of rows, which must be the same for all arrays, or None if there are no arrays.

    Args:
        leaves: pairs of a name and an array (or None).
    """
    sizes = {name: leaf.shape[0] for name, leaf in leaves if leaf is not None}
    if len(set(sizes.values())) > 1:
        shapes = [(name, tuple(leaf.shape)) for name, leaf in leaves if leaf is not None]
        listed = "\n".join(f"  {name}: {_rows(shape[0])}, shape {shape}" for name, shape in shapes)
        fewest = min(sizes.values())
        cut = ", ".join(f"{name}[:{fewest}]" for name, rows in sizes.items() if rows > fewest)
        raise ValueError(
            f"All arrays must have the same number of rows (the size of the first axis), one for each sample. "
            f"Received:\n{listed}\nIf the extra rows are not needed, write {cut}."
        )
    return next(iter(sizes.values()), None)


def numbers_only(leaves: list[tuple[str, Any]], why: str) -> None:
    """Refuse arrays of strings.

    Args:
        leaves: pairs of a name and an array (or None).
        why: the part that needs numbers and its verb, such as "losses and metrics need".
    """
    for name, leaf in leaves:
        if getattr(leaf, "dtype", None) is None or leaf.dtype.kind not in "USTO":
            continue
        example = leaf.reshape(-1)[0]
        fix = {
            "x": "Turn text into numbers with a TextVectorization or StringLookup layer at the head of the model.",
            "y": f"Number the classes: names, y = np.unique({name}, return_inverse=True).",
            "sample_weight": f"Write {name}.astype('float32').",
        }[_root(name)]
        raise ValueError(f"`{name}` holds text ({leaf.dtype}, such as {str(example)!r}), but {why} numbers. {fix}")


def object_is_text(name: str, array: np.ndarray) -> None:
    """Refuse an array of Python objects unless all of them are strings."""
    others = [cell for cell in array.flat if not isinstance(cell, (str, bytes))]
    if not others:
        return
    if any(hasattr(cell, "__len__") and not isinstance(cell, (str, bytes)) for cell in others):
        raise ValueError(
            f"`{name}` is an array of {type(others[0]).__name__} objects of their own lengths, shape {array.shape}. "
            f"Make the rows equally long: {name} = jaxkeras.utils.pad_sequences({name})."
        )
    kinds = ", ".join(sorted({type(cell).__name__ for cell in array.flat}))
    raise ValueError(
        f"`{name}` is an array of Python objects ({kinds}; dtype object). Fill in missing values, then write "
        f"{name}.astype('float32') if they are numbers."
    )


def text_columns(name: str, columns: dict[str, str]) -> ValueError:
    """A table that mixes numeric columns with others."""
    listed = ", ".join(f"{column!r} ({dtype})" for column, dtype in columns.items())
    return ValueError(
        f"The DataFrame `{name}` has columns that are not numbers: {listed}. Drop them, encode them with "
        f"pandas.get_dummies({name}) or .astype('category').cat.codes, or pass a dict with one array for each column."
    )


def bad_dtype(name: str, array: Any) -> ValueError:
    """A dtype that is not numeric."""
    fix = {
        "M": f"Write seconds as numbers: {name}.astype('datetime64[s]').astype('int64') less the first of them.",
        "m": f"Write seconds as numbers: {name} / np.timedelta64(1, 's').",
    }.get(array.dtype.kind, "For a structured array, pass a dict with one array for each field.")
    return ValueError(f"`{name}` has dtype {array.dtype}, which models do not take; expected numbers or strings. {fix}")


def fits(name: str, array: Any, narrow: Any) -> None:
    """Check that the values of a 64-bit integer array fit in the narrower dtype."""
    limits = np.iinfo(narrow)
    if not array.size:
        return
    low, high = int(array.min()), int(array.max())
    if limits.min <= low and high <= limits.max:
        return
    raise ValueError(
        f"`{name}` is {array.dtype} with values from {low} to {high}, which {np.dtype(narrow).name} cannot hold, and "
        f"JAX computes with 32 bits. Write {name}.astype('float32') for quantities, renumber identifiers from 0, or "
        "run with jax.config.update('jax_enable_x64', True)."
    )


# --- weights ---


def class_weight(value: Any) -> dict[int, float] | None:
    """Return a dict from class indices to finite weights, as plain ints and floats, or None unchanged."""
    if value is None:
        return None
    if not hasattr(value, "items") or not hasattr(value, "get"):
        hint = (
            " Write dict(enumerate(class_weight))."
            if isinstance(value, (list, tuple, np.ndarray))
            else " For balanced weights, compute rows / (classes * np.bincount(y)) and pass dict(enumerate(...))."
        )
        raise ValueError(
            f"`class_weight` must be a dict such as {{0: 1.0, 1: 5.0}}. Received: {describe(value)}.{hint}"
        )
    if not value:
        raise ValueError("`class_weight` is an empty dict. Give a weight for every class, or leave it out.")
    weights = {}
    for key, weight in value.items():
        try:
            number = int(key)
        except (TypeError, ValueError):
            raise ValueError(
                f"The keys of `class_weight` must be class numbers (0, 1, ...), as in `y`. Received the key {key!r}. "
                "Write {0: 1.0, 1: 5.0}, with the number that each class has in `y`."
            ) from None
        if not hasattr(weight, "__float__") or not math.isfinite(weight):
            raise ValueError(f"`class_weight[{key!r}]` must be a finite number. Received: {describe(weight)}.")
        weights[number] = float(weight)
    return weights


def class_weight_fits(y: Any, sample_weight: Any) -> None:
    """Check that there is one output with one class per row, and no `sample_weight` besides."""
    if sample_weight is not None:
        raise ValueError(
            "`class_weight` and `sample_weight` were both given, and only one can count. To combine them, pass "
            "sample_weight=sample_weight * np.array([class_weight[c] for c in y])."
        )
    if y is None:
        raise ValueError("`class_weight` needs the classes in `y`, but there is no `y`.")
    if isinstance(y, (dict, list, tuple)):
        raise ValueError(
            f"`class_weight` works for models with one output, whose targets are one array; `y` is a "
            f"{type(y).__name__} of {len(y)}. Pass a `sample_weight` with one array for each output instead."
        )
    if len(y.shape) > 2:
        raise ValueError(
            "`class_weight` needs one class for each row: `y` of shape (rows,), (rows, 1) or one-hot (rows, classes). "
            f"Received: {describe(y)}. Pass a `sample_weight` of shape {tuple(y.shape[:-1])} instead."
        )


def weight_structure(y: Any, sample_weight: Any) -> ValueError:
    """Weights whose structure differs from that of the targets."""

    def form(tree: Any) -> str:
        if isinstance(tree, dict):
            return f"a dict of {sorted(map(str, tree))}"
        return f"a {type(tree).__name__}" + (f" of {len(tree)}" if isinstance(tree, (list, tuple)) else "")

    return ValueError(
        f"`sample_weight` must have the same structure as `y`, one array for each output. `y` is {form(y)}, "
        f"`sample_weight` is {form(sample_weight)}. Write None for an output without weights."
    )


def one_weight_a_row(sample_weight: Any) -> None:
    """Check that a single weight array can be used for several outputs."""
    shape = tuple(sample_weight.shape)
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        return
    raise ValueError(
        "With several outputs, one `sample_weight` array counts for all of them and must have the shape (rows,). "
        f"Received the shape {shape}. Pass one array for each output, in the same structure as `y`."
    )


# --- streams of batches ---


def stream_arguments(kind: str, y: Any, sample_weight: Any, batch: Any) -> None:
    """Refuse arguments that the batches of a stream hold themselves; a batch size is ignored with a warning."""
    for name, value, form in (("y", y, "(x, y)"), ("sample_weight", sample_weight, "(x, y, sample_weight)")):
        if value is not None:
            raise ValueError(
                f"`{name}` was given, but `x` is a {kind}, whose batches hold everything. "
                f"Leave `{name}` out and let each batch be {form}."
            )
    if batch is not None:
        warnings.warn(
            f"`batch_size={batch!r}` is ignored, since `x` is a {kind}, which makes its own batches. Set the size "
            "where the batches are made.",
            stacklevel=2,
        )


def endless(kind: str) -> ValueError:
    """An endless stream without a number of steps."""
    return ValueError(f"`x` is a {kind} that never ends, so say how long an epoch is: give {_STEPS}.")


def bad_arity(count: int) -> ValueError:
    """A tuple of the wrong length for a batch."""
    return ValueError(
        f"A batch must be x, (x, y) or (x, y, sample_weight). Received a tuple of {count}. "
        "For several inputs put them in a tuple of their own: ((x1, x2), y)."
    )


def no_batches(kind: str) -> ValueError:
    """A stream without any batch."""
    return ValueError(f"The {kind} gave no batch at all. Look at what it reads, and whether it was used up before.")


def used_up(kind: str, what: str) -> str:
    """Return the warning for a stream that can be read only once, and was used up."""
    return (
        f"The {kind} has no more batches and cannot start again, so {what}. Give {_STEPS}, at most the number of "
        "batches divided by the number of epochs, or pass a PyDataset, which can be read again."
    )


def ran_out(kind: str, got: int, wanted: int) -> str:
    """Return the warning for an epoch that ends early."""
    return (
        f"The {kind} ran out of data after {got} of the {wanted} steps of this epoch, which ends here. "
        f"It must hold {_STEPS} times the number of epochs."
    )


def queue_size(value: Any) -> int:
    """Return `max_queue_size` of a PyDataset as an int."""
    if isinstance(value, (int, np.integer)) and value >= 1:
        return int(value)
    raise ValueError(f"`max_queue_size` of a PyDataset must be at least 1. Received: {value!r}.")
