"""How the console ends on a real terminal (a pty): a key, a hang-up, a terminal that is gone, a call that hangs."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hbase_ferry.console import life
from hbase_ferry.errors import ConfigError

HERE = Path(__file__).parent
PROGRAM = """
    import signal, sys, threading
    sys.path.insert(0, {here!r})
    {before}
    from builders import Ferry
    from hbase_ferry.console.app import run
    ferry = Ferry()
    {ferry}
    sys.exit(run(ferry))
"""


@contextmanager
def running(before: str = "", ferry: str = "") -> Iterator[tuple[int, int]]:
    """The console in a process of its own behind a pty, once its footer stands."""
    code = textwrap.dedent(PROGRAM).format(here=str(HERE), before=before, ferry=ferry)
    pid, descriptor = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="40")
        os.execv(sys.executable, [sys.executable, "-c", code])
    try:
        assert wait_for(descriptor, b"quit"), "the console did not come up"
        yield pid, descriptor
    finally:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        with suppress(OSError):
            os.close(descriptor)


def wait_for(descriptor: int, words: bytes, seconds: float = 60) -> bool:
    seen, end = b"", time.monotonic() + seconds
    while time.monotonic() < end and words not in seen:
        ready, _, _ = select.select([descriptor], [], [], 0.1)
        if ready:
            with suppress(OSError):
                seen += os.read(descriptor, 65536)
    return words in seen


def exit_code(pid: int, descriptor: int | None, seconds: float = 30) -> int | None:
    """The code with which it ended; None: it goes on. Reads its terminal meanwhile, as a terminal does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if descriptor is not None and select.select([descriptor], [], [], 0.05)[0]:
            with suppress(OSError):
                os.read(descriptor, 65536)
        elif descriptor is None:
            select.select([], [], [], 0.05)
    return None


def test_q_ends_with_code_0() -> None:
    with running() as (pid, descriptor):
        os.write(descriptor, b"q")
        assert exit_code(pid, descriptor) == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    with running() as (pid, descriptor):
        os.kill(pid, number)
        assert exit_code(pid, descriptor) == life.INTERRUPTED


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_it_behind_a_terminal_that_takes_nothing_more(number: signal.Signals) -> None:
    with running() as (pid, descriptor):
        for _ in range(200):  # each opens or closes the help page, and nobody reads what is drawn
            if not select.select([], [descriptor], [], 0.5)[1]:
                break
            os.write(descriptor, b"?")
            time.sleep(0.02)
        time.sleep(1)
        os.kill(pid, number)
        assert exit_code(pid, None) == life.INTERRUPTED


def test_without_a_terminal_it_says_so_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nowhere:
        monkeypatch.setattr(sys, "__stdin__", nowhere)
        with pytest.raises(ConfigError, match="standard input or error is no terminal"):
            life.check_streams()


def test_a_lost_terminal_ends_it_even_where_sighup_is_ignored() -> None:
    ignored = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    unhandled = "import hbase_ferry.console.life as life; life.on_signals = lambda *_: None"
    with running(before=f"{ignored}; {unhandled}") as (pid, descriptor):
        os.close(descriptor)
        assert exit_code(pid, None) == life.INTERRUPTED


def test_a_close_that_hangs_does_not_keep_the_process() -> None:
    with running(ferry="ferry.closing = lambda: threading.Event().wait(600)") as (pid, descriptor):
        os.write(descriptor, b"q")
        assert exit_code(pid, descriptor) == 0


def test_a_thread_that_never_ends_does_not_keep_the_process() -> None:
    before = "threading.Thread(target=lambda: threading.Event().wait(600)).start()"
    with running(before=before) as (pid, descriptor):
        os.write(descriptor, b"q")
        assert exit_code(pid, descriptor) == 0


def test_a_dumb_terminal_is_refused_with_what_to_use_instead() -> None:
    with pytest.raises(ConfigError, match="hbase-ferry status"):
        life.check_terminal({"TERM": "dumb"})


def test_gnu_screen_is_not_sent_colours_it_cannot_read() -> None:
    environ = {"TERM": "screen-256color", "STY": "1.pts-0", "COLORTERM": "truecolor"}
    life.check_terminal(environ)
    assert "COLORTERM" not in environ
    tmux = {"TERM": "screen-256color", "COLORTERM": "truecolor"}
    life.check_terminal(tmux)
    assert tmux["COLORTERM"] == "truecolor"


def test_no_color_asks_for_the_plain_theme() -> None:
    assert life.wants_plain({"NO_COLOR": "1", "TERM": "xterm-256color"})
    assert not life.wants_plain({"NO_COLOR": "", "TERM": "xterm-256color"})
