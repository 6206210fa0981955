"""Where the lab keeps things, and whose they are.

Everything lies in one ignored folder, `.lab` in the repository's root (`HBASE_FERRY_LAB` overrides it):

    .lab/cache/<hash>/        class paths and compiled helpers, shared by all labs
    .lab/{source,target,...}  the lab of `make lab`
    .lab/tests/<id>/<name>/   the lab or one server of one test session, gone when the session ends

Invariant: a folder belongs to whoever holds `flock` on its `lock` file. The kernel frees the lock when the holder
dies, so a folder whose lock is free and which is not marked ready has leftovers, and the next start ends them.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent


class LabError(Exception):
    """The lab could not do what was asked; the message says why and what to do."""


class Unavailable(LabError):
    """This machine cannot have a lab at all: a tool is missing, or the jars cannot be had."""


def base() -> Path:
    """The lab's folder, absolute."""
    return Path(os.environ.get("HBASE_FERRY_LAB") or REPO / ".lab").resolve()


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a kill at any moment, sees the old or the new content, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.chmod(mode)
    draft.replace(path)


class FolderLock:
    """Exclusive ownership of a folder for as long as this object is held open. Not inherited by children."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._fd = -1

    def try_acquire(self) -> bool:
        """True if the lock is ours now."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.stat(self.path).st_ino != os.fstat(fd).st_ino:
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError):
            os.close(fd)
            return False
        self._fd = fd
        return True

    def acquire(self, seconds: float, waiting: Callable[[], None] = lambda: None) -> None:
        """Wait for the lock; `waiting` is called once if somebody else has it. Raises LabError after `seconds`."""
        end = time.monotonic() + seconds
        if self.try_acquire():
            return
        waiting()
        while not self.try_acquire():
            if time.monotonic() > end:
                raise LabError(f"{self.path} has been held by another process for {seconds:.0f} s; try again later")
            time.sleep(0.1)

    def keep(self) -> Path:
        """Hold the lock until this process ends; returns the folder."""
        self._fd = -1
        return self.path.parent

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@cache
def session() -> Path:
    """This process' own folder below `.lab/tests`, locked until the process ends."""
    lock = FolderLock(base() / "tests" / f"{os.getpid()}-{secrets.token_hex(4)}")
    lock.acquire(10.0)
    folder = lock.keep()
    atexit.register(remove, folder)
    return folder


def remove(folder: Path) -> None:
    """Delete a folder with everything in it. A folder that is not there is fine."""
    shutil.rmtree(folder, ignore_errors=True)
