"""This machine as the edge node: the agent as a child process over pipes. Used by `cluster.connection`.

Invariant: the agent runs in a session of its own, so that a Ctrl-C in the terminal does not reach it; when we die
it reads the end of its stdin, finishes what it began and ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hbase_ferry.errors import Unreachable
from hbase_ferry.remote.channel import Tail, split_lines

LINGER_SECONDS = 75.0
"""The agent gives what it began 60 s after its stdin ended; what still lives after this is killed."""


class LocalMachine:
    """This machine."""

    def install(self, folder: str, files: Mapping[str, bytes]) -> str:
        try:
            home = Path(folder).expanduser().absolute()
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            home = home.resolve(strict=True)
            if home.stat().st_uid != os.getuid():
                raise Unreachable(f"{home} belongs to another user; choose a work_dir of your own")
            if stat.S_IMODE(home.stat().st_mode) != 0o700:
                home.chmod(0o700)
            for name, content in files.items():
                _replace(home / name, content)
        except OSError as error:
            raise Unreachable(f"cannot put the agent into {folder}: {error}") from error
        return str(home)

    def start(self, argv: Sequence[str], env: Mapping[str, str]) -> LocalChannel:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **env},
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise Unreachable(f"cannot start {argv[0]}: {error.strerror or error}") from error
        return LocalChannel(process)

    def close(self) -> None:
        """Nothing is held."""


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


class LocalChannel:
    """A child process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.heard = time.monotonic()
        self._process = process
        self._tail = Tail()
        self._drain = threading.Thread(target=self._drain_errors, name="agent stderr", daemon=True)
        self._drain.start()

    @property
    def pid(self) -> int:
        """Of the process, which leads its own process group."""
        return self._process.pid

    def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        view = memoryview(data)
        try:
            while view:
                view = view[self._process.stdin.write(view) :]
        except ValueError as error:  # closed meanwhile
            raise OSError("closed") from error

    def lines(self) -> Iterator[bytes]:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        return split_lines(lambda: os.read(descriptor, 1 << 16), self._set_heard)

    def _set_heard(self, moment: float) -> None:
        self.heard = moment

    def errors(self) -> str:
        if self._process.poll() is not None:
            self._drain.join(0.5)
        return self._tail.text()

    def exit_code(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(0.5)
        return None

    def close(self, kill: bool = False) -> None:
        if kill:
            self._kill()
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)
            return
        threading.Thread(target=self._reap, name="agent reaper", daemon=True).start()

    def _reap(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LINGER_SECONDS)
            return
        self._kill()
        self._process.wait()

    def _kill(self) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _drain_errors(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(self._process.stderr.fileno(), 1 << 14):
                self._tail.feed(data)
