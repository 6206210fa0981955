"""How the servers of a lab stand and fall together: one folder, one lock, records of every process.

Invariant: at most one lab lives in a folder. `up` owns the folder's lock while it works (a session's own lab keeps it
until `down`), ends whatever an earlier, killed run left there, and marks the lab ready last. The kinds of lab are
`crossing.Lab` and `bigtable.BigtableLab`; the command line and the tests' fixtures start them.
"""

from __future__ import annotations

import json
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from lab import jars
from lab.places import FolderLock, LabError, base, remove, session, write_whole
from lab.process import Registry

_READY_SECONDS = 180.0
_LOCK_SECONDS = 1200.0


def silent(text: str) -> None:
    """Says nothing."""


class Member(Protocol):
    """One server, or one cluster of them, of a lab."""

    name: str
    owned: bool

    def lay_out(self) -> None: ...

    def launch(self) -> None: ...

    def await_ready(self, seconds: float) -> None: ...

    @property
    def running(self) -> bool: ...


class Rehearsal(ABC):
    """A lab of one kind. Build it with `up` or `attach`."""

    PLACE: ClassVar[str]
    "folder of this kind's lab below the lab's folder; empty: that folder itself"
    FILES: ClassVar[tuple[str, ...]]
    "what a lab of this kind leaves in its folder besides `lab.json`"
    FOLDERS: ClassVar[tuple[str, ...]]

    def __init__(self, root: Path, state: dict[str, Any]) -> None:
        self.root = root
        self._state = state
        self.run: str = state["run"]
        self.registry = Registry(root / "processes" / self.run)
        self._lock = FolderLock(root)

    @property
    @abstractmethod
    def members(self) -> Sequence[Member]:
        """Every server, in the order of starting."""

    @classmethod
    @abstractmethod
    def _plan(cls, say: Callable[[str], None], **choices: Any) -> dict[str, Any]:
        """Jars, ports and choices of a new lab, as `lab.json` keeps them."""

    @classmethod
    def home(cls) -> Path:
        """The folder of the lab that the command line starts."""
        return base() / cls.PLACE if cls.PLACE else base()

    @classmethod
    def up(
        cls,
        root: Path | None = None,
        *,
        owned: bool = False,
        say: Callable[[str], None] = silent,
        fill: Callable[[Self], None] | None = None,
        **choices: Any,
    ) -> Self:
        """Ready servers in `root` (default: the lab's folder; for an owned one a folder of this process).

        owned False: a complete lab that already runs there is taken as it is; a new one outlives this process.
        owned True: always new and empty; it ends with this process, however that ends.
        fill: what else belongs to a complete lab; called under the lock, for a lab that already runs as well.
        choices: of the kind of lab, for a new one. Raises LabError.
        """
        sweep()
        root = (root or (session() / (cls.PLACE or "lab") if owned else cls.home())).resolve()
        lock = FolderLock(root)
        lock.acquire(_LOCK_SECONDS, lambda: say("another start or stop of this lab is at work: waiting for it"))
        try:
            lab = None if owned else cls._running(root)
            if lab is None:
                end_leftovers(root, say)
                cls._forget(root)
                lab = cls._start(root, owned, say, **choices)
            if fill:
                lab._mark(ready=False)
                fill(lab)
            lab._mark(ready=True)
        except BaseException:
            lock.release()
            raise
        if owned:
            lab._lock = lock
        else:
            lock.release()
        return lab

    @classmethod
    def _start(cls, root: Path, owned: bool, say: Callable[[str], None], **choices: Any) -> Self:
        jars.require_tools()
        begun = time.monotonic()
        state = {"run": secrets.token_hex(6), **cls._plan(say, **choices)}
        say(f"jars are there ({time.monotonic() - begun:.1f} s)")
        lab = cls(root, state)
        lab._mark(ready=False)
        for member in lab.members:
            member.owned = owned
            member.lay_out()
            member.launch()
        for member in lab.members:
            member.await_ready(_READY_SECONDS)
            say(f"{member.name} is ready ({time.monotonic() - begun:.1f} s)")
        return lab

    def _mark(self, *, ready: bool) -> None:
        write_whole(self.root / "lab.json", json.dumps(self._state | {"ready": ready}, indent=1))

    @classmethod
    def attach(cls, root: Path | None = None) -> Self:
        """The complete lab that runs in `root`. Raises LabError where there is none."""
        root = (root or cls.home()).resolve()
        lab = cls._running(root)
        if lab is None:
            raise LabError(f"no lab runs in {root}; start one with `make lab{f'-{cls.PLACE}' if cls.PLACE else ''}`")
        return lab

    def down(self) -> None:
        """End every process of an owned lab, jobs and agents started through its commands too; delete its data."""
        self.registry.end_all()
        remove(self.root)
        self._lock.release()

    @classmethod
    def take_down(cls, say: Callable[[str], None] = silent) -> int:
        """End whatever of the command line's lab runs and delete its data; returns how many processes that were."""
        root = cls.home()
        lock = FolderLock(root)
        lock.acquire(_LOCK_SECONDS, lambda: say("a start of this lab is at work: waiting for it"))
        try:
            ended = end_leftovers(root)
            cls._forget(root)
            return ended
        finally:
            lock.release()

    def rss_mb(self) -> dict[str, int]:
        """Resident memory of every living process, by name."""
        return {process.name: process.rss_mb() for process in self.registry.living()}

    @classmethod
    def _forget(cls, root: Path) -> None:
        for name in ("lab.json", *cls.FILES):
            (root / name).unlink(missing_ok=True)
        for name in ("processes", *cls.FOLDERS):
            remove(root / name)

    @classmethod
    def _running(cls, root: Path) -> Self | None:
        """The lab in `root` if it is complete and every server lives."""
        try:
            state = json.loads((root / "lab.json").read_text())
            lab = cls(root, state)
        except (OSError, ValueError, KeyError):
            return None
        return lab if state.get("ready") and all(member.running for member in lab.members) else None


def end_leftovers(root: Path, say: Callable[[str], None] = silent) -> int:
    """End every process an earlier run in `root` recorded; returns how many. The caller holds the folder's lock."""
    ended = 0
    for records in sorted(root.glob("processes/*")):
        for process in Registry(records).end_all():
            say(f"ended {process.name} (pid {process.pid}), left by an earlier run")
            ended += 1
    return ended


def sweep() -> None:
    """End and delete the labs and servers of test sessions that were killed."""
    for root in sorted((base() / "tests").glob("*")):
        lock = FolderLock(root)
        if lock.try_acquire():
            for folder in sorted(root.glob("*/")):
                end_leftovers(folder)
            remove(root)
            lock.release()
