"""The on-disk program cache."""

import os
import resource
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.core import program_cache
from jaxkeras.training import compiled_function
from jaxkeras.training.compiled_function import CompiledFunction
from tests.compilations import counting


@pytest.fixture
def folder(tmp_path, monkeypatch):
    # Programs that an earlier test left to compile in the background must not be stored here.
    compiled_function._pool().shutdown(wait=True)
    compiled_function._pool.cache_clear()
    monkeypatch.setattr(compiled_function, "MIN_COMPILE_SECONDS", 0.0)
    program_cache.set_program_cache(tmp_path / "programs")
    yield tmp_path / "programs"
    program_cache.set_program_cache()


def double():
    """Return a new function each time, since JAX caches compiled programs of a function in memory."""
    return lambda x: x * 2 + np.float32(0.125)


X = np.arange(3, dtype="float32")


def names(folder):
    return sorted(p.name for p in folder.glob("*.program"))


def test_equal_function_loads_the_program_from_disk(folder):
    first = CompiledFunction(double())(X)
    assert len(names(folder)) == 1
    with counting() as count:
        second = CompiledFunction(double())(X)
    assert count.value == 0
    np.testing.assert_array_equal(first, second)
    CompiledFunction(lambda x: x * 2 + np.float32(0.25))(X)
    assert len(names(folder)) == 2  # a different program has a different key


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_damaged_program_is_recompiled(folder, damage):
    expected = CompiledFunction(double())(X)
    path = folder / names(folder)[0]
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    kept = {"truncated": content[:100], "flipped": content, "empty": b"", "foreign": b"GIF89a"}[damage]
    path.write_bytes(bytes(kept))
    with counting() as count:
        np.testing.assert_array_equal(CompiledFunction(double())(X), expected)
    assert count.value == 1
    assert program_cache.load(path.stem) is not None  # rewritten


def test_size_limit_evicts_least_recently_used_programs(folder):
    program_cache.set_program_cache(folder, max_bytes=3000)
    for i, name in enumerate("abc"):
        program_cache.store(name, bytes(900))
        os.utime(folder / f"{name}.program", (i, i))
    assert program_cache.load("a") is not None  # now the most recently used
    program_cache.store("d", bytes(900))
    assert names(folder) == ["a.program", "c.program", "d.program"]
    program_cache.store("huge", bytes(4000))
    assert program_cache.load("huge") is None
    assert sum(p.stat().st_size for p in folder.iterdir()) <= 3000


def test_failed_write_leaves_no_files(folder):
    program_cache.store("a", bytes(100))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # like a full disk, for this process only
    try:
        program_cache.store("b", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.name for p in folder.iterdir()] == ["a.program"]


def test_interrupted_write_leaves_no_files(folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        program_cache.store("a", bytes(100))
    assert list(folder.iterdir()) == []


def test_old_partial_files_of_killed_processes_are_removed(folder):
    program_cache.store("a", bytes(100))
    old, new = folder / "tmp1.tmp", folder / "tmp2.tmp"
    for path, age in ((old, 7200), (new, 60)):
        path.write_bytes(bytes(100))
        os.utime(path, (time.time() - age,) * 2)
    program_cache.store("b", bytes(100))
    assert sorted(p.name for p in folder.iterdir()) == ["a.program", "b.program", "tmp2.tmp"]


def test_world_writable_folder_is_not_used(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    program_cache.set_program_cache(shared)
    try:
        program_cache.store("a", b"x")
        assert list(shared.iterdir()) == []
    finally:
        program_cache.set_program_cache()


def test_programs_with_host_callbacks_are_not_cached(folder):
    def shouting(x):
        jax.debug.callback(lambda v: None, x)
        return x + 1

    CompiledFunction(shouting)(X)
    assert names(folder) == []


def test_user_functions_and_jax_settings_are_unaffected(folder):
    before = jax.config.jax_compilation_cache_dir
    jax.jit(lambda x: jax.numpy.sin(x) @ x)(X)
    assert not folder.exists() or names(folder) == []
    assert jax.config.jax_compilation_cache_dir == before


def test_no_programs_are_stored_when_the_jax_cache_is_on(folder, tmp_path):
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "jax"))
    try:
        CompiledFunction(double())(X)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
        from jax.experimental.compilation_cache import compilation_cache

        compilation_cache.reset_cache()
    assert not folder.exists() or names(folder) == []


def test_disabled_by_argument_and_by_environment(monkeypatch):
    program_cache.set_program_cache(None)
    assert program_cache.program_cache() is None
    program_cache.set_program_cache()
    monkeypatch.setenv("JAXKERAS_PROGRAM_CACHE", "0")
    assert program_cache.program_cache() is None
    monkeypatch.setenv("JAXKERAS_PROGRAM_CACHE", "/somewhere")
    assert str(program_cache.program_cache()) == "/somewhere"
    with pytest.raises(ValueError, match="max_bytes"):
        program_cache.set_program_cache(max_bytes=0)


PROGRAM = """
import jax, numpy as np, jaxkeras as jk
from jaxkeras.training import compiled_function
compiled_function.MIN_COMPILE_SECONDS = 0.0  # small programs compile too fast to be kept otherwise
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **about: compiled.append(about.get("fun_name")) if "backend_compile" in event else None)
jk.utils.set_random_seed(0)
m = jk.Sequential([jk.Input((4,)), jk.layers.Dense(8, activation="relu"), jk.layers.Dropout(0.5), jk.layers.Dense(1)])
m.compile("adam", "mse", metrics=["mae"])
x = np.linspace(0, 1, 280, dtype="float32").reshape(70, 4)
h = m.fit(x, x[:, :1], epochs=2, verbose=0, validation_data=(x, x[:, :1]))
print([name for name in compiled if name and "_program" in name], h.history["loss"], h.history["val_loss"])
"""


def test_second_process_compiles_no_step_and_gets_equal_results(tmp_path):
    environment = {**os.environ, "JAXKERAS_PROGRAM_CACHE": str(tmp_path)}
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    first, second = (run.split("]", 1) for run in runs)
    assert first[0].count("_program") == 4  # full and ragged batches, of training and validation
    assert second[0] == "["
    assert first[1] == second[1]


def test_model_trains_and_predicts_with_programs_from_disk(folder):
    def train():
        jk.utils.set_random_seed(1)
        m = jk.Sequential([jk.Input((3,)), jk.layers.Dense(2), jk.layers.Dense(1)])
        m.compile("sgd", "mse")
        m.fit(np.ones((10, 3), "float32"), np.ones((10, 1), "float32"), epochs=2, batch_size=4, verbose=0)
        return m

    first, second = train(), train()
    for a, b in zip(first.get_weights(), second.get_weights()):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(first.predict(X[None], verbose=0), second.predict(X[None], verbose=0))
