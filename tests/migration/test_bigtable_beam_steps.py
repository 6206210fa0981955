"""The steps that run Google's pipelines: what they show while these run, what they refuse after, and the ways out.

The embedded edge node has neither Java nor HBase's Export: `Edge` plays both, with the output of the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hbase_ferry.cluster.simulator import tools
from hbase_ferry.cluster.simulator.embedded_bigtable import CUSTOMERS
from hbase_ferry.cluster.simulator.jobs import Job, JobBook, JobScript
from hbase_ferry.errors import Refused, StepFailed
from hbase_ferry.migration.bigtable import beam
from hbase_ferry.migration.bigtable.settings import BackfillEngine, BackfillSettings, CompareEngine, CompareSettings
from hbase_ferry.migration.core import StepState
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.migration.settings import TableSettings
from hbase_ferry.migration.targets import build_plan
from hbase_ferry.model.cluster import ClusterView, Family, Observed, Side, Table
from hbase_ferry.model.event import EventKind
from hbase_ferry.model.view import JobPhase, JobState, View
from migration.embedded import Crossing, bigtable_settings, run
from migration.test_bigtable_beam import DATAFLOW, SETTINGS, family, gates, options
from migration.test_bigtable_crossing import BACKFILL, FINAL, VERIFY
from migration.test_bigtable_guards import acceptance, job_ids, known_losses, steps

BUCKET = "gs://shop-ferry"
MAPPED = "mapreduce.Job:  map 45% reduce 0%"


class Edge:
    """Plays the tools that the embedded edge node lacks. `ranges`: what each sync-table in turn counts, (equal,
    different), the last one again and again; `printed`: the import's counters."""

    def __init__(self, crossing: Crossing, *ranges: tuple[int, int], printed: Mapping[str, int] | None = None) -> None:
        self.ranges, self.printed = list(ranges), printed or {}
        crossing.world.jobs = JobBook(crossing.world, self.script_of)

    def script_of(self, job: Job) -> JobScript:
        if beam.EXPORT in job.argv:
            return self.export(job)
        if beam.MAIN not in job.argv:
            return tools.script_of(job)
        return self.sync_table(job) if "sync-table" in job.argv else self.load(job)

    def export(self, job: Job) -> JobScript:
        job.log(MAPPED)
        yield 20.0
        job.dump({"Map-Reduce Framework": {"Map input records": 3_456}})
        return 0

    def load(self, job: Job) -> JobScript:
        job.say("Submitted job: 2026-11-21_ferry")
        yield 20.0
        job.metrics("ImportJob:12", "CreateBigtableMutationsFn", self.printed)
        return 0

    def sync_table(self, job: Job) -> JobScript:
        job.say("Submitted job: 2026-11-21_sync")
        yield 20.0
        equal, different = self.ranges.pop(0) if len(self.ranges) > 1 else self.ranges[0]
        job.metrics("SyncTableJob:161", "cbt-dataflow-validate", {"ranges_matched": equal, beam.NOT_MATCHED: different})
        return 0


def own(engine: BackfillEngine = BackfillEngine.FERRY, **backfill: object) -> BackfillSettings:
    given = {"jar": "/opt/beam.jar", "region": "asia-east1", "export_dir": f"{BUCKET}/history", **backfill}
    return BackfillSettings(engine=engine, rows_per_range=700, **given)  # type: ignore[arg-type]


def told(service: MigrationService, step: str) -> list[str]:
    """Executes it; every line of progress it shows."""
    return [event.text for event in service.execute(step) if event.kind is EventKind.PROGRESS]


# ---- the comparison by sync-table


def by_sync_table(folder: Path, *ranges: tuple[int, int]) -> MigrationService:
    """A crossing whose comparisons sync-table makes, up to the first of them."""
    compare = CompareSettings(engine=CompareEngine.SYNC_TABLE)
    crossing = Crossing(folder, bigtable_settings(compare=compare, backfill=own()))
    Edge(crossing, *ranges)
    service = crossing.service()
    run(service, "caught-up")
    return service


def records(service: MigrationService) -> list[str]:
    """What is journaled of comparisons that found nothing."""
    proofs = [event for event in service.events() if event.kind is EventKind.PROOF]
    return [event.text for event in proofs if event.data["kind"] == "compared"]


def test_ranges_that_differ_under_live_writes_are_told_and_only_the_final_comparison_judges(tmp_path: Path) -> None:
    service = by_sync_table(tmp_path, (1, 176))
    assert "of a busy table it proves little" in service.plan.step(VERIFY).why
    lines = told(service, VERIFY)
    assert any("Submitted job: 2026-11-21_sync" in line for line in lines)
    (status,) = (s for s in service.status(service.observe()) if s.step.id == VERIFY)
    assert status.state is StepState.DONE and not status.failure
    assert status.progress is None or status.progress.text == "1 range matches, 176 differ"
    (record,) = records(service)
    assert record.startswith("customers: 1 range matches, 176 differ; a range that is written to meanwhile differs")
    assert not [gate for gate in service.preview(VERIFY, service.observe()).gates if "different" in gate.name]
    assert "proves little" not in service.plan.step(FINAL).why


def test_accepted_ranges_are_those_of_one_comparison_and_are_journaled(tmp_path: Path) -> None:
    service = by_sync_table(tmp_path, (1_500, 75))
    for step in service.plan.steps:
        if step.id == FINAL:
            break
        list(service.execute(step.id, service.preview(step.id).confirmation.expected))
    with pytest.raises(StepFailed):
        list(service.execute(FINAL))
    first = acceptance(service, FINAL, 75)
    with pytest.raises(StepFailed):
        list(service.execute(FINAL))
    second = acceptance(service, FINAL, 75)
    assert first != second
    with pytest.raises(Refused, match="cannot be waived"):
        service.waive(first, "of the comparison before")
    service.waive(second, "known rows")
    assert steps(service)[FINAL] is StepState.DONE
    (waived,) = (event for event in service.events() if event.kind is EventKind.WAIVED)
    assert second in waived.text or second in str(waived.data)


def test_the_final_refusal_names_the_ranges_the_gate_and_the_ways_out(tmp_path: Path) -> None:
    service = by_sync_table(tmp_path, (1_575, 0), (1_572, 3))
    for step in service.plan.steps:
        if step.id == FINAL:
            break
        list(service.execute(step.id, service.preview(step.id).confirmation.expected))
    hashes = service.preview(FINAL, service.observe()).lines[0].command.split()[-1]
    with pytest.raises(StepFailed) as refusal:
        list(service.execute(FINAL))
    gate = acceptance(service, FINAL, 3)
    for words in (
        "sync-table found 3 of 1 575 ranges of customers that differ; 0 are allowed",
        f"{hashes}/differing* lists them until step put-back", "compare.engine: ferry names cells and keys",
        "`hbase-ferry repair CONFIG customers ROW`", f"accept gate {gate} with a reason",
    ):  # fmt: skip
        assert words in str(refusal.value)
    assert gate == f"different.{CUSTOMERS}.final1-sync-1-1.3"
    shown = {g.name: g.text for g in service.preview(FINAL, service.observe()).gates}
    assert shown[gate] == "3 differing ranges of customers are to be accepted as they are"
    with pytest.raises(Refused, match=f"{FINAL} comes before put-back"):
        list(service.execute("put-back"))
    assert not [job for job in job_ids(service) if "tidy" in job], "the ranges stay until they can be read"
    service.waive(gate, "looked at: rows that an operator mended by hand")
    run(service)
    assert [s for s in steps(service).values() if s is not StepState.DONE] == []


def test_ranges_are_listed_where_sync_table_was_told_to_write_them() -> None:
    argv = beam.sync_table(DATAFLOW, "7-sync-1-1", "orders", "file:///var/hash")
    assert options(argv)["outputPrefix"] == beam.differing("file:///var/hash") == "/var/hash/differing"


def test_each_engine_of_the_comparison_gives_its_own_reason() -> None:
    whys = {}
    for engine in CompareEngine:
        target = replace(SETTINGS.target, bigtable=replace(DATAFLOW, compare=CompareSettings(engine)))
        plan = build_plan(replace(SETTINGS, target=target), "7")
        whys[engine] = (plan.step("verify:orders").why, plan.step("final-verify:orders").why)
    assert "read again until it is equal" in whys[CompareEngine.FERRY][0]
    assert "every cell is compared" in whys[CompareEngine.FERRY][1]
    assert "hashes of key ranges once" in whys[CompareEngine.SYNC_TABLE][0]
    assert "hashes of all key ranges are compared" in whys[CompareEngine.SYNC_TABLE][1]


# ---- the import


def imported(folder: Path, printed: Mapping[str, int], **options: str) -> tuple[Crossing, MigrationService, list[str]]:
    """A crossing whose history the pipeline imported; what the step showed."""
    backfill = own(BackfillEngine.IMPORT, options=options)
    crossing = Crossing(folder, bigtable_settings(backfill=backfill))
    Edge(crossing, printed=printed)
    service = crossing.service()
    run(service, f"scope:{CUSTOMERS}")
    return crossing, service, told(service, BACKFILL)


def test_export_and_import_are_followed_while_they_run(tmp_path: Path) -> None:
    _, _, lines = imported(tmp_path, {})
    assert any("export: " in line and MAPPED in line for line in lines)
    assert any("export: 3 456 rows read; import: Submitted job: 2026-11-21_ferry" in line for line in lines)


def test_what_the_import_counted_as_dropped_is_in_the_ledger_and_closes_the_cutover(tmp_path: Path) -> None:
    crossing, service, _ = imported(tmp_path, {"droppedRows": 2, "droppedCells": 1}, filterLargeRows="true")
    found = known_losses(crossing, service)
    assert found["backfill-dropped"].count == 3 and "of customers" in found["backfill-dropped"].text
    assert "backfill-unread" not in found
    shown = {gate.name: gate for gate in service.plan.step("stop-writers").gates(service.view)}
    assert shown["loss.backfill-dropped.3"].open is False and not shown["loss.backfill-dropped.3"].warning


def test_filters_without_a_counter_leave_an_unknown_that_closes_the_cutover(tmp_path: Path) -> None:
    filters = {"filterLargeRows": "true", "filterWideRows": "False", "maxNumWorkers": "3"}
    crossing, service, _ = imported(tmp_path, {}, **filters)
    entry = known_losses(crossing, service)["backfill-unread"]
    assert entry.closes and entry.at_least and entry.count == 1 and entry.of == (CUSTOMERS,)
    assert entry.text.endswith("printed no counter of them: customers (filterLargeRows)")
    (gate,) = (g for g in service.plan.step("stop-writers").gates(service.view) if g.name == entry.gate)
    assert gate.open is False and gate.waivable and not gate.warning
    proof = service.view.proof("backfilled", CUSTOMERS)
    assert proof is not None and proof.note.endswith("what filterLargeRows left out was not counted")


def test_without_filters_no_counter_means_that_nothing_was_left_out(tmp_path: Path) -> None:
    crossing, service, _ = imported(tmp_path, {}, filterLargeCells="false")
    assert not {"backfill-dropped", "backfill-unread"} & known_losses(crossing, service).keys()


def job(phase: JobPhase, tail: tuple[str, ...] = (), counters: Mapping[str, int] | None = None) -> JobState:
    code = 0 if phase is JobPhase.DONE else None
    return JobState("7-import-1-1", Side.SOURCE, phase, exit_code=code, counters=counters or {}, tail=tail)


def test_what_is_followed_is_the_counters_and_the_newest_line_of_the_job_that_runs() -> None:
    exported = job(JobPhase.DONE, ("bye",), {"BYTES_COPIED": 49_387_929, "Map input records": 7})
    running = job(JobPhase.RUNNING, ("first", "x" * 500), {"droppedRows": 1})
    assert beam.followed(None, None) == beam.followed(job(JobPhase.RUNNING), None) == ""
    assert beam.followed(exported, None) == "export: 47.1 MB copied"
    line = f"{'x' * 117}..."
    assert beam.followed(exported, running) == f"export: 47.1 MB copied; import: 1 row, cell or key dropped, {line}"
    assert beam.newest_line(exported) == ""


# ---- what a snapshot is compressed with


def compressed(*codecs: str) -> tuple[Family, ...]:
    return tuple(replace(family(name, 1), compression=codec) for name, codec in zip("dmx", codecs, strict=False))


def imports(*families: Family, named: tuple[str, ...] = (), **given: str) -> dict[str, str]:
    """Options of the importsnapshot that the step would start."""
    backfill = replace(DATAFLOW.backfill, engine=BackfillEngine.IMPORTSNAPSHOT, options=given)
    target = replace(SETTINGS.target, bigtable=replace(DATAFLOW, backfill=backfill))
    seen = Table("orders", enabled=True, regions=1, families=families)
    view = View(1.0, ClusterView(Side.SOURCE, "prod", tables=Observed((seen,), 1.0)), ClusterView(Side.TARGET, "bt"))
    settings = replace(SETTINGS, target=target, tables=(TableSettings("orders", named),))
    argv = build_plan(settings, "7").step("backfill:orders").effects(view)[1].action.params["argv"]
    assert isinstance(argv, list)
    return options([str(word) for word in argv])


def test_a_snappy_family_anywhere_in_the_snapshot_is_told_to_importsnapshot() -> None:
    assert imports(*compressed("NONE", "SNAPPY"))["enableSnappy"] == "true"
    assert imports(*compressed("NONE", "SNAPPY"), named=("d",))["enableSnappy"] == "true"
    assert "enableSnappy" not in imports(*compressed("NONE", "GZ"))


def test_an_operator_s_own_word_on_snappy_stands() -> None:
    assert imports(*compressed("SNAPPY"), enableSnappy="false")["enableSnappy"] == "false"
    assert imports(*compressed("NONE"), enableSnappy="true")["enableSnappy"] == "true"


@pytest.mark.parametrize("codec", ["LZO", "LZ4", "ZSTD", "BZIP2"])
def test_importsnapshot_waits_for_a_reason_where_it_may_not_read_the_compression(codec: str) -> None:
    assert gates(BackfillEngine.IMPORTSNAPSHOT, *compressed("NONE", codec)) == {"snapshot.codec.orders": True}
    assert gates(BackfillEngine.IMPORT, *compressed("NONE", codec)) == {}
    assert gates(BackfillEngine.IMPORTSNAPSHOT, *compressed("NONE", "GZ", "SNAPPY")) == {}
    stays = gates(BackfillEngine.IMPORTSNAPSHOT, *compressed("NONE", codec), named=("d",))
    assert stays["snapshot.codec.orders"], "the snapshot carries the family all the same"
