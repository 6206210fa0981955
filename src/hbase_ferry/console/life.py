"""How the console ends when nobody pressed a key: signals, a terminal that went away, a call that hangs.

Invariant: SIGHUP and SIGTERM end the app with its terminal restored; where SIGHUP is ignored (nohup, sudo) a lost
terminal is noticed within seconds, since Textual's input loop would spin on it; leaving never waits for a thread.
Called by `app`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from types import FrameType
from typing import TextIO

from hbase_ferry.errors import ConfigError, Problem

GRACE_SECONDS = 2.0
INTERRUPTED = 130
"Exit code after a signal or a lost terminal, as everywhere in the command line."


def on_signals(loop: asyncio.AbstractEventLoop, leave: Callable[[int], None]) -> None:
    """SIGHUP and SIGTERM call `leave(exit code)` on the loop; a hard end follows should the loop be stuck, as it is
    behind a terminal that takes nothing more: so the handler is the interpreter's, not the loop's."""

    def received(_number: int, _frame: FrameType | None) -> None:
        hard_end(INTERRUPTED)
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(leave, INTERRUPTED)

    for number in (signal.SIGHUP, signal.SIGTERM):
        with contextlib.suppress(ValueError):
            signal.signal(number, received)


def hard_end(code: int, after: float = GRACE_SECONDS) -> None:
    """Ends the process after `after` seconds whatever its threads do, unless it has ended by itself."""
    threading.Thread(target=_end, args=(code, after), name="hard end", daemon=True).start()


def _end(code: int, after: float) -> None:
    time.sleep(after)
    os._exit(code)


def watch_terminal(
    loop: asyncio.AbstractEventLoop, leave: Callable[[int], None], every: float = 2.0, fd: int | None = None
) -> threading.Event:
    """Looks every few seconds whether the terminal is still there. Setting the returned event ends the watch."""
    gone = threading.Event()
    descriptor = sys.__stdin__.fileno() if fd is None and sys.__stdin__ else fd
    if descriptor is None or not os.isatty(descriptor):
        return gone

    def watch() -> None:
        while not gone.wait(every):
            if not alive(descriptor):
                hard_end(INTERRUPTED)
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(leave, INTERRUPTED)
                return

    threading.Thread(target=watch, name="terminal watch", daemon=True).start()
    return gone


def alive(descriptor: int) -> bool:
    """Whether the terminal still answers (a hung-up one gives EIO)."""
    try:
        termios.tcgetattr(descriptor)
    except (termios.error, OSError):
        return False
    return True


def check_terminal(environ: MutableMapping[str, str]) -> None:
    """Refuses TERM=dumb; keeps GNU screen from being sent colours it cannot read. Raises ConfigError."""
    term = environ.get("TERM", "")
    if term in ("", "dumb"):
        raise ConfigError([Problem("TERM", 0, "", f"a terminal of kind {term!r} cannot show the console; "
                                                  "use `hbase-ferry status` or set TERM")])  # fmt: skip
    if term.startswith("screen") and "STY" in environ:
        environ.pop("COLORTERM", None)
    environ.setdefault("TEXTUAL_ANIMATIONS", "none")


def check_streams() -> None:
    """Refuses to draw where no terminal is. Raises ConfigError."""
    if not (_is_terminal(sys.__stdin__) and _is_terminal(sys.__stderr__)):
        raise ConfigError([Problem("terminal", 0, "", "standard input or error is no terminal, so that the console "
                                                      "cannot be shown; use `hbase-ferry status`")])  # fmt: skip


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and os.isatty(stream.fileno())
    except (OSError, ValueError):
        return False


def wants_plain(environ: Mapping[str, str]) -> bool:
    """Whether the operator asked for no colours (no-color.org), or the terminal has only 16."""
    return bool(environ.get("NO_COLOR")) or environ.get("TERM", "") in ("linux", "vt100", "vt220")


def lingering() -> bool:
    """Whether a thread is left for which the interpreter would wait: a look at a cluster that hangs."""
    return any(not each.daemon for each in threading.enumerate() if each is not threading.main_thread())


def close_within(close: Callable[[], None], seconds: float = 1.0) -> bool:
    """Closes in a thread and waits at most `seconds`. False: it is still at it, and the process should just end."""
    done = threading.Event()

    def work() -> None:
        with contextlib.suppress(Exception):
            close()
        done.set()

    threading.Thread(target=work, name="close", daemon=True).start()
    return done.wait(seconds)
