"""Background loading: threads that work ahead of the reader, and processes that load batches for them.

A thread refers only to the state that it shares with the reader, never to the reader itself, so that an abandoned
reader is collected and its threads end. Processes are spawned, not forked: a fork of a process that runs JAX's threads
may hang.
"""

from __future__ import annotations

import multiprocessing
import pickle
import random
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

_SLOW_AFTER = 10.0
_JOIN_WITHIN = 2.0
_THREAD_NAME = "jaxkeras-data"


class _Shared:
    """State shared by the reader and its threads: numbered tasks, finished results, and the reader's position."""

    def __init__(self, tasks: Iterable[Any], window: int, threads: int):
        self.tasks = iter(tasks)
        self.window = window
        self.alive = threads
        self.taken = self.started = 0
        self.stopped = self.exhausted = False
        self.results: dict[int, tuple[Any, BaseException | None]] = {}
        self.changed = threading.Condition()
        # Held while a task is taken, which may be slow (`prefetch` works there). The reader never waits for this lock.
        self.turn = threading.Lock()

    def next_task(self) -> tuple[int, Any] | None:
        with self.turn:
            with self.changed:
                self.changed.wait_for(lambda: self.stopped or self.started - self.taken < self.window)
                if self.stopped or self.exhausted:
                    return None
            number, error = self.started, None
            try:
                task = next(self.tasks)
            except StopIteration:
                self.exhausted = True
                return None
            except BaseException as e:  # raised to the reader
                self.exhausted, error, task = True, e, None
            with self.changed:
                self.started += 1
            if error is not None:
                self.finish(number, None, error)
                return None
            return number, task

    def finish(self, number: int, result: Any, error: BaseException | None) -> None:
        with self.changed:
            self.results[number] = (result, error)
            self.changed.notify_all()

    def leave(self) -> None:
        with self.changed:
            self.alive -= 1
            last = self.alive == 0
            self.changed.notify_all()
        close = getattr(self.tasks, "close", None)
        if last and close is not None:
            close()

    def stop(self) -> None:
        with self.changed:
            self.stopped = True
            self.results.clear()
            self.changed.notify_all()

    def settled(self) -> bool:
        """Whether the reader's next result is available, or no thread is left to compute it."""
        return self.taken in self.results or self.alive == 0

    def read(self) -> Iterator[Any]:
        while True:
            with self.changed:
                if not self.changed.wait_for(self.settled, timeout=_SLOW_AFTER):
                    # If several readers wait for each other, only the one in the user's thread warns.
                    if not threading.current_thread().name.startswith(_THREAD_NAME):
                        warnings.warn(
                            f"Still waiting for batch {self.taken} of the data after {_SLOW_AFTER:.0f} s: loading it "
                            "is slow, or it never returns.",
                            RuntimeWarning,
                            stacklevel=3,
                        )
                    self.changed.wait_for(self.settled)
                if self.taken not in self.results:
                    return
                result, error = self.results.pop(self.taken)
                self.taken += 1
                self.changed.notify_all()
            if error is not None:
                try:
                    raise error
                finally:
                    del error  # its traceback refers to this frame; the cycle would keep batches alive
            yield result
            del result


def _run(shared: _Shared, function: Callable[[Any], Any]) -> None:
    try:
        while (item := shared.next_task()) is not None:
            number, task = item
            try:
                result, error = function(task), None
            except BaseException as e:  # SystemExit too, or the reader would wait forever
                result, error = None, e
            shared.finish(number, result, error)
            del item, task, result, error
    finally:
        shared.leave()


def ordered(functions: list[Callable[[Any], Any]], tasks: Iterable[Any], window: int) -> Generator[Any]:
    """Apply functions to tasks in background threads, and yield the results in the order of the tasks.

    Args:
        functions: one thread per function; the next free thread takes the next task.
        tasks: read lazily by one thread at a time; closed at the end if it has a `close` method.
        window: maximum number of tasks that are running, or finished and not yet read.

    Yields:
        One result per task. An exception in a function or in `tasks` is raised in place of its result.
    """
    shared = _Shared(tasks, window, len(functions))
    threads = [
        threading.Thread(target=_run, args=(shared, function), name=f"{_THREAD_NAME}-{i}", daemon=True)
        for i, function in enumerate(functions)
    ]
    for thread in threads:
        thread.start()
    try:
        yield from shared.read()
    finally:
        shared.stop()
        # Wait for a limited time: a thread in slow user code ends by itself later. When the interpreter exits, threads
        # no longer run, so there is nothing to wait for.
        deadline = time.monotonic() + (0.0 if sys.is_finalizing() else _JOIN_WITHIN)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))


def _itself(item: Any) -> Any:
    return item


def prefetch(iterator: Iterable[Any], size: int = 2) -> Generator[Any]:
    """Read items ahead of time in a background thread.

    Closing or deleting the result stops the thread and closes `iterator`.

    Args:
        iterator: an iterable; used only by the thread.
        size: number of items that may wait.

    Yields:
        The items of `iterator`, in order. Its exception is raised after the items before it.

    Example:

    >>> list(prefetch(iter("abc")))
    ['a', 'b', 'c']
    """
    return ordered([_itself], iterator, size)


class Process:
    """A spawned process that holds a copy of a dataset and loads batches of it, one at a time.

    Args:
        name: name of the process, also used in messages.
    """

    def __init__(self, name: str):
        context = multiprocessing.get_context("spawn")
        self._lock = threading.Lock()
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name=name, daemon=True)
        self._process.start()
        theirs.close()
        self._payload: bytes | None = None
        self._answered = False

    def fetch(self, task: tuple[bytes, int, int]) -> Any:
        """Load one batch.

        Args:
            task: the pickled dataset, the index of the batch, and the seed of NumPy's and Python's generators for it.

        Raises:
            RuntimeError: if the process died.
            Exception: the dataset's exception, with the traceback from the process as a note.
        """
        payload, index, seed = task
        with self._lock:
            try:
                fresh = payload is not self._payload
                self._connection.send((fresh, index, seed))
                if fresh:
                    self._connection.send_bytes(payload)
                ready = wait([self._connection, self._process.sentinel])
                if self._connection not in ready and not self._connection.poll():
                    raise EOFError
                kind, answer, trace = pickle.loads(self._connection.recv_bytes())
            except (EOFError, OSError):
                raise self._death(index) from None
            self._answered = True
            if kind == "batch":
                self._payload = payload
                return answer
        try:
            error = pickle.loads(answer)
        except Exception:
            error = RuntimeError(f"A data worker failed while loading batch {index}.")
        error.add_note(f"In the worker process {self._process.name}, while loading batch {index}:\n{trace.rstrip()}")
        raise error

    def _death(self, index: int) -> RuntimeError:
        self._process.join(1.0)
        text = (
            f"The data worker process {self._process.name} died with exit code {self._process.exitcode} while loading "
            f"batch {index}; a negative code is the signal that killed it (-9: often no memory was left)."
        )
        if not self._answered:
            text += (
                " It had not loaded anything yet. Workers import the main script again, so a script must start its "
                'work under `if __name__ == "__main__":`.'
            )
        return RuntimeError(text)

    def stop(self) -> None:
        """Terminate the process."""
        self._process.terminate()
        self._process.join(2.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def stop_all(processes: list[Process]) -> None:
    """Terminate processes and empty the list."""
    while processes:
        processes.pop().stop()


def pickled(dataset: Any) -> bytes:
    """Pickle a dataset for worker processes.

    Raises:
        ValueError: if it cannot be pickled, or the workers could not import its class.
    """
    kind = type(dataset)
    if kind.__module__ == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
        raise ValueError(
            f"`use_multiprocessing=True` needs {kind.__name__} in a file that the workers can import; it was defined "
            "in a notebook or at the prompt. Move it to a .py file and import it, or use threads: workers=4, "
            "use_multiprocessing=False."
        )
    try:
        return pickle.dumps(dataset, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as e:
        raise ValueError(
            f"`use_multiprocessing=True` sends the dataset to other processes, but {kind.__name__} cannot be pickled: "
            f"{e}. Define the class at the top of a module and open files in __getitem__, not in __init__; or use "
            "threads: workers=4, use_multiprocessing=False."
        ) from e


def _serve(connection: Connection) -> None:
    """Main loop of a worker process; returns when the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and stops its workers
    import jax

    jax.config.update("jax_platforms", "cpu")  # the accelerator belongs to the parent
    dataset: Any = None
    while True:
        try:
            fresh, index, seed = connection.recv()
            payload = connection.recv_bytes() if fresh else b""
        except (EOFError, OSError):
            return
        try:
            if fresh:
                dataset = pickle.loads(payload)
            np.random.seed(seed)
            random.seed(seed)
            answer = pickle.dumps(("batch", dataset[index], ""), protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as e:
            answer = pickle.dumps(("error", _pickled_error(e), traceback.format_exc()))
        try:
            connection.send_bytes(answer)
        except OSError:
            return


def _pickled_error(error: Exception) -> bytes:
    try:
        return pickle.dumps(error)
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
