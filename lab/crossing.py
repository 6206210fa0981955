"""The lab: a source and a target cluster side by side, in one folder.

Invariant: at most one lab lives in a folder. `up` owns the folder's lock while it works (a session's own lab keeps it
until `down`), ends whatever an earlier, killed run left there, and marks the lab ready last. Called by the command
line (`python -m lab`) and by the tests' fixtures.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import jars, ports, site
from lab.cluster import Cluster
from lab.places import HERE, FolderLock, LabError, base, remove, session, write_whole
from lab.process import Registry
from lab.settings_yaml import config_yaml
from lab.workload import Workload

EXCLUDED = "slf4j-reload4j,reload4j"
SOURCES = tuple(sorted((HERE / "java").glob("*.java")))
_READY_SECONDS = 180.0
_LOCK_SECONDS = 1200.0


def _silent(text: str) -> None:
    """Says nothing."""


class Lab:
    """Two real clusters. Build it with `up` or `attach`."""

    def __init__(self, root: Path, state: dict[str, Any]) -> None:
        self.root = root
        self._state = state
        self.run: str = state["run"]
        self.registry = Registry(root / "processes" / self.run)
        shared = (Path(state["jars"]), Path(state["helpers"]), self.registry.folder)
        self.source = Cluster("source", root / "source", state["ports"]["source"], *shared, servers=2)
        self.target = Cluster("target", root / "target", state["ports"]["target"], *shared, servers=1)
        self._lock = FolderLock(root)

    @property
    def clusters(self) -> tuple[Cluster, Cluster]:
        return (self.source, self.target)

    @classmethod
    def up(
        cls,
        root: Path | None = None,
        *,
        owned: bool = False,
        say: Callable[[str], None] = _silent,
        fill: Callable[[Lab], None] | None = None,
    ) -> Lab:
        """Two ready clusters in `root` (default: the lab's folder; for an owned one a folder of this process).

        owned False: a complete lab that already runs there is taken as it is; a new one outlives this process.
        owned True: always new and empty; it ends with this process, however that ends.
        fill: what else belongs to a complete lab; called under the lock, for a lab that already runs as well.
        Raises LabError.
        """
        sweep()
        root = (root or (session() / "lab" if owned else base())).resolve()
        lock = FolderLock(root)
        lock.acquire(_LOCK_SECONDS, lambda: say("another start or stop of this lab is at work: waiting for it"))
        try:
            lab = None if owned else _running(root)
            if lab is None:
                end_leftovers(root, say)
                _forget(root)
                lab = cls._start(root, owned, say)
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
    def _start(cls, root: Path, owned: bool, say: Callable[[str], None]) -> Lab:
        jars.require_tools()
        begun = time.monotonic()
        library = jars.class_path(HERE / "poms" / "hbase.xml", EXCLUDED)
        helpers = jars.compiled(SOURCES, library)
        say(f"jars are there ({time.monotonic() - begun:.1f} s)")
        names = tuple(f"{side}.{port}" for side in ("source", "target") for port in site.CLUSTER_PORTS)
        chosen = ports.free_ports(names)
        state: dict[str, Any] = {
            "run": secrets.token_hex(6),
            "jars": str(library),
            "helpers": str(helpers),
            "ports": {side: _of_side(chosen, side) for side in ("source", "target")},
        }
        lab = cls(root, state)
        lab._mark(ready=False)
        for cluster in lab.clusters:
            cluster.owned = owned
            cluster.lay_out()
            cluster.launch()
        for cluster in lab.clusters:
            cluster.await_ready(_READY_SECONDS)
            say(f"{cluster.name} is ready ({time.monotonic() - begun:.1f} s)")
        return lab

    def _mark(self, *, ready: bool) -> None:
        write_whole(self.root / "lab.json", json.dumps(self._state | {"ready": ready}, indent=1))

    @classmethod
    def attach(cls, root: Path | None = None) -> Lab:
        """The complete lab that runs in `root`. Raises LabError where there is none."""
        root = (root or base()).resolve()
        lab = _running(root)
        if lab is None:
            raise LabError(f"no lab runs in {root}; start one with `make lab`")
        return lab

    def down(self) -> None:
        """End every process of an owned lab, jobs and agents started through its commands too; delete its data."""
        self.registry.end_all()
        remove(self.root)
        self._lock.release()

    def workload(self, name: str = "orders", *, table: str = "", seed: int = 7) -> Workload:
        """A workload with a ledger of its own; see `lab.workload`. `table` defaults to `lab:<name>`."""
        return Workload(self.source, self.root / "workload" / name, table or f"lab:{name}", seed)

    def config_yaml(self, **choices: Any) -> str:
        """The YAML of one migration across this lab; see `lab.settings_yaml.config_yaml`."""
        return config_yaml(self, **choices)

    def rss_mb(self) -> dict[str, int]:
        """Resident memory of every living process, by name."""
        return {process.name: process.rss_mb() for process in self.registry.living()}


def take_down(root: Path, say: Callable[[str], None] = _silent) -> int:
    """End whatever of a lab runs in `root` and delete its data; returns how many processes that were."""
    lock = FolderLock(root)
    lock.acquire(_LOCK_SECONDS, lambda: say("a start of this lab is at work: waiting for it"))
    try:
        ended = end_leftovers(root)
        _forget(root)
        return ended
    finally:
        lock.release()


def _forget(root: Path) -> None:
    for name in ("lab.json", "lab-ssh.yaml"):
        (root / name).unlink(missing_ok=True)
    for name in ("processes", "source", "target", "workload"):
        remove(root / name)


def _of_side(chosen: dict[str, int], side: str) -> dict[str, int]:
    return {name.split(".")[1]: port for name, port in chosen.items() if name.startswith(f"{side}.")}


def _running(root: Path) -> Lab | None:
    """The lab in `root` if it is complete and every server lives."""
    try:
        state = json.loads((root / "lab.json").read_text())
        lab = Lab(root, state)
    except (OSError, ValueError, KeyError):
        return None
    return lab if state.get("ready") and all(cluster.running for cluster in lab.clusters) else None


def end_leftovers(root: Path, say: Callable[[str], None] = _silent) -> int:
    """End every process an earlier run recorded below `root`; returns how many. The caller holds the folder's lock."""
    ended = 0
    for records in sorted((*root.glob("processes/*"), *root.glob("*/processes/*"))):
        for process in Registry(records).end_all():
            say(f"ended {process.name} (pid {process.pid}), left by an earlier run")
            ended += 1
    return ended


def sweep() -> None:
    """End and delete the labs and servers of test sessions that were killed."""
    for root in sorted((base() / "tests").glob("*")):
        lock = FolderLock(root)
        if lock.try_acquire():
            end_leftovers(root)
            remove(root)
            lock.release()
