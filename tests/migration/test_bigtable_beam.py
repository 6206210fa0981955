"""Google's offline tools: what their command lines say and never say, and what their output proves."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from hbase_ferry.migration import commands
from hbase_ferry.migration.bigtable import beam
from hbase_ferry.migration.bigtable.settings import (
    BackfillEngine,
    BackfillSettings,
    BigtableSettings,
    CompareEngine,
    CompareSettings,
)
from hbase_ferry.migration.settings import ExportSettings, Settings, SideSettings, TableSettings
from hbase_ferry.migration.targets import build_plan
from hbase_ferry.model.cluster import ClusterView, Family, Observed, Side, Table
from hbase_ferry.model.view import JobPhase, JobState, View

DATAFLOW = BigtableSettings(
    project="my-project",
    instance="my-instance",
    app_profile="single",
    key_file="/home/ops/key.json",
    backfill=BackfillSettings(
        engine=BackfillEngine.IMPORT,
        jar="/opt/beam/shaded.jar",
        region="europe-west1",
        export_dir="gs://bucket/export",
        temp_dir="gs://bucket/temp",
        service_account="worker@my-project.iam.gserviceaccount.com",
        options={"maxNumWorkers": "30", "bigtableTableId": "another"},
    ),
)
SETTINGS = Settings(
    name="orders",
    source=SideSettings("prod", hbase=("/usr/bin/hbase",), cluster_key="zk1,zk2:2181:/hbase"),
    target=SideSettings("bt", bigtable=DATAFLOW),
    tables=(TableSettings("orders"),),
    peer_id="ferry",
    export=ExportSettings(mappers=16, options={"mapreduce.job.queuename": "ferry"}),
)


def backfill(bigtable: BigtableSettings = DATAFLOW, families: tuple[str, ...] = ("d",)) -> tuple[list[str], list[str]]:
    return beam.backfill_commands(
        SETTINGS,
        bigtable,
        "orders",
        families,
        "ferry-orders",
        "gs://bucket/export/ferry-7",
        "7-export-1-1",
        "7-import-1-1",
    )


def compare(bigtable: BigtableSettings = DATAFLOW, kept: int = 0) -> tuple[list[str], list[str]]:
    folder = "gs://bucket/hash/7-hash-1-1"
    return beam.compare_commands(
        SETTINGS, bigtable, "orders", ("d", "m"), folder, "7-hash-1-1", "7-sync-1-1", None, kept
    )


def options(argv: list[str]) -> dict[str, str]:
    """Of a pipeline: name -> value. A name that stands twice fails."""
    pairs = [word[2:].split("=", 1) for word in argv[argv.index(beam.MAIN) + 2 :]]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def job(counters: dict[str, int], phase: JobPhase = JobPhase.DONE, code: int | None = 0) -> JobState:
    return JobState("7-import-1-1", Side.SOURCE, phase, exit_code=code, counters=counters)


def family(name: str, versions: int) -> Family:
    return Family(name, 0, "NONE", "NONE", versions, 2**31 - 1, "FALSE", False)


def test_export_writes_every_version_of_the_families_that_migrate() -> None:
    export, _ = backfill(families=("d", "m"))
    assert export == [
        "/usr/bin/hbase",
        "org.apache.hadoop.hbase.mapreduce.Export",
        "-Dmapreduce.job.name=7-export-1-1",
        "-Dmapreduce.job.queuename=ferry",
        "-Dhbase.mapreduce.scan.column.family=d,m",
        "orders",
        "gs://bucket/export/ferry-7/7-export-1-1",
        "2147483647",
    ]


def test_export_of_unnamed_families_restricts_nothing() -> None:
    assert not [word for word in backfill(families=())[0] if "column.family" in word]


def exported_families(families: tuple[str, ...], all_of: tuple[str, ...]) -> list[str]:
    argv = beam.export_sequence(SETTINGS, "7-export-1-1", "orders", families, "gs://bucket/export", all_of)
    return [word.partition("=")[2] for word in argv if "column.family" in word]


def test_export_names_no_families_where_all_of_the_source_s_migrate() -> None:
    assert exported_families(("d", "m"), ("d", "m")) == []
    assert exported_families(("m", "d"), ("d", "m")) == []
    assert exported_families(("d",), ("d",)) == []
    assert exported_families(("d",), ("d", "m")) == ["d"]
    assert exported_families(("d", "m"), ("d", "m", "x")) == ["d,m"]


def test_several_families_of_more_are_beyond_the_export_of_hbase_1() -> None:
    assert beam.export_fault(1, "orders", ("d", "m"), ("d", "m", "x")) == (
        "Export of HBase 1.x takes one family or all of them, not d, m of orders: let all 3 families migrate, or set "
        "backfill.engine: ferry"
    )
    assert beam.export_fault(2, "orders", ("d", "m"), ("d", "m", "x")) is None
    assert beam.export_fault(1, "orders", ("d", "m"), ("d", "m")) is None
    assert beam.export_fault(1, "orders", ("d",), ("d", "m")) is None
    assert beam.export_fault(1, "orders", (), ("d", "m")) is None


def test_a_backfill_is_told_which_families_the_source_has() -> None:
    own = ("gs://bucket/export/ferry-7", "7-export-1-1", "7-import-1-1")
    export, _ = beam.backfill_commands(SETTINGS, DATAFLOW, "orders", ("d", "m"), "", *own, ("m", "d"))
    assert not [word for word in export if "column.family" in word]


def test_import_reads_what_export_wrote_into_the_table_of_the_migration() -> None:
    export, pipeline = backfill()
    assert pipeline[pipeline.index(beam.MAIN) + 1] == "import"
    assert options(pipeline) == {
        "runner": "DataflowRunner",
        "jobName": "ferry-7-import-1-1",
        "project": "my-project",
        "region": "europe-west1",
        "tempLocation": "gs://bucket/temp",
        "serviceAccount": "worker@my-project.iam.gserviceaccount.com",
        "maxNumWorkers": "30",
        "bigtableProject": "my-project",
        "bigtableInstanceId": "my-instance",
        "bigtableAppProfileId": "single",
        "bigtableTableId": "orders",
        "sourcePattern": f"{export[-2]}/part-*",
        "wait": "true",
    }


def test_dataflow_may_run_in_another_project_than_the_instance() -> None:
    own = replace(DATAFLOW.backfill, options={"project": "batch-project"})
    found = options(backfill(replace(DATAFLOW, backfill=own))[1])
    assert (found["project"], found["bigtableProject"]) == ("batch-project", "my-project")


def test_an_option_stands_where_the_setting_of_that_name_is_empty() -> None:
    own = replace(DATAFLOW.backfill, region="", options={"region": "us-east1"})
    assert options(backfill(replace(DATAFLOW, backfill=own))[1])["region"] == "us-east1"


def test_importsnapshot_reads_the_folder_of_its_own_export() -> None:
    own = replace(DATAFLOW.backfill, engine=BackfillEngine.IMPORTSNAPSHOT)
    export, pipeline = backfill(replace(DATAFLOW, backfill=own))
    assert export[1] == "org.apache.hadoop.hbase.snapshot.ExportSnapshot"
    folder = export[export.index("-copy-to") + 1]
    found = options(pipeline)
    assert (found["hbaseSnapshotSourceDir"], found["snapshotName"]) == (folder, "ferry-orders")
    assert "-no-checksum-verify" in export and export[export.index("-mappers") + 1] == "16"


def test_every_attempt_exports_to_a_folder_of_its_own() -> None:
    again = beam.backfill_commands(
        SETTINGS, DATAFLOW, "orders", (), "", "gs://bucket/export/ferry-7", "7-export-1-2", "7-import-1-2"
    )
    assert again[0][-2] != backfill()[0][-2]
    assert options(again[1])["sourcePattern"].startswith(again[0][-2])


def test_no_command_line_names_a_key_file() -> None:
    lines = [*backfill(), *compare(), beam.create_table_with_translator(SETTINGS.source, DATAFLOW, ["orders"]) or []]
    assert lines[-1]
    for argv in lines:
        assert not [word for word in argv if "key.json" in word or "CREDENTIALS" in word]


def test_an_emulator_is_named_in_front_of_the_command() -> None:
    _, pipeline = backfill(replace(DATAFLOW, emulator="127.0.0.1:8086"))
    assert pipeline[:3] == ["env", "BIGTABLE_EMULATOR_HOST=127.0.0.1:8086", "java"]
    assert backfill()[1][0] == "java"


def test_a_preview_can_be_pasted_into_a_shell() -> None:
    for argv in (*backfill(), *compare()):
        assert shlex.split(commands.line(argv)) == argv


def test_more_jars_follow_the_shaded_one_on_the_class_path() -> None:
    own = replace(DATAFLOW.backfill, extra_jars=("/opt/beam/direct.jar",))
    _, pipeline = backfill(replace(DATAFLOW, backfill=own))
    assert pipeline[pipeline.index("-cp") + 1] == "/opt/beam/shaded.jar:/opt/beam/direct.jar"


def test_local_folders_a_pipeline_writes_to_are_plain_paths_and_those_it_reads_keep_their_scheme() -> None:
    own = replace(DATAFLOW.backfill, temp_dir="file:///var/tmp/beam")
    bigtable = replace(DATAFLOW, backfill=own)
    found = options(beam.sync_table(bigtable, "7-sync-1-1", "orders", "file:///var/hash"))
    assert found["hashTableOutputDir"] == "file:///var/hash"
    assert (found["outputPrefix"], found["tempLocation"]) == ("/var/hash/differing", "/var/tmp/beam")


@pytest.mark.parametrize(("asked", "kept", "compared"), [(0, 0, 2**31 - 1), (0, 3, 3), (2, 3, 2)])
def test_the_comparison_hashes_as_many_versions_as_are_asked_for_or_kept(asked: int, kept: int, compared: int) -> None:
    hashes, _ = compare(replace(DATAFLOW, compare=CompareSettings(versions=asked)), kept)
    assert f"--versions={compared}" in hashes
    assert "--families=d,m" in hashes


def test_sync_table_reads_the_folder_hash_table_wrote() -> None:
    hashes, sync = compare()
    assert sync[sync.index(beam.MAIN) + 1] == "sync-table"
    assert options(sync)["hashTableOutputDir"] == hashes[-1]
    assert options(sync)["outputPrefix"] == f"{hashes[-1]}/differing"


@pytest.mark.parametrize("job_id", ["7f3a12-g2-import-1-1", "7F.Import_1"])
def test_a_pipeline_has_a_name_that_dataflow_takes(job_id: str) -> None:
    name = beam.pipeline_name(job_id)
    assert name[0].isalpha() and name.islower() and name.replace("-", "").isalnum() and not name.endswith("-")


def test_the_translator_is_told_exactly_these_tables() -> None:
    argv = beam.create_table_with_translator(SETTINGS.source, DATAFLOW, ["orders", "a.b"])
    assert argv is not None
    assert {word.partition("=")[0]: word.partition("=")[2] for word in argv if word.startswith("-D")} == {
        "-Dhbase.zookeeper.quorum": "zk1,zk2",
        "-Dhbase.zookeeper.property.clientPort": "2181",
        "-Dgoogle.bigtable.project.id": "my-project",
        "-Dgoogle.bigtable.instance.id": "my-instance",
        "-Dgoogle.bigtable.table.filter": "orders|a\\.b",
    }


@pytest.mark.parametrize("key", ["", "zk1:2181:/hbase-unsecure"])
def test_the_translator_is_not_offered_where_it_cannot_reach_the_cluster(key: str) -> None:
    assert beam.create_table_with_translator(SideSettings("prod", cluster_key=key), DATAFLOW, ["orders"]) is None


def test_counters_of_a_finished_sync_table_are_its_result() -> None:
    assert beam.sync_result(job({"ranges_matched": 374, "ranges_not_matched": 2})) == beam.SyncResult(374, 2)
    assert beam.sync_result(job({"ranges_matched": 376, "ranges_not_matched": 0})).different == 0


def test_a_counter_that_never_moved_may_be_absent() -> None:
    assert beam.sync_result(job({"ranges_matched": 376})) == beam.SyncResult(376, 0)
    assert beam.sync_result(job({"ranges_not_matched": 3})) == beam.SyncResult(0, 3)


@pytest.mark.parametrize(
    "state",
    [
        None,
        job({}),
        job({"ranges_matched": 0, "ranges_not_matched": 0}),
        job({"ranges_matched": 376}, code=1),
        job({"ranges_matched": 376}, JobPhase.RUNNING, None),
        job({"ranges_matched": 376}, JobPhase.LOST, None),
    ],
    ids=["no job", "no counters", "no ranges", "failed", "running", "lost"],
)
def test_exit_status_0_without_counters_and_anything_unfinished_prove_nothing(state: JobState | None) -> None:
    assert beam.sync_result(state) == beam.SyncResult(None, None)


def test_what_an_import_left_out_is_summed() -> None:
    assert beam.dropped_by_import(job({"droppedRows": 1, "droppedCells": 20, "droppedRowKeys": 300})) == 321
    assert beam.dropped_by_import(None) == 0


def test_families_with_several_versions_lose_the_older_ones_in_importsnapshot() -> None:
    assert beam.left_by_importsnapshot([family("d", 3), family("m", 1)]) == ("d",)


@pytest.mark.parametrize(
    ("state", "may"),
    [
        (job({}, JobPhase.LOST, None), True),
        (job({}, code=143), True),
        (job({}, code=1), True),
        (job({}), False),
        (job({}, JobPhase.RUNNING, None), False),
        (None, False),
    ],
    ids=["lost", "killed", "failed", "done", "running", "no job"],
)
def test_a_dataflow_pipeline_may_outlive_a_launcher_that_was_killed_or_lost(state: JobState | None, may: bool) -> None:
    look = beam.may_still_run(DATAFLOW, state)
    assert (look is not None) is may
    assert look is None or look[-1] == "--filter=name=ferry-7-import-1-1"
    local = replace(DATAFLOW, backfill=replace(DATAFLOW.backfill, runner=beam.DIRECT_RUNNER))
    assert beam.may_still_run(local, state) is None


def gates(engine: BackfillEngine, *families: Family, named: tuple[str, ...] = ()) -> dict[str, bool]:
    """Names of the backfill's closed gates about snapshots, and whether an operator may waive them."""
    own = replace(DATAFLOW, backfill=replace(DATAFLOW.backfill, engine=engine))
    target = replace(SETTINGS.target, bigtable=own)
    settings = replace(SETTINGS, target=target, tables=(TableSettings("orders", named),))
    seen = Table("orders", enabled=True, regions=1, families=families)
    source = ClusterView(Side.SOURCE, "prod", tables=Observed((seen,), 1.0))
    view = View(1.0, source, ClusterView(Side.TARGET, "bt"))
    step = build_plan(settings, "7").step("backfill:orders")
    return {g.name: g.waivable for g in step.gates(view) if g.name.startswith("snapshot.") and g.open is False}


def warned(*families: Family, versions: int = 0) -> list[str]:
    """What the comparison by sync-table warns of, for a source with these families."""
    own = replace(DATAFLOW, compare=CompareSettings(CompareEngine.SYNC_TABLE, versions=versions))
    settings = replace(SETTINGS, target=replace(SETTINGS.target, bigtable=own))
    seen = Table("orders", enabled=True, regions=1, families=families)
    view = View(1.0, ClusterView(Side.SOURCE, "prod", tables=Observed((seen,), 1.0)), ClusterView(Side.TARGET, "bt"))
    found = [g for g in build_plan(settings, "7").step("verify:orders").gates(view) if g.open is False]
    assert all(g.warning and g.name == "sync-table.retention.orders" for g in found)
    return [g.text for g in found]


def test_sync_table_is_known_to_find_differences_that_are_none_where_the_retention_of_families_lets_cells_go() -> None:
    short = replace(family("t", 3), ttl_seconds=86_400)
    (text,) = warned(family("d", 3), short)
    assert "cells of t that TTL or VERSIONS let go" in text and text.endswith("ferry, which leaves those out")
    assert "cells of d, m that" in warned(family("d", 3), family("m", 1))[0]
    assert "cells of m that" in warned(family("d", 3), family("m", 1), versions=2)[0]
    assert warned(family("d", 3), family("m", 3)) == warned(family("d", 3), family("m", 1), versions=1) == []


def test_importsnapshot_waits_for_a_reason_where_older_versions_would_stay_behind() -> None:
    found = gates(BackfillEngine.IMPORTSNAPSHOT, family("d", 3), family("m", 1))
    assert found == {"snapshot.versions.orders": True}
    assert gates(BackfillEngine.IMPORTSNAPSHOT, family("d", 1)) == {}


def test_importsnapshot_is_refused_where_only_some_families_migrate() -> None:
    found = gates(BackfillEngine.IMPORTSNAPSHOT, family("d", 1), family("m", 3), named=("d",))
    assert found == {"snapshot.families.orders": False}


def test_import_carries_every_version_of_chosen_families() -> None:
    assert gates(BackfillEngine.IMPORT, family("d", 3), family("m", 3), named=("d",)) == {}
