"""`find_batch_size`: the search, and the limits it keeps."""

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.training import memory
from jaxkeras.training.memory import program_bytes
from jaxkeras.utils.batch_size import largest
from jaxkeras.utils.costs import prepare


@pytest.mark.parametrize(
    "needs, limit, upper, answer, calls",
    [
        (lambda n: 1000 + 17 * n, 10**6, 2**20, 58764, 6),
        (lambda n: 1000 + 17 * n, 10**6, 500, 500, 4),
        (lambda n: 1000 + 17 * n, 1100, 500, 5, 7),
        (lambda n: 1000 + 17 * n, 1010, 500, 0, 7),
        (lambda n: 1000 + 17 * n + 5000 * (n > 300), 10**5, 2**20, 5529, 8),  # a jump
        (lambda n: 7, 10, 64, 64, 4),
    ],
)
def test_search(needs, limit, upper, answer, calls):
    tried = []
    found = largest(lambda n: tried.append(n) or needs(n), limit, upper)
    assert found == answer
    assert len(tried) <= calls and len(set(tried)) == len(tried)


def model():
    m = jk.Sequential([jk.Input((8,)), jk.layers.Dense(64), jk.layers.Dense(1)])
    m.compile("sgd", "mse")
    return m


def test_the_largest_batch_fits_and_the_next_one_does_not():
    m = model()
    size = jk.utils.find_batch_size(m, (None, 8), (None, 1), limit_bytes=60_000)
    needs = [program_bytes(prepare(m, (None, 8), (None, 1), rows).compile()) for rows in (size, size + 1)]
    assert needs[0] <= 60_000 < needs[1]
    with pytest.raises(MemoryError, match="One row of model 'sequential.*' needs .* bytes, of which only 100"):
        jk.utils.find_batch_size(m, (None, 8), (None, 1), limit_bytes=100)


def test_no_batch_is_larger_than_the_data():
    assert jk.utils.find_batch_size(model(), np.zeros((12, 8), "f"), np.zeros((12, 1), "f")) == 12
    assert jk.utils.find_batch_size(model(), (None, 8), (None, 1), max_batch_size=5) == 5


def test_control_group_limits_the_memory_of_the_host(tmp_path):
    contents = {"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 1\ninactive_file 50"}
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    files = str(tmp_path), "memory.max", "memory.current", "inactive_file"
    assert memory._cgroup(*files) == 1000 - 700 + 50
    (tmp_path / "memory.max").write_text("max")
    assert memory._cgroup(*files) == float("inf")
    assert memory._cgroup(str(tmp_path / "none"), *files[1:]) == float("inf")
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:  8 kB\n")
    assert memory._meminfo(str(tmp_path / "meminfo")) == 8192
