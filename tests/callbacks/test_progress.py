import io
import os
import pty
import subprocess
import sys
import types

import pytest

import jaxkeras as jk
from jaxkeras.callbacks import Callback, CallbackList
from jaxkeras.core import messages
from jaxkeras.core.messages import print_message
from jaxkeras.display import progress
from jaxkeras.display.progress import Progbar, track
from tests.callbacks.fakes import Clock, FakeModel, Terminal, screen

BAR = "━" * 20
LOGS = {"accuracy": 0.7729, "loss": 0.6437}
VALIDATION = {"val_accuracy": 0.7071, "val_loss": 0.869}


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "perf_counter", clock)
    return clock


def set_output(monkeypatch, stream):
    # pytest replaces `sys.stdout` before each phase of a test
    monkeypatch.setattr(messages, "sys", types.SimpleNamespace(stdout=stream, __stdout__=None))
    return stream


@pytest.fixture
def terminal(monkeypatch):
    terminal = set_output(monkeypatch, Terminal())
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(messages.open_line, "width", 0)
    return terminal


def run_epoch(clock, epoch=9, epochs=10, steps=1563, seconds=5.0, verbose=1, known=True):
    callbacks = CallbackList(
        add_progbar=True, model=FakeModel(), verbose=verbose, epochs=epochs, steps=steps if known else None
    )
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(epoch)
    for i in range(steps):
        callbacks.on_train_batch_begin(i)
        clock.now += seconds / steps
        callbacks.on_train_batch_end(i, LOGS)
    callbacks.on_epoch_end(epoch, {**VALIDATION, **LOGS})
    callbacks.on_train_end()


def test_finished_epoch_in_file_output(clock, capsys):
    run_epoch(clock)
    assert capsys.readouterr().out == (
        "Epoch 10/10\n"
        f"1563/1563 {BAR} 5s 3ms/step - accuracy: 0.7729 - loss: 0.6437 - val_accuracy: 0.7071 - val_loss: 0.8690\n"
    )


def test_finished_epoch_in_a_terminal(clock, terminal):
    run_epoch(clock)
    assert screen(terminal.getvalue()) == [
        "Epoch 10/10",
        f"1563/1563 {BAR} 5s 3ms/step - accuracy: 0.7729 - loss: 0.6437 - val_accuracy: 0.7071 - val_loss: 0.8690",
        "",
    ]


def test_verbose_two_is_one_line(clock, capsys):
    run_epoch(clock, verbose=2)
    assert capsys.readouterr().out == (
        "Epoch 10/10\n1563/1563 - 5s - 3ms/step - accuracy: 0.7729 - loss: 0.6437 - val_accuracy: 0.7071"
        " - val_loss: 0.8690\n"
    )


def test_verbose_zero_is_silent(clock, capsys):
    run_epoch(clock, verbose=0)
    assert capsys.readouterr().out == ""


def test_auto_is_verbose_one_and_a_single_epoch_has_no_title(clock, capsys):
    run_epoch(clock, epoch=0, epochs=1, steps=2, verbose="auto")
    assert capsys.readouterr().out.startswith(f"2/2 {BAR} 5s")


def test_unknown_length(clock, terminal):
    callbacks = CallbackList(add_progbar=True, verbose=1, epochs=1, steps=None)
    callbacks.on_epoch_begin(0)
    for i in range(12):
        clock.now += 0.5
        callbacks.on_train_batch_end(i, LOGS)
    assert screen(terminal.getvalue()) == ["     12/Unknown 6s 500ms/step - accuracy: 0.7729 - loss: 0.6437"]
    callbacks.on_epoch_end(0, LOGS)
    assert screen(terminal.getvalue())[0].startswith(f"12/12 {BAR} 6s")
    callbacks.on_epoch_begin(1)
    callbacks.on_train_batch_end(0, LOGS)
    assert screen(terminal.getvalue())[1].startswith(" 1/12 ━")


def test_colors_only_in_a_terminal(clock, terminal):
    run_epoch(clock, steps=4)
    drawn = terminal.getvalue().split("\r")[2]
    assert drawn.startswith(
        "\x1b[1m2/4\x1b[0m \x1b[32m━━━━━━━━━━\x1b[0m\x1b[37m━━━━━━━━━━\x1b[0m \x1b[1m2s\x1b[0m 1s/step"
    )


def test_moving_bar_never_wraps_and_is_erased_completely(clock, terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    bar = Progbar(10, stateless_metrics=())
    bar.update(1, [("a_long_name_of_a_metric", 0.1), ("another_long_name", 0.2)])
    clock.now += 1
    bar.update(2, [])
    assert len(screen(terminal.getvalue())[0]) == 59
    bar._values.clear()
    clock.now += 1
    bar.update(3, [("x", 1.0)])
    assert screen(terminal.getvalue()) == [f" 3/10 {BAR} 7s 1s/step - x: 1.0000"]


def test_messages_are_printed_on_their_own_line(clock, terminal):
    callbacks = CallbackList(add_progbar=True, verbose=1, epochs=2, steps=2)
    callbacks.on_epoch_begin(0)
    clock.now += 1
    callbacks.on_train_batch_end(0, LOGS)
    print_message("Epoch 1: something happened")
    clock.now += 1
    callbacks.on_train_batch_end(1, LOGS)
    callbacks.on_epoch_end(0, LOGS)
    assert screen(terminal.getvalue()) == [
        "Epoch 1/2",
        "Epoch 1: something happened",
        f"2/2 {BAR} 2s 1s/step - accuracy: 0.7729 - loss: 0.6437",
        "",
    ]


def test_interrupted_bar_ends_its_line(clock, terminal):
    Progbar(10).update(1, [("loss", 0.5)])
    messages.open_line.end()
    messages.open_line.end()
    assert terminal.getvalue().endswith("loss: 0.5000\n")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.00025, "250us/step"), (0.0449, "45ms/step"), (1.6, "2s/step"), (0, "0s/step")]
)
def test_step_time_format(seconds, text):
    assert progress.format_step_time(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.64372, "0.6437"), (12345.6, "12345.6000"), (1.2e-4, "1.2000e-04"), (-3e-5, "-3.0000e-05"), (0, "0.0000e+00")],
)
def test_number_format(value, text):
    assert progress.format_value(value) == text


def test_eta_excludes_the_first_step(clock, terminal):
    bar = Progbar(5)
    clock.now += 60
    bar.update(1)
    clock.now += 2
    bar.update(2)
    assert screen(terminal.getvalue()) == [f"2/5 {BAR} 6s 2s/step"]


def run_pieces(clock, callbacks, ends, first=0, validation=None):
    """An epoch of 1 ms steps in executions that each add 5 ms; `ends` counts the steps done after each execution."""
    callbacks.on_epoch_begin(1)
    done = first
    for end in ends:
        callbacks.on_train_batch_begin(done)
        clock.now += 0.001 * (end - done) + 0.005
        done = end
        callbacks.on_train_batch_end(done - 1, LOGS)
    if validation is not None:
        callbacks.on_test_begin()
        clock.now += validation
        callbacks.on_test_end(LOGS)
    callbacks.on_epoch_end(1, LOGS)


@pytest.mark.parametrize("verbose", [1, 2])
@pytest.mark.parametrize("ends", [[1000], [999, 1000], [400, 800, 1000], [1, 17, 1000]])
def test_step_time_averages_all_steps(clock, capsys, ends, verbose):
    callbacks = CallbackList(add_progbar=True, model=FakeModel(), verbose=verbose, epochs=2, steps=1000)
    callbacks.on_train_begin()
    run_pieces(clock, callbacks, ends)
    assert " 1ms/step" in capsys.readouterr().out


def test_step_time_excludes_compilation_in_the_first_execution(clock, capsys):
    callbacks = CallbackList(add_progbar=True, model=FakeModel(), verbose=2, epochs=2, steps=1000)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    for done, seconds in ((1, 30.0), (17, 0.032), (1000, 1.966)):
        clock.now += seconds
        callbacks.on_train_batch_end(done - 1, LOGS)
    callbacks.on_epoch_end(0, LOGS)
    assert "1000/1000 - 32s - 2ms/step" in capsys.readouterr().out


@pytest.mark.parametrize("validation", [None, 5.0])
def test_step_time_excludes_validation_and_other_callbacks(clock, capsys, validation):
    class Slow(Callback):
        def on_test_begin(self, logs=None):
            clock.now += 7

        def on_epoch_end(self, epoch, logs=None):
            clock.now += 9

    callbacks = CallbackList([Slow()], add_progbar=True, model=FakeModel(), verbose=2, epochs=2, steps=100)
    callbacks.on_train_begin()
    run_pieces(clock, callbacks, [99, 100], validation=validation)
    total = 9 if validation is None else 21
    assert f"100/100 - {total}s - 1ms/step" in capsys.readouterr().out


def test_step_time_excludes_steps_of_an_interrupted_run(clock, capsys):
    callbacks = CallbackList(add_progbar=True, model=FakeModel(), verbose=2, epochs=2, steps=1000)
    callbacks.on_train_begin()
    run_pieces(clock, callbacks, [999, 1000], first=900)
    assert "1000/1000 - 0s - 1ms/step" in capsys.readouterr().out


def test_loss_is_visible_before_a_finished_line_wraps(clock, terminal):
    logs = {"a_metric_with_a_long_name": 0.5, "another_metric": 0.25, "loss": 0.6437, "val_loss": 0.7}
    callbacks = CallbackList(add_progbar=True, model=FakeModel(), verbose=1, epochs=1, steps=2)
    callbacks.on_epoch_begin(0)
    for i in range(2):
        clock.now += 1
        callbacks.on_train_batch_end(i, logs)
        assert "- loss: 0.6437" in screen(terminal.getvalue())[0]
    callbacks.on_epoch_end(0, logs)
    assert screen(terminal.getvalue())[0] == (
        f"2/2 {BAR} 2s 1s/step - loss: 0.6437 - a_metric_with_a_long_name: 0.5000 - another_metric: 0.2500"
        " - val_loss: 0.7000"
    )


def test_eta_in_hours(clock, terminal):
    bar = Progbar(7201)
    clock.now += 1
    bar.update(1)
    assert "2:00:00 1s/step" in screen(terminal.getvalue())[0]


@pytest.mark.parametrize("options", [{}, {"stateful_metrics": ["b"]}, {"stateless_metrics": ["a"]}])
def test_averages_equal_keras(options, capsys, monkeypatch, clock):
    keras = pytest.importorskip("keras")
    from keras.src.utils import progbar as theirs

    monkeypatch.setattr(theirs, "time", types.SimpleNamespace(time=clock))
    lines = []
    for kind in (Progbar, keras.utils.Progbar):
        clock.now = 100.0
        bar = kind(10, verbose=2, unit_name="sample", **options)
        for i, value in ((2, 1.0), (3, 4.0), (10, 0.5)):
            clock.now += 3
            bar.update(i, [("a", value), ("b", value)], finalize=False)
        bar.update(10, finalize=True)
        lines.append(capsys.readouterr().out.strip())
    # Keras times the first update from the start of the run unless it is step 1 alone.
    assert lines[0].split(" - ")[3:] == lines[1].split(" - ")[3:]
    assert lines[0].startswith("10/10 - 9s - ")


def test_every_update_is_written_to_a_file_without_an_interval(clock, capsys):
    bar = Progbar(3, interval=0.0, stateful_metrics=["b"])
    for i in range(3):
        bar.update(i + 1, [("a", float(i)), ("b", float(i))])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[1].endswith(" - a: 0.5000 - b: 1.0000")


def test_both_metrics_arguments_raise():
    with pytest.raises(ValueError, match="not both"):
        Progbar(1, stateful_metrics=[], stateless_metrics=[])


def test_add_counts_steps(clock, capsys):
    bar = Progbar(4, verbose=2)
    bar.add(2, [("a", 1.0)])
    bar.add(2, [("a", 2.0)])
    assert capsys.readouterr().out == "4/4 - 0s - 0s/step - a: 2.0000\n"


class CountingLogs(dict):
    reads = 0

    def items(self):
        self.reads += 1
        return super().items()


def test_logs_are_read_only_when_drawn(clock, terminal):
    callbacks = CallbackList(add_progbar=True, verbose=1, epochs=1, steps=1000)
    callbacks.on_epoch_begin(0)
    logs = CountingLogs(LOGS)
    for i in range(999):
        callbacks.on_train_batch_end(i, logs)
        clock.now += 0.01
    assert logs.reads == 100  # ten times per second for ten seconds
    before = logs.reads
    callbacks.on_train_batch_end(999, logs)
    assert logs.reads == before + 1  # the last update is always drawn
    assert terminal.writes == 101


def test_evaluation_inside_fit_is_silent(clock, capsys):
    callbacks = CallbackList(add_progbar=True, verbose=1, epochs=1, steps=1)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    callbacks.on_train_batch_end(0, LOGS)
    callbacks.on_test_begin()
    callbacks.on_test_batch_end(0, LOGS)
    callbacks.on_test_end(LOGS)
    assert capsys.readouterr().out == ""
    callbacks.on_epoch_end(0, LOGS)
    callbacks.on_train_end()
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("mode", ["test", "predict"])
def test_evaluation_and_prediction_show_a_bar(mode, clock, capsys):
    callbacks = CallbackList(add_progbar=True, verbose=1, epochs=1, steps=1)
    getattr(callbacks, f"on_{mode}_begin")()
    getattr(callbacks, f"on_{mode}_batch_end")(0, LOGS)
    getattr(callbacks, f"on_{mode}_end")(LOGS)
    metrics = " - accuracy: 0.7729 - loss: 0.6437" if mode == "test" else ""
    assert capsys.readouterr().out == f"1/1 {BAR} 0s 0s/step{metrics}\n"


def test_partial_epoch_shows_the_steps_done(clock, capsys):
    callbacks = CallbackList(add_progbar=True, verbose=1, epochs=1, steps=4)
    callbacks.on_epoch_begin(0)
    callbacks.on_train_batch_end(0, LOGS)
    callbacks.on_epoch_end(0, LOGS)
    assert capsys.readouterr().out.startswith("1/4 ")


def test_output_encoding_without_the_bar_characters(clock, monkeypatch):
    out = set_output(monkeypatch, io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    run_epoch(clock, epochs=1, steps=1)
    out.seek(0)
    assert "1/1 " + "=" * 20 in out.read()


def test_no_standard_output(clock, monkeypatch):
    set_output(monkeypatch, None)
    run_epoch(clock, steps=2)


def test_dumb_terminal_is_treated_as_a_file(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert messages.place() == "file"


# -- notebooks --------------------------------------------------------------------------------------------------------
@pytest.fixture
def notebook(monkeypatch):
    """Records the displays sent to the kernel as `(is an update, data, id)`."""
    shown = []
    module = types.ModuleType("IPython.display")
    module.display = lambda data, raw, display_id: shown.append((False, data, display_id))
    module.update_display = lambda data, raw, display_id: shown.append((True, data, display_id))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    set_output(monkeypatch, type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})())
    return shown


def test_notebook_updates_one_output_per_epoch(clock, notebook):
    run_epoch(clock, steps=4, seconds=4.0)
    assert messages.sys.stdout.getvalue() == ""
    assert [update for update, _, _ in notebook] == [False] + [True] * 5
    assert len({name for _, _, name in notebook}) == 1
    assert notebook[0][1]["text/plain"] == "Epoch 10/10"
    last = notebook[-1][1]
    assert last["text/plain"].split("\n") == [
        "Epoch 10/10",
        f"4/4 {BAR} 4s 1s/step - accuracy: 0.7729 - loss: 0.6437 - val_accuracy: 0.7071 - val_loss: 0.8690",
    ]
    assert last["text/html"].startswith("<pre") and "\x1b" not in last["text/html"]


def test_names_are_escaped_in_html(clock, notebook):
    Progbar(1).update(1, [("<b>", 1.0)])
    assert "&lt;b&gt;: 1.0000" in notebook[-1][1]["text/html"]


def test_captured_notebook_output_is_plain_text(clock, notebook, monkeypatch):
    captured = set_output(monkeypatch, io.StringIO())
    run_epoch(clock, steps=1)
    assert notebook == []
    assert captured.getvalue().startswith("Epoch 10/10\n1/1 ")


# -- a real terminal --------------------------------------------------------------------------------------------------
PROGRAM = """
import sys, time
from jaxkeras.callbacks import CallbackList
callbacks = CallbackList(add_progbar=True, verbose=1, epochs=2, steps=30)
for epoch in range(2):
    callbacks.on_epoch_begin(epoch)
    for i in range(30):
        time.sleep(0.01)
        callbacks.on_train_batch_end(i, {"loss": 1.0 / (i + 1), "accuracy": 0.5})
    callbacks.on_epoch_end(epoch, {"loss": 0.5, "accuracy": 0.5, "val_loss": 1.0})
assert "IPython" not in sys.modules
"""


def test_pseudo_terminal():
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=slave, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    )
    os.close(slave)
    received = b""
    while True:
        try:
            received += os.read(master, 4096)
        except OSError:  # the child has closed its end
            break
    assert child.wait() == 0
    os.close(master)
    text = received.decode().replace("\r\n", "\n")
    lines = screen(text)
    assert [line.split(" ")[0] for line in lines] == ["Epoch", "30/30", "Epoch", "30/30", ""]
    assert lines[1].endswith("- accuracy: 0.5000 - loss: 0.5000 - val_loss: 1.0000")
    assert 6 <= text.count("\r") <= 14  # redrawn ten times a second


def test_short_work_is_silent_and_long_work_takes_two_lines(capsys):
    with progress.progress("Reading", 3, "file") as advance:
        advance(3)
    assert capsys.readouterr().out == ""
    for item in track(range(4), "Reading", 4, "file", after=0.0):
        assert item < 4
    title, line = capsys.readouterr().out.splitlines()
    assert title == "Reading" and line.startswith("4/4 ━") and line.endswith("/file")


def test_work_is_silent_without_interactive_logging(capsys):
    jk.config.disable_interactive_logging()
    try:
        assert list(track(range(4), "Reading", 4, after=0.0)) == [0, 1, 2, 3]
    finally:
        jk.config.enable_interactive_logging()
    assert capsys.readouterr() == ("", "")
