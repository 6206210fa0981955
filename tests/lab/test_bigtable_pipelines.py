"""Google's own tools really run: a history is exported, imported and compared, by jobs of the product's agent; and the
schema translator as the plan prints it."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from bigtable_crossing import BigtableCrossing
from google.cloud.bigtable.data import BigtableDataClient, DeleteAllFromRow, SetCell
from lab.beam import backfill, translator
from lab.bigtable import BigtableLab, compare_cells
from lab.workload import Workload

from hbase_ferry.cluster.client import Cluster
from hbase_ferry.cluster.connection import connect
from hbase_ferry.migration.bigtable import beam
from hbase_ferry.migration.bigtable.settings import BigtableSettings
from hbase_ferry.migration.config import parse
from hbase_ferry.migration.settings import Settings
from hbase_ferry.model.clock import SystemClock
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.view import JobPhase, JobState

pytestmark = [pytest.mark.lab, pytest.mark.slow]

ROWS = 50_000
FAMILIES = ("d", "m")
VERSIONS = 3
SECONDS = 900.0
NEWEST_US = 4_000_000_000_000_000


class EdgeNode:
    """The source's edge node as the steps use it: one agent, detached jobs."""

    def __init__(self, settings: Settings, bigtable: BigtableSettings, folder: Path, table: str) -> None:
        self.settings, self.bigtable, self.table = settings, bigtable, table
        self.export_dir, self.hash_dir = bigtable.backfill.export_dir, f"file://{folder / 'hash'}"
        self.cluster = Cluster(Side.SOURCE, "lab-source", partial(connect, settings.source), SystemClock())
        self.cluster.pin(self.cluster.call("cluster.identity", {"settings": None}).cluster_id)

    def run(self, job_id: str, argv: list[str]) -> JobState:
        """The job's last state, once it ended; what it took is printed."""
        state: JobState = self.cluster.call("job.start", {"id": job_id, "argv": list(argv), "env": {}})
        end = time.monotonic() + SECONDS
        while state.alive:
            assert time.monotonic() < end, f"{job_id} still runs after {SECONDS:.0f} s: {state.tail}"
            time.sleep(0.5)
            state = self.cluster.call("job.state", {"id": job_id})
        assert state.phase is JobPhase.DONE and state.started_ms and state.ended_ms, state
        print(f"{job_id}: exit code {state.exit_code} after {(state.ended_ms - state.started_ms) / 1000:.0f} s")
        return state

    def backfill(self, attempt: str, table: str = "") -> tuple[list[str], list[str]]:
        return beam.backfill_commands(
            self.settings,
            self.bigtable,
            table or self.table,
            FAMILIES,
            "",
            self.export_dir,
            f"export-{attempt}",
            f"import-{attempt}",
        )

    def compare(self, attempt: str, hashes: str = "hash") -> tuple[list[str], list[str]]:
        return beam.compare_commands(
            self.settings,
            self.bigtable,
            self.table,
            FAMILIES,
            f"{self.hash_dir}/{hashes}",
            hashes,
            f"sync-{attempt}",
            None,
            VERSIONS,
        )


@pytest.fixture(scope="module")
def written(bigtable_lab: BigtableLab) -> Workload:
    """A table with several versions and deletes of single ones, and its empty twin on the target."""
    work = bigtable_lab.workload("beam")
    work.create()
    work.load(ROWS)
    work.start(rate=2_000)
    work.stop()
    bigtable_lab.emulator.instance.create(work.table, dict.fromkeys(FAMILIES, VERSIONS))
    return work


@pytest.fixture(scope="module")
def edge(bigtable_lab: BigtableLab, written: Workload, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeNode]:
    folder = tmp_path_factory.mktemp("beam")
    text = bigtable_lab.config_yaml(
        tables=[written.table],
        name="beam",
        bigtable={"backfill": backfill(folder), "compare": {"engine": "sync-table"}},
        verify={"hash_dir": f"file://{folder / 'hash'}"},
    )
    settings = parse(text, "beam.yaml")
    assert settings.target.bigtable is not None
    node = EdgeNode(settings, settings.target.bigtable, folder, written.table)
    yield node
    node.cluster.close()


@pytest.fixture(scope="module")
def imported(edge: EdgeNode) -> tuple[JobState, JobState]:
    """The history, exported by HBase and imported by Google's pipeline."""
    export, pipeline = edge.backfill("1")
    return edge.run("export-1", export), edge.run("import-1", pipeline)


@pytest.fixture(scope="module")
def hashed(edge: EdgeNode, imported: tuple[JobState, JobState]) -> JobState:
    return edge.run("hash", edge.compare("equal")[0])


def test_every_version_of_every_cell_arrives_through_export_and_import(
    bigtable_lab: BigtableLab, edge: EdgeNode, imported: tuple[JobState, JobState]
) -> None:
    export, pipeline = imported
    assert export.succeeded and pipeline.succeeded, (export.tail, pipeline.tail)
    compared = compare_cells(bigtable_lab, edge.table)
    assert not compared.differences, str(compared)
    assert compared.rows == export.counters["Map input records"] > ROWS * 0.9
    rows = bigtable_lab.emulator.instance.rows(edge.table)
    assert any(len({(family, name) for family, name, _ in cells}) < len(cells) for _, cells in rows)


def test_an_import_prints_no_counter_that_could_say_what_it_left_out(imported: tuple[JobState, JobState]) -> None:
    assert not imported[1].counters
    assert beam.dropped_by_import(imported[1]) == 0


def test_sync_table_counts_what_differs_and_exits_with_0_either_way(
    bigtable_lab: BigtableLab, edge: EdgeNode, hashed: JobState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIGTABLE_EMULATOR_HOST", bigtable_lab.emulator.address)
    assert hashed.succeeded, hashed.tail
    equal = edge.run("sync-equal", edge.compare("equal")[1])
    same = beam.sync_result(equal)
    assert equal.exit_code == 0 and same.different == 0 and same.matched
    _change_one_row_and_delete_another(bigtable_lab, edge.table)
    unlike = edge.run("sync-unlike", edge.compare("unlike")[1])
    assert unlike.exit_code == 0
    assert beam.sync_result(unlike) == beam.SyncResult(same.matched - 2, 2)
    folder = Path(edge.hash_dir.removeprefix("file://")) / "hash"
    assert sum(len(file.read_text().splitlines()) for file in folder.glob("differing-*")) == 2


def _change_one_row_and_delete_another(lab: BigtableLab, table: str) -> None:
    """The change is newer than every version: one that is older than the newest three would not be compared."""
    keys = [key for key, _ in lab.emulator.instance.rows(table)]
    with BigtableDataClient(project=lab.project) as client, client.get_table(lab.instance, table) as there:
        there.mutate_row(keys[len(keys) // 4], SetCell("d", b"v", b"another", timestamp_micros=NEWEST_US))
        there.mutate_row(keys[len(keys) // 2], DeleteAllFromRow())


def test_an_import_into_a_table_that_is_missing_fails_and_says_which(
    edge: EdgeNode, imported: tuple[JobState, JobState]
) -> None:
    argv = [word.replace(f"TableId={edge.table}", "TableId=nowhere") for word in edge.backfill("1")[1]]
    state = edge.run("import-nowhere", argv)
    assert state.exit_code == 1
    assert any("NOT_FOUND" in line and "tables/nowhere" in line for line in state.tail), state.tail


def test_an_import_of_files_that_are_not_there_is_no_success(edge: EdgeNode) -> None:
    state = edge.run("import-nothing", edge.backfill("nothing")[1])
    assert state.exit_code == 1
    assert any("No files matched" in line for line in state.tail), state.tail


def test_a_table_crosses_through_the_pipelines_under_live_writes(bigtable_lab: BigtableLab, tmp_path: Path) -> None:
    """As in production, but for the runner: Export, `import`, HashTable and `sync-table` as jobs of the plan."""
    crossing = BigtableCrossing(
        bigtable_lab,
        tmp_path,
        "piped",
        rows=20_000,
        verify={"hash_dir": f"file://{tmp_path / 'hash'}"},
        backfill=backfill(tmp_path),
        compare={"engine": "sync-table"},
    )
    try:
        crossing.run()
        crossing.assert_crossed()
        ended = {job_id.split("-", 1)[1]: state for job_id, state in crossing.ferry.service.view.jobs.items()}
        assert {"export-1-1", "import-1-1", "final1-hash-1-1", "final1-sync-1-1"} <= set(ended)
        assert beam.sync_result(ended["final1-sync-1-1"]).different == 0
        assert not any((tmp_path / "export").glob("*")) and not any((tmp_path / "hash").glob("*")), "cleaned up"
    finally:
        crossing.close()


def test_the_printed_line_of_the_schema_translator_makes_the_table_that_the_step_wants(
    bigtable_lab: BigtableLab, tmp_path: Path
) -> None:
    crossing = BigtableCrossing(bigtable_lab, tmp_path, "translated", rows=10)
    service, name = crossing.ferry.service, f"table:{crossing.table}"
    try:
        step = service.plan.step(name)
        (told,) = step.says(service.observe())
        line, gate = told.split("before this step: ", 1)[1].split("; then accept gate ")
        argv = [str(translator()) if word.startswith("<") else word for word in shlex.split(line)]
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        view = service.observe()
        made = view.target.table(crossing.table)
        assert made is not None
        assert {family.name: family.retention for family in made.families} == dict.fromkeys(FAMILIES, "maxversions=3")
        assert not step.done(view), "it may be anybody's"
        service.waive(gate, "made by Google's schema translator")
        view = service.observe()
        assert step.done(view) and not step.blocked(view)
    finally:
        crossing.close()
