"""How a machine is reached: install two files, start one process, exchange lines with it.

`local.py` and `ssh.py` implement these two protocols; `cluster.connection` is the only caller.
Invariant: everything here ends. A reader gets the end of the stream when the other side, the transport or `close`
ends it, and every step before the process runs has a deadline.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

MAX_LINE = 64 * 1024 * 1024
"""Bytes. A longer line ends the connection: nothing the agent answers comes near it."""


class Channel(Protocol):
    """The process' three streams. `send` and `lines` are each used by one thread, the rest by any."""

    heard: float
    "time.monotonic() of the last byte that came"

    def send(self, data: bytes) -> None:
        """Writes all of it; may block as long as the other side does not read. Raises OSError when it is gone."""
        ...

    def lines(self) -> Iterator[bytes]:
        """Lines of its stdout without their newline, until it ends. Raises OSError."""
        ...

    def errors(self) -> str:
        """The last lines of its stderr, as they came."""
        ...

    def exit_code(self) -> int | None:
        """How it ended; None: it runs, or that is not known."""
        ...

    def close(self, kill: bool = False) -> None:
        """Closes its stdin, which ends the agent once it finished what it began. `kill`: it is hung, end it now."""
        ...


class Machine(Protocol):
    """An edge node."""

    def install(self, folder: str, files: Mapping[str, bytes]) -> str:
        """Puts `files` into the private `folder` (0700, `~` is the home over there), each replaced atomically.

        Returns the folder's absolute path. Raises Unreachable.
        """
        ...

    def start(self, argv: Sequence[str], env: Mapping[str, str]) -> Channel:
        """Starts a process without a terminal. Closing its channel closes the machine. Raises Unreachable."""
        ...

    def close(self) -> None: ...


class Tail:
    """The newest lines of a stream nobody reads, bounded."""

    def __init__(self, lines: int = 20) -> None:
        self._lines: deque[bytes] = deque(maxlen=lines)
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._lines.extend(line[:1000] for line in whole if line.strip())
        self._rest = self._rest[-1000:]

    def text(self) -> str:
        rest = [self._rest] if self._rest.strip() else []
        return b"\n".join([*self._lines, *rest]).decode(errors="replace")


def split_lines(read: Callable[[], bytes], heard: Callable[[float], None]) -> Iterator[bytes]:
    """Lines of a stream that `read` gives in pieces (b"" is its end). Raises OSError for a line above MAX_LINE."""
    pieces: list[bytes] = []
    size = 0
    while data := read():
        heard(time.monotonic())
        *whole, rest = data.split(b"\n")
        for line in whole:
            yield b"".join([*pieces, line])
            pieces, size = [], 0
        if rest:
            pieces.append(rest)
            size += len(rest)
        if size > MAX_LINE:
            raise OSError(f"a line of more than {MAX_LINE} bytes")
