"""A program on a pseudo terminal of our own: what it writes and when, what stands on its screen, what it costs.

Invariant: the terminal is always read, so the program never waits for us; a moment is taken right after the bytes
were read and before anything is done with them. The screen is emulated as far as full-screen programs of today need
it: cursor placing, erasing, wide characters; colours are skipped. Called by `console_pty`.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.cells import cell_len

_TOKEN = re.compile(
    r"\x1b\[(?P<private>[?<=>]?)(?P<numbers>[0-9;:]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]P_^][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()*+].|\x1b[=>78DEHMNOZc]|(?P<text>[^\x00-\x1f\x7f]+)|(?P<control>[\x00-\x1f\x7f])"
)
_COMPILED = tempfile.TemporaryDirectory(prefix="hbase-ferry-bench-")
_TICKS = os.sysconf("SC_CLK_TCK")


class Screen:
    """The characters on the terminal."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._cells = [[" "] * columns for _ in range(rows)]
        self._x = self._y = 0
        self._rest = ""
        self._bytes = b""

    def feed(self, data: bytes) -> None:
        """Takes what the program wrote; a sequence that is cut at the end waits for its rest."""
        text = self._decoded(data)
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                break
            if match["text"]:
                self._write(match["text"])
            elif match["control"]:
                if match["control"] == "\x1b":
                    break
                self._control(match["control"])
            elif match["final"] and not match["private"]:
                self._sequence(match["final"], match["numbers"])
            position = match.end()
        self._rest = text[position:]

    def text(self) -> str:
        return "\n".join("".join(row) for row in self._cells)

    def _decoded(self, data: bytes) -> str:
        data = self._bytes + data
        end = len(data)
        for back in range(1, min(4, len(data)) + 1):
            byte = data[-back]
            if byte & 0xC0 == 0xC0:
                need = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                end = len(data) - back if need > back else end
            if byte & 0xC0 != 0x80:
                break
        self._bytes = data[end:]
        return self._rest + data[:end].decode("utf-8", "replace")

    def _write(self, text: str) -> None:
        for character in text:
            width = 1 if character < "\u0300" else cell_len(character)
            if self._x + width > self.columns:
                self._x, self._y = 0, min(self._y + 1, self.rows - 1)
            if width:
                row = self._cells[self._y]
                row[self._x : self._x + width] = [character] + [""] * (width - 1)
                self._x += width

    def _control(self, character: str) -> None:
        if character == "\r":
            self._x = 0
        elif character == "\n":
            self._y = min(self._y + 1, self.rows - 1)
        elif character == "\b":
            self._x = max(0, self._x - 1)

    def _sequence(self, final: str, numbers: str) -> None:
        given = [int(number) if number.isdigit() else 0 for number in numbers.split(";")]
        first = given[0]
        if final in "Hf":
            self._y = min(max(first, 1), self.rows) - 1
            self._x = min(max(given[1] if len(given) > 1 else 1, 1), self.columns) - 1
        elif final == "J" and first == 2:
            self._cells = [[" "] * self.columns for _ in range(self.rows)]
        elif final == "K":
            start, end = (0, self._x + 1) if first == 1 else (self._x if first == 0 else 0, self.columns)
            self._cells[self._y][start:end] = [" "] * (end - start)
        elif final == "G":
            self._x = min(max(first, 1), self.columns) - 1
        elif final in "ABCD":
            self._move(final, max(1, first))

    def _move(self, final: str, by: int) -> None:
        dx, dy = {"A": (0, -by), "B": (0, by), "C": (by, 0), "D": (-by, 0)}[final]
        self._x = min(max(self._x + dx, 0), self.columns - 1)
        self._y = min(max(self._y + dy, 0), self.rows - 1)


class Program:
    """A program that runs on its own terminal. `started` is the moment right before it was started."""

    def __init__(
        self, argv: Sequence[str], columns: int = 120, rows: int = 40, env: Mapping[str, str] | None = None
    ) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen = Screen(columns, rows)
        self.received = 0
        self.moments: list[tuple[float, int]] = []
        "when how many bytes came"
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            list(argv), stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=_environment(env),
            preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(slave)

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self, seconds: float) -> float | None:
        """Waits until something comes and puts it on the screen; the moment it came. None: nothing came."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        if not ready:
            return None
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            data = b""
        moment = time.monotonic()
        if not data:
            code = self._process.wait()
            raise RuntimeError(f"the program ended with exit code {code}:\n{self.screen.text().rstrip()}")
        self.received += len(data)
        self.moments.append((moment, len(data)))
        self.screen.feed(data)
        return moment

    def watch(self, seconds: float) -> None:
        """Reads whatever comes for that long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)

    def quiet(self, seconds: float, within: float = 5.0) -> bool:
        """Reads until nothing came for `seconds`. False: that did not happen."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            if self.read(seconds) is None:
                return True
        return False

    def until(self, shown: Callable[[str], bool], within: float) -> float | None:
        """The moment at which the bytes came that made `shown(screen)` true. None: it never was."""
        end = time.monotonic() + within
        if shown(self.screen.text()):
            return time.monotonic()
        while (left := end - time.monotonic()) > 0:
            moment = self.read(left)
            if moment is not None and shown(self.screen.text()):
                return moment
        return None

    def press(self, keys: bytes) -> float:
        """Types; the moment right before."""
        moment = time.monotonic()
        os.write(self._master, keys)
        return moment

    def cpu_seconds(self) -> float:
        """User and system time of the program and everything it started."""
        return sum(_cpu_seconds(pid) for pid in self._tree())

    def rss_bytes(self) -> int:
        """Resident memory of the program and everything it started."""
        return sum(_rss_bytes(pid) for pid in self._tree())

    def end(self) -> None:
        """SIGHUP, as a terminal that is closed sends; SIGKILL to the session where that is not heard."""
        os.close(self._master)
        try:
            self._process.send_signal(signal.SIGHUP)
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _tree(self) -> list[int]:
        pids = [self._process.pid]
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                pids += [int(child) for child in _content(task).split()]
        return pids


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    """Ours, with the terminal that the figures speak of: 256 colours and no further promises.

    Modules are compiled once and kept, as an installed program's are, in a folder that is shared by all starts.
    """
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "COLORTERM", "NO_COLOR", "TERM_PROGRAM", "TMUX", "STY",
               "COLUMNS", "LINES")  # fmt: skip
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    own = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPYCACHEPREFIX": _COMPILED.name}
    return kept | own | dict(more or {})


def _content(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _cpu_seconds(pid: int) -> float:
    fields = _content(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:13]) / _TICKS if fields else 0.0


def _rss_bytes(pid: int) -> int:
    fields = _content(Path(f"/proc/{pid}/statm")).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0
