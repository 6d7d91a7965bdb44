"""Golden error messages for invalid data, all raised before the first step."""

import numpy as np
import pytest

from jaxkeras.data import PyDataset, adapt, checks, split_validation

pd = pytest.importorskip("pandas")

X, Y = np.zeros((4, 2), "float32"), np.array([0, 1, 2, 1])


class Three(PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X, Y


class Endless(Three):
    num_batches = None


def batches():
    yield X, Y


def words(text):
    """A text on one line, so that the table below can wrap it."""
    return " ".join(str(text).split())


def wrong_batch(batch):
    return lambda: list(adapt(iter([(X, Y), batch])).epoch(0))


MISTAKES = {
    "rows": (
        lambda: adapt(X, Y[:3]),
        """All arrays must have the same number of rows (the size of the first axis), one for each sample. Received: x:
        4 rows, shape (4, 2) y: 3 rows, shape (3,) If the extra rows are not needed, write x[:3].""",
    ),
    "unequal rows in nested arrays": (
        lambda: adapt({"a": X, "b": X[:2]}, Y),
        """All arrays must have the same number of rows (the size of the first axis), one for each sample. Received:
        x['a']: 4 rows, shape (4, 2) x['b']: 2 rows, shape (2, 2) y: 4 rows, shape (4,) If the extra rows are not
        needed, write x['a'][:2], y[:2].""",
    ),
    "empty": (
        lambda: adapt(X[:0], Y[:0]),
        """`x` is empty: its shape is (0, 2), 0 rows. Look at the filter, the slice or the file that it came from.""",
    ),
    "scalar array": (
        lambda: adapt(np.float32(3)),
        """`x` is a single value (ndarray of shape (), float32), without an axis of rows. For one sample write
        np.array(x)[None]; a dataset of single samples needs .batch(32) first.""",
    ),
    "None": (
        lambda: adapt(None, Y),
        """`x` is None: there are no data. Expected arrays (NumPy, JAX, pandas, or dicts and lists of them), a
        PyDataset, a generator or another iterable of batches, a tf.data.Dataset, a torch DataLoader or a grain
        dataset.""",
    ),
    "function": (
        lambda: adapt(batches),
        """`x` is a function, batches: call it to make its generator. Expected arrays (NumPy, JAX, pandas, or dicts and
        lists of them), a PyDataset, a generator or another iterable of batches, a tf.data.Dataset, a torch
        DataLoader or a grain dataset.""",
    ),
    "file name": (
        lambda: adapt("train.csv"),
        """`x` is of a type that is not known as data: builtins.str. Expected arrays (NumPy, JAX, pandas, or dicts and
        lists of them), a PyDataset, a generator or another iterable of batches, a tf.data.Dataset, a torch
        DataLoader or a grain dataset.""",
    ),
    "plain list": (
        lambda: adapt([[1.0, 2.0], [3.0, 4.0]], Y[:2]),
        """`x` is a plain Python list of float values (shape (2, 2)). A list stands for several arrays, one for each
        input or output. Write np.array(x) for one array of rows.""",
    ),
    "plain list of labels": (
        lambda: adapt(X, [0, 1, 2, 1]),
        """`y` is a plain Python list of int values (shape (4,)). A list stands for several arrays, one for each input
        or output. Write np.array(y) for one array of rows.""",
    ),
    "plain list in a dict": (
        lambda: adapt({"a": X, "b": [1, 2, 3, 4]}),
        """`x['b']` is a plain Python list of int values (shape (4,)). A list stands for several arrays, one for each
        input or output. Write np.array(x['b']) for one array of rows.""",
    ),
    "empty list": (
        lambda: adapt([]),
        """`x` is not an array: list []. Expected a NumPy or JAX array, a tensor, a DataFrame or a Series, or dicts,
        lists and tuples of them. Convert it first, with np.array(x) if it holds rows.""",
    ),
    "plain list of text": (
        lambda: adapt(["good", "bad"]),
        """`x` is a plain Python list of str values (shape (2,)). A list stands for several arrays, one for each input
        or output. Write np.array(x) for one array of rows.""",
    ),
    "ragged list": (
        lambda: adapt([[1, 2], [3]]),
        """`x` is a Python list of rows with different lengths. Make them equally long first: x =
        jaxkeras.utils.pad_sequences(x).""",
    ),
    "ragged array": (
        lambda: adapt(np.array([[1, 2], [3]], dtype=object)),
        """`x` is an array of list objects of their own lengths, shape (2,). Make the rows equally long: x =
        jaxkeras.utils.pad_sequences(x).""",
    ),
    "objects": (
        lambda: adapt({"age": np.array([1, None, 2.5], dtype=object)}),
        """`x['age']` is an array of Python objects (NoneType, float, int; dtype object). Fill in missing values, then
        write x['age'].astype('float32') if they are numbers.""",
    ),
    "number in a dict": (
        lambda: adapt({"a": X, "b": 7}),
        """`x['b']` is not an array: int 7. Expected a NumPy or JAX array, a tensor, a DataFrame or a Series, or dicts,
        lists and tuples of them. Convert it first, with np.array(x['b']) if it holds rows.""",
    ),
    "text columns": (
        lambda: adapt(pd.DataFrame({"a": [1.0], "city": pd.Series(["Rome"], dtype=object)})),
        """The DataFrame `x` has columns that are not numbers: 'city' (object). Drop them, encode them with
        pandas.get_dummies(x) or .astype('category').cat.codes, or pass a dict with one array for each column.""",
    ),
    "dates": (
        lambda: adapt(np.array(["2024-01-01"], "datetime64[D]")),
        """`x` has dtype datetime64[D], which models do not take; expected numbers or strings. Write seconds as
        numbers: x.astype('datetime64[s]').astype('int64') less the first of them.""",
    ),
    "wide integers": (
        lambda: adapt(X, np.array([1, 2, 3, 2**40])),
        """`y` is int64 with values from 1 to 1099511627776, which int32 cannot hold, and JAX computes with 32 bits.
        Write y.astype('float32') for quantities, renumber identifiers from 0, or run with
        jax.config.update('jax_enable_x64', True).""",
    ),
    "labels as text": (
        lambda: adapt(X, np.array(["cat", "dog", "cat", "dog"])),
        """`y` holds text (<U3, such as 'cat'), but losses and metrics need numbers. Number the classes: names, y =
        np.unique(y, return_inverse=True).""",
    ),
    "inputs as text": (
        lambda: checks.numbers_only([("x", np.array(["cat"]))], "the first layer, dense, needs"),
        """`x` holds text (<U3, such as 'cat'), but the first layer, dense, needs numbers. Turn text into numbers with
        a TextVectorization or StringLookup layer at the head of the model.""",
    ),
    "batch_size float": (
        lambda: adapt(X, batch_size=32.0),
        """`batch_size` must be a whole number such as 32. Received: float 32.0.""",
    ),
    "steps float": (
        lambda: adapt(X, steps=4 / 2),
        """`steps_per_epoch` (`steps` in evaluate and predict) must be a whole number of batches. Received: float 2.0.
        Write rows // batch_size with two slashes.""",
    ),
    "shuffle": (
        lambda: adapt(X, shuffle="yes"),
        """`shuffle` must be True, False or "batch". Received: str 'yes'.""",
    ),
    "y with a stream": (
        lambda: adapt(Three(), Y),
        """`y` was given, but `x` is a PyDataset Three, whose batches hold everything. Leave `y` out and let each batch
        be (x, y).""",
    ),
    "sample_weight with a stream": (
        lambda: adapt(batches(), sample_weight=Y),
        """`sample_weight` was given, but `x` is a generator, whose batches hold everything. Leave `sample_weight` out
        and let each batch be (x, y, sample_weight).""",
    ),
    "validation_split with a stream": (
        lambda: split_validation((batches(), None, None), 0.1),
        """`validation_split` needs arrays, whose last rows can be held back; `x` is a generator. Pass
        `validation_data=` with data of their own instead.""",
    ),
    "validation_split out of range": (
        lambda: split_validation((X, Y, None), 20),
        """`validation_split` must be a number between 0 and 1 (both excluded), the share of the last rows to validate
        on, such as 0.2. Received: 20.""",
    ),
    "validation_split of too few rows": (
        lambda: split_validation((X, Y, None), 0.9),
        """`validation_split=0.9` of 4 rows leaves 0 for training and 4 for validation, and each needs at least one.
        Give more data or another share.""",
    ),
    "class_weight is a list": (
        lambda: adapt(X, Y, class_weight=[1.0, 2.0, 1.0]),
        """`class_weight` must be a dict such as {0: 1.0, 1: 5.0}. Received: list [1.0, 2.0, 1.0]. Write
        dict(enumerate(class_weight)).""",
    ),
    "class_weight balanced": (
        lambda: adapt(X, Y, class_weight="balanced"),
        """`class_weight` must be a dict such as {0: 1.0, 1: 5.0}. Received: str 'balanced'. For balanced weights,
        compute rows / (classes * np.bincount(y)) and pass dict(enumerate(...)).""",
    ),
    "class_weight empty": (
        lambda: adapt(X, Y, class_weight={}),
        """`class_weight` is an empty dict. Give a weight for every class, or leave it out.""",
    ),
    "class_weight keys": (
        lambda: adapt(X, Y, class_weight={"cat": 1.0}),
        """The keys of `class_weight` must be class numbers (0, 1, ...), as in `y`. Received the key 'cat'. Write {0:
        1.0, 1: 5.0}, with the number that each class has in `y`.""",
    ),
    "class_weight values": (
        lambda: adapt(X, Y, class_weight={0: float("nan")}),
        """`class_weight[0]` must be a finite number. Received: float nan.""",
    ),
    "class_weight and sample_weight": (
        lambda: adapt(X, Y, np.ones(4), class_weight={0: 1, 1: 1, 2: 1}),
        """`class_weight` and `sample_weight` were both given, and only one can count. To combine them, pass
        sample_weight=sample_weight * np.array([class_weight[c] for c in y]).""",
    ),
    "class_weight without y": (
        lambda: adapt(X, class_weight={0: 1.0}),
        """`class_weight` needs the classes in `y`, but there is no `y`.""",
    ),
    "class_weight with several outputs": (
        lambda: adapt(X, [Y, Y], class_weight={0: 1, 1: 1, 2: 1}),
        """`class_weight` works for models with one output, whose targets are one array; `y` is a list of 2. Pass a
        `sample_weight` with one array for each output instead.""",
    ),
    "class_weight with pixel labels": (
        lambda: adapt(X, np.zeros((4, 8, 8), "int32"), class_weight={0: 1.0}),
        """`class_weight` needs one class for each row: `y` of shape (rows,), (rows, 1) or one-hot (rows, classes).
        Received: ndarray of shape (4, 8, 8), int32. Pass a `sample_weight` of shape (4, 8) instead.""",
    ),
    "sample_weight with other keys": (
        lambda: adapt(X, {"a": Y, "b": Y}, {"a": Y}),
        """`sample_weight` must have the same structure as `y`, one array for each output. `y` is a dict of ['a', 'b'],
        `sample_weight` is a dict of ['a']. Write None for an output without weights.""",
    ),
    "sample_weight with several columns": (
        lambda: adapt(X, [Y, Y], X),
        """With several outputs, one `sample_weight` array counts for all of them and must have the shape (rows,).
        Received the shape (4, 2). Pass one array for each output, in the same structure as `y`.""",
    ),
    "batch of four parts": (
        wrong_batch((X, Y, Y, Y)),
        """Batch 1 of the iterator: A batch must be x, (x, y) or (x, y, sample_weight). Received a tuple of 4. For
        several inputs put them in a tuple of their own: ((x1, x2), y).""",
    ),
    "batch with unequal rows": (
        wrong_batch((X, Y[:1])),
        """Batch 1 of the iterator: All arrays must have the same number of rows (the size of the first axis), one for
        each sample. Received: x: 4 rows, shape (4, 2) y: 1 row, shape (1,) If the extra rows are not needed, write
        x[:1].""",
    ),
    "empty iterator": (
        lambda: list(adapt(iter(())).epoch(0)),
        """The iterator gave no batch at all. Look at what it reads, and whether it was used up before.""",
    ),
    "queue": (
        lambda: list(adapt(Three(workers=2, max_queue_size=0)).epoch(0)),
        """`max_queue_size` of a PyDataset must be at least 1. Received: 0.""",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_error_message(name):
    mistake, text = MISTAKES[name]
    with pytest.raises(TypeError if "float" in name else ValueError) as caught:
        mistake()
    assert words(caught.value) == words(text)


LENIENT = {
    "batch_size 0": (lambda: adapt(X, batch_size=0), "`batch_size` is 0, which counts as the default, 32."),
    "steps 0": (
        lambda: adapt(X, steps=0), "`steps_per_epoch` (`steps` in evaluate and predict) is 0, so all the data are used."
    ),
    "too many steps": (
        lambda: adapt(X, batch_size=2, steps=3),
        """`steps_per_epoch` (`steps` in evaluate and predict) is 3, but the data hold only 2 batches of 2 rows, so
        epochs end after 2. Leave it out, or repeat the data.""",
    ),
    "too many steps of a dataset": (
        lambda: adapt(Three(), steps=4),
        """`steps_per_epoch` (`steps` in evaluate and predict) is 4, but the data hold only 3 batches, so epochs end
        after 3. Leave it out, or repeat the data.""",
    ),
    "endless": (
        lambda: adapt(Endless()),
        """`x` is a PyDataset Endless that never ends, so say how long an epoch is: give `steps_per_epoch` (`steps` in
        evaluate and predict). Only a callback can end it now.""",
    ),
    "batch_size with a stream": (
        lambda: adapt(batches(), batch_size=8),
        """`batch_size=8` is ignored, since `x` is a generator, which makes its own batches. Set the size where the
        batches are made.""",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LENIENT)
def test_warning_where_keras_takes_the_data(name):
    mistake, text = LENIENT[name]
    with pytest.warns(UserWarning) as caught:
        mistake()
    assert words(text) in [words(warning.message) for warning in caught]



def test_each_size_is_on_a_separate_line():
    with pytest.raises(ValueError, match=r"Received:\n  x: 4 rows, shape \(4, 2\)\n  y: 3 rows, shape \(3,\)\nIf"):
        adapt(X, Y[:3])


def test_dataset_without_required_methods():
    assert PyDataset().num_batches is None  # endless
    with pytest.raises(NotImplementedError) as caught:
        PyDataset()[0]
    assert str(caught.value) == "PyDataset must define `__getitem__(self, index)` to return a batch."
