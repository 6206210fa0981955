"""One crossing on real servers: a loaded table, a writer that never stops, a migration, and what must be true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from lab.workload import Workload

from hbase_ferry.errors import FerryError
from hbase_ferry.migration.config import parse
from hbase_ferry.migration.settings import Settings
from hbase_ferry.migration.steps.verify import SYNC_DIFFERENCES
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import Event, EventKind
from hbase_ferry.model.view import View
from hbase_ferry.wiring import Ferry, build
from lab import Lab


class Crossing:
    """A loaded table, a writer that never stops until the step asks for it, and the migration of that table."""

    def __init__(self, workload: Workload, rows: int, yaml: str) -> None:
        self.workload, self.table = workload, workload.table
        workload.create()
        workload.load(rows)
        self.settings: Settings = parse(yaml, f"{self.table}.yaml")
        self.ferry: Ferry = build(self.settings, acting=True)
        self.ferry.service.subscribe(self._stop_writers)
        self.written: dict[str, object] = {}

    def _stop_writers(self, event: Event) -> None:
        """The operator's part: the clients stop writing when the step asks for it."""
        if event.kind is EventKind.STEP_STARTED and event.step == "stop-writers":
            self.written = dict(self.workload.stop())

    def run(self, once_done: Mapping[str, Callable[[], None]] | None = None) -> list[Event]:
        """Every step, each confirmed as its preview asks, under 500 writes a second.

        once_done: step id -> what to look at when that step is done and the next has not begun.
        """
        self.workload.start()
        service, events = self.ferry.service, []
        for step in service.plan.steps:
            try:
                events += list(service.execute(step.id, service.preview(step.id).confirmation.expected))
            except FerryError as error:
                told = "\n".join(f"{e.kind} {e.step} {e.text}" for e in service.events()[-12:])
                raise AssertionError(f"{step.id}: {error}\n{told}") from error
            if once_done and step.id in once_done:
                once_done[step.id]()
        return events

    def close(self) -> None:
        if self.workload.running:
            self.workload.kill()
        self.ferry.close()


class RealCrossing(Crossing):
    """From the lab's source cluster to its target cluster."""

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        name: str,
        *,
        rows: int,
        transport: str = "local",
        families: tuple[str, ...] = ("d", "m"),
    ) -> None:
        self.lab, self.families = lab, families
        workload = lab.workload(name)
        named = workload.table if families == ("d", "m") else {"name": workload.table, "families": list(families)}
        yaml = lab.config_yaml(
            transport=transport,
            tables=[named],
            name=name,
            peer_id=f"ferry_{name}",
            journal=str(folder / f"{name}.journal"),
            verify={"verify_replication": True},
        )
        super().__init__(workload, rows, yaml)

    def assert_crossed(self) -> None:
        """What the issue demands after a crossing, each from the servers themselves."""
        view = self.ferry.service.observe()
        self._assert_compared(view)
        on_target = self.workload.check(self.lab.target, self.families)
        assert not on_target.bad, str(on_target)
        assert on_target.scanned_rows == on_target.expected_rows > 0
        self._assert_clean(view)

    def _assert_compared(self, view: View) -> None:
        final = {job_id.split("-", 2)[2]: job for job_id, job in view.jobs.items() if "-final" in job_id}
        sync = next(job for name, job in final.items() if name.startswith("sync"))
        assert sync.succeeded and sync.counters["BATCHES"] == sync.counters["HASHES_MATCHED"] > 0
        assert not any(sync.counters.get(name, 0) for name in SYNC_DIFFERENCES)
        verify = next(job for name, job in final.items() if name.startswith("verifyrep"))
        assert verify.succeeded and verify.counters.get("BADROWS", 0) == 0 < verify.counters["GOODROWS"]
        rows = [job.counters["ROWS"] for name, job in final.items() if name.startswith("count")]
        assert len(rows) == 2 and rows[0] == rows[1] > 0

    def _assert_clean(self, view: View) -> None:
        assert view.source.peer(self.settings.peer_id) is None
        assert not view.source.queues(self.settings.peer_id)
        for side in Side:
            assert not [s.name for s in view.side(side).snapshots.current or () if s.table == self.table]
            table = view.side(side).table(self.table)
            assert table is not None and table.enabled and table.major_compaction is None
            assert {family.scope for family in table.families} == {0}
