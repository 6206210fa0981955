"""What breaks a crossing on real servers: kill -9, a second process, a frozen target, an agent that dies."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab.workload import Workload

from hbase_ferry.errors import FerryError
from hbase_ferry.migration.config import load
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import EventKind
from hbase_ferry.wiring import Ferry, build
from lab import Lab

pytestmark = pytest.mark.lab
PATIENCE = 120.0


class Migration:
    """A small table of its own, its configuration file, and `hbase-ferry` processes on it."""

    def __init__(self, lab: Lab, folder: Path, name: str, rows: int, **more: object) -> None:
        self.lab, self.name, self.table = lab, name, f"lab:{name}"
        self.workload: Workload = lab.workload(name)
        self.workload.create(4)
        self.workload.load(rows)
        self.journal = folder / f"{name}.journal"
        self.config = folder / f"{name}.yaml"
        self.config.write_text(
            lab.config_yaml(
                tables=[self.table], name=name, peer_id=f"ferry_{name}", journal=self.journal, **more
            )
        )
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "hbase_ferry", "run", str(self.config), *words]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._processes.append(process)
        return process

    def run(self, *words: str, code: int = 0) -> str:
        """A whole process; returns what it said."""
        process = self.start(*words)
        text, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == code, text
        return text

    def events(self) -> list[tuple[str, str, str]]:
        """(kind, step, text) of what is in the journal, read as any other process would."""
        if not self.journal.exists():
            return []
        with sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True, timeout=30) as db:
            try:
                return db.execute("select kind, step, text from events order by number").fetchall()
            except sqlite3.OperationalError:
                return []

    def wait_for(self, what: str, seen: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not seen():
            assert time.monotonic() < end, f"{what} did not happen:\n" + "\n".join(
                map(str, self.events()[-8:])
            )
            time.sleep(0.02)

    def sent(self, step: str, text: str) -> int:
        """How many intents of that step carry `text`."""
        return sum(kind == "intent" and of == step and text in line for kind, of, line in self.events())

    def all_arrives(self) -> None:
        """After the writers stopped every row of the ledger comes to stand on the target, and no other."""
        self.workload.stop()
        end = time.monotonic() + PATIENCE
        while (checked := self.workload.check(self.lab.target)).bad:
            assert time.monotonic() < end, str(checked)
        assert checked.scanned_rows == checked.expected_rows > 0, str(checked)

    def ferry(self) -> Ferry:
        return build(load(str(self.config)), acting=True)

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait(30)
            if process.stdout is not None:
                process.stdout.close()
        if self.workload.running:
            self.workload.kill()
        self._clean()

    def _clean(self) -> None:
        """Takes the peer away: it would hold the shared lab's WALs back for the tests after this one."""
        ferry = self.ferry()
        try:
            view = ferry.service.observe()
            peer = ferry.service.settings.peer_id
            if view.source.peer(peer) is not None:
                list(ferry.service.remove_peer_now(peer, peer))
        finally:
            ferry.close()


@pytest.fixture
def migrate(lab: Lab, tmp_path: Path) -> Iterator[Callable[..., Migration]]:
    made: list[Migration] = []

    def make(name: str, rows: int, **more: object) -> Migration:
        made.append(Migration(lab, tmp_path, name, rows, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def snapshots(ferry: Ferry, side: Side) -> list[str]:
    """This run's snapshots on one side."""
    ours = f"ferry-{ferry.service.run_id}-"
    return [s.name for s in ferry.service.view.side(side).snapshots.current or () if s.name.startswith(ours)]


def test_kill_9_in_the_snapshot_and_in_the_export_doubles_nothing(migrate: Callable[..., Migration]) -> None:
    """1 MB/s and mapper keeps the export going; a second process is refused meanwhile, with the owner's pid."""
    migration = migrate("killed", 40_000, export={"mappers": 1, "bandwidth_mb": 1})
    snapshot, export = f"snapshot:{migration.table}", f"export:{migration.table}"
    first = migration.start("--until", export)
    migration.wait_for("the snapshot's intent", lambda: migration.sent(snapshot, "snapshot ") == 1)
    first.kill()
    first.wait(30)
    second = migration.start("--until", export)
    migration.wait_for("the export's start", lambda: migration.sent(export, "ExportSnapshot") == 1)
    refused = migration.run("--until", export, code=3)
    assert f"another hbase-ferry is acting on this migration (pid {second.pid})" in refused
    second.kill()
    second.wait(30)
    migration.workload.start(100)
    migration.run("--until", "caught-up")
    assert migration.sent(export, "ExportSnapshot") == 1
    assert migration.sent(snapshot, "snapshot ") <= 2
    migration.all_arrives()
    ferry = migration.ferry()
    try:
        ferry.service.observe()
        for side in Side:
            assert len(snapshots(ferry, side)) == 1
        jobs = [job for job in ferry.service.view.jobs if "-export-" in job]
        assert len(jobs) == 1
    finally:
        ferry.close()


def test_a_frozen_target_is_told_and_the_crossing_goes_on_when_it_thaws(
    migrate: Callable[..., Migration],
) -> None:
    """Frozen in the catch-up: nothing counts as caught up, no look hangs, and no proof is taken from old values.
    Then the source's agent is killed in the middle of a step: the step goes on with a new one."""
    migration = migrate("frozen", 2_000)
    migration.run("--until", "enable-peer")
    migration.workload.start(50)
    ferry, stop = migration.ferry(), threading.Event()
    told: list[str] = []
    try:
        service = ferry.service
        service.observe()
        begun = time.monotonic()
        try:
            with pytest.raises(FerryError, match="stopped by the operator"):
                for event in service.execute("caught-up", stop=stop):
                    if event.kind is EventKind.SENT and event.data["method"] == "canary.write":
                        migration.lab.target.freeze()
                        begun = time.monotonic()
                    told.append(event.text)
                    if time.monotonic() - begun > 5 and "canary rows" in told[-1]:
                        stop.set()
            assert time.monotonic() - begun < 60
            begun = time.monotonic()
            view = service.observe()
            assert time.monotonic() - begun < 30
            assert view.target.tables.error is not None and "lab-target" in view.target.tables.error
            assert service.plan.step("caught-up").done(view) is not True
            assert not [e for e in service.events() if e.step == "caught-up" and e.kind is EventKind.PROOF]
        finally:
            migration.lab.target.thaw()
        end = time.monotonic() + PATIENCE
        while service.observe().target.tables.error is not None:
            assert time.monotonic() < end, service.view.target.tables.error
        gone = [kill_agent(migration.lab.source.work_dir)]
        for event in service.execute("caught-up"):
            if event.kind is EventKind.STEP_STARTED:
                gone.append(kill_agent(migration.lab.source.work_dir))
        assert len(gone) == 2 and not set(gone) & set(agents(migration.lab.source.work_dir))
        assert service.view.proof("caught-up", service.settings.peer_id) is not None
    finally:
        ferry.close()
    migration.all_arrives()


def agents(work_dir: Path) -> list[int]:
    """Our own child processes that run agent.rb from this edge node's folder."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes()
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
            if b"agent" in line and str(work_dir).encode() in line and parent == os.getpid():
                found.append(int(folder.name))
    return found


def kill_agent(work_dir: Path) -> int:
    """kill -9 of this process' agent on that edge node."""
    pid = agents(work_dir)[0]
    os.kill(pid, signal.SIGKILL)
    return pid
