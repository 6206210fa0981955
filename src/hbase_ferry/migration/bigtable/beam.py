"""Command lines of Google's offline tools and of the HBase jobs that feed them, and what their output proves.

Export or ExportSnapshot writes the history as files, `import` or `importsnapshot` of bigtable-beam-import carries it
into the instance; HashTable and `sync-table` compare. All of them are detached jobs of the source's edge node. The
pipelines exit with 1 unless they end DONE, and with 0 whatever `sync-table` found: its counters alone decide.

Invariant: no word of a command line is a credential; the tools find the edge node's own. What an operator adds as an
option tunes a pipeline, and never changes what it reads and where it writes. Called by the steps `backfill` and
`verify`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hbase_ferry.insight.format import count, plural, size
from hbase_ferry.migration import tools
from hbase_ferry.migration.bigtable.settings import BackfillEngine, BigtableSettings
from hbase_ferry.migration.settings import Settings, SideSettings
from hbase_ferry.model.cluster import Family
from hbase_ferry.model.view import JobState

EXPORT = "org.apache.hadoop.hbase.mapreduce.Export"
MAIN = "com.google.cloud.bigtable.beam.Main"
DIRECT_RUNNER = "DirectRunner"
ALL_VERSIONS = 2**31 - 1
MATCHED, NOT_MATCHED = "ranges_matched", "ranges_not_matched"
"""Counters of sync-table (namespace cbt-dataflow-validate): key ranges whose hashes agree, and those that do not."""
DROPPED = ("droppedRows", "droppedCells", "droppedRowKeys")
"""Counters of importsnapshot from 2.19 on: what was above Bigtable's limits and left out."""
COPIED, ROWS = "BYTES_COPIED", "Map input records"
"""Counters of ExportSnapshot and of Export, in the dump at their end: what they wrote, and the rows they read."""
CODECS = frozenset({"", "NONE", "GZ", "SNAPPY"})
"""Compressions of a family that importsnapshot reads: what Java brings, and what `enableSnappy` adds to its workers."""
LINE = 120
"""Characters of a job's output line that are shown as its progress."""
JVM_OPTIONS = (
    "-XX:+IgnoreUnrecognizedVMOptions",  # Java 8 knows no --add-opens
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
)
"""What Beam 2.55's class generators need on Java 17."""


# ---- the pairs of jobs the steps start


def backfill_commands(
    settings: Settings,
    bigtable: BigtableSettings,
    table: str,
    families: Sequence[str],
    snapshot: str,
    folder: str,
    export_id: str,
    import_id: str,
    all_of: Sequence[str] = (),
    snappy: bool = False,
) -> tuple[list[str], list[str]]:
    """The job that writes the history below `folder`, and the pipeline that reads it there.

    Every attempt writes to a folder of its own, named like its job: both exports refuse one that exists. `all_of`: the
    families that the source's table has; see `export_sequence`. `snappy`: one of them is compressed so.
    """
    place = f"{folder.rstrip('/')}/{export_id}"
    if bigtable.backfill.engine is BackfillEngine.IMPORTSNAPSHOT:
        return (
            export_snapshot_to(settings, export_id, snapshot, place),
            import_snapshot(bigtable, import_id, table, snapshot, place, snappy),
        )
    return (
        export_sequence(settings, export_id, table, families, place, all_of),
        import_sequence(bigtable, import_id, table, place),
    )


def compare_commands(
    settings: Settings,
    bigtable: BigtableSettings,
    table: str,
    families: Sequence[str],
    folder: str,
    hash_id: str,
    sync_id: str,
    end_ms: int | None,
    kept: int = 0,
) -> tuple[list[str], list[str]]:
    """The job that writes the source's hashes to `folder`, and the pipeline that compares them with the instance.

    kept: how many versions every family keeps; 0: not known, all are compared. Bigtable removes older ones when it
    likes, so that a comparison of more than these finds differences which are none.
    """
    versions = compared_versions(bigtable, kept)
    return (
        tools.hash_table(settings, hash_id, table, families, folder, end_ms, versions),
        sync_table(bigtable, sync_id, table, folder),
    )


def compared_versions(bigtable: BigtableSettings, kept: int) -> int:
    """How many versions of each column are hashed; `kept` as in `compare_commands`."""
    return bigtable.compare.versions or kept or ALL_VERSIONS


# ---- jobs of the source's cluster


def export_sequence(
    settings: Settings, job: str, table: str, families: Sequence[str], folder: str, all_of: Sequence[str] = ()
) -> list[str]:
    """Export: sequence files of every version of these families; no families: all of them. The folder must be new.

    Families that are `all_of` the source's table are not named: Export of HBase 1.x takes the whole option for one
    name (`export_fault`).
    """
    own = {"hbase.mapreduce.scan.column.family": ",".join(families)} if _only_some(families, all_of) else {}
    options = tools.generic(job, settings.export.options, own)
    return [*settings.source.hbase, EXPORT, *options, table, folder, str(ALL_VERSIONS)]


def export_fault(major: int, table: str, families: Sequence[str], all_of: Sequence[str]) -> str | None:
    """Why Export cannot write these of a table's families, as the sentence of a closed gate; None: it can.

    `major`: the source's HBase. That of 1.x gives its whole option to addFamily (Export.java of branch-1), for which a
    list of names is one family that no table has; later ones split it.
    """
    if major != 1 or len(families) < 2 or not _only_some(families, all_of):
        return None
    return (
        f"Export of HBase 1.x takes one family or all of them, not {', '.join(families)} of {table}: let all "
        f"{len(all_of)} families migrate, or set backfill.engine: ferry"
    )


def _only_some(families: Sequence[str], all_of: Sequence[str]) -> bool:
    return bool(families) and not (all_of and set(all_of) <= set(families))


def export_snapshot_to(settings: Settings, job: str, snapshot: str, folder: str) -> list[str]:
    """ExportSnapshot to a folder outside any cluster: its file system has other checksums, and no cleaner of ours."""
    own = settings.export
    skip, verify = bool(own.skip_tmp), bool(own.checksum_verify)
    return tools.export(settings.source, job, snapshot, folder, own, skip_tmp=skip, verify_checksum=verify, again=False)


# ---- Google's pipelines


def import_sequence(bigtable: BigtableSettings, job: str, table: str, folder: str) -> list[str]:
    """`import` of what Export wrote to `folder`."""
    return _pipeline(bigtable, "import", job, table, {"sourcePattern": f"{folder.rstrip('/')}/part-*"})


def import_snapshot(
    bigtable: BigtableSettings, job: str, table: str, snapshot: str, folder: str, snappy: bool = False
) -> list[str]:
    """`importsnapshot` of what ExportSnapshot wrote to `folder`.

    It scans with HBase's default of one version, and has no option for more: only each column's newest cell arrives
    (run with 2.14.2; newer code scans in the same way). See `left_by_importsnapshot`.

    snappy: a family is compressed so. Without `enableSnappy` (false by default) Dataflow's workers lack the library. A
    value among the operator's options stands: workers of an image of their own may have it.
    """
    where = {"hbaseSnapshotSourceDir": folder, "snapshotName": snapshot}
    if snappy:
        where["enableSnappy"] = bigtable.backfill.options.get("enableSnappy", "true")
    return _pipeline(bigtable, "importsnapshot", job, table, where)


def sync_table(bigtable: BigtableSettings, job: str, table: str, folder: str) -> list[str]:
    """`sync-table` against the hashes in `folder`, which needs a scheme; it writes the ranges that differ there too."""
    where = {"hashTableOutputDir": folder, "outputPrefix": differing(folder)}
    return _pipeline(bigtable, "sync-table", job, table, where)


def differing(folder: str) -> str:
    """What the names of the files begin with into which `sync-table` writes the ranges that differ, one JSON a line."""
    return _written(f"{folder.rstrip('/')}/differing")


def _pipeline(bigtable: BigtableSettings, action: str, job: str, table: str, where: Mapping[str, str]) -> list[str]:
    own = bigtable.backfill
    ours = {
        "runner": own.runner,
        "jobName": pipeline_name(job),
        "project": own.options.get("project", bigtable.project),  # Dataflow may run in another project
        "region": own.region,
        "tempLocation": _written(own.temp_dir),
        "serviceAccount": own.service_account,
        "bigtableProject": bigtable.project,
        "bigtableInstanceId": bigtable.instance,
        "bigtableAppProfileId": bigtable.app_profile,
        "bigtableTableId": table,
        **where,
        "wait": "true",
    }
    options = {**own.options, **{name: value for name, value in ours.items() if value}}
    return [*_main(bigtable), action, *(f"--{name}={value}" for name, value in options.items())]


def _written(place: str) -> str:
    """`place` for a pipeline that writes there: Beam 2.55 takes file:///x for a path below its working directory."""
    return place.removeprefix("file://") if place.startswith("file:///") else place


def _main(bigtable: BigtableSettings) -> list[str]:
    own = bigtable.backfill
    jars = ":".join((own.jar or "<bigtable-beam-import-shaded.jar>", *own.extra_jars))
    return [*_java(bigtable), *JVM_OPTIONS, "-cp", jars, MAIN]


def lacking(bigtable: BigtableSettings) -> tuple[str, ...]:
    """What a pipeline's command line still lacks: neither it nor the job that feeds it is to be started."""
    own = bigtable.backfill
    needed = {"backfill.jar": own.jar, "backfill.export_dir": own.export_dir or own.engine is BackfillEngine.FERRY}
    return tuple(name for name, given in needed.items() if not given)


def _java(bigtable: BigtableSettings) -> tuple[str, ...]:
    emulator = ("env", f"BIGTABLE_EMULATOR_HOST={bigtable.emulator}") if bigtable.emulator else ()
    return (*emulator, *bigtable.backfill.java)


def pipeline_name(job: str) -> str:
    """The pipeline's name for a job id, as Dataflow takes it; Dataflow refuses a second running one of that name."""
    return "ferry-" + re.sub(r"[^a-z0-9]+", "-", job.lower()).strip("-")


def create_table_with_translator(
    side: SideSettings, bigtable: BigtableSettings, tables: Sequence[str], cluster_key: str = ""
) -> list[str] | None:
    """Google's schema translator for those tables, for people who prefer it; nothing here starts it.

    cluster_key: quorum:port:znode of the source. None: it is unknown, or its znode is not /hbase, for which the
    translator has no option.
    """
    quorum, port, znode = [*(side.cluster_key or cluster_key).rsplit(":", 2), "", ""][:3]
    if not port or znode != "/hbase":
        return None
    properties = {
        "hbase.zookeeper.quorum": quorum,
        "hbase.zookeeper.property.clientPort": port,
        "google.bigtable.project.id": bigtable.project,
        "google.bigtable.instance.id": bigtable.instance,
        "google.bigtable.table.filter": "|".join(re.escape(table) for table in tables),
    }
    jar = "<bigtable-hbase-1.x-tools-jar-with-dependencies.jar>"
    return [*_java(bigtable), *(f"-D{k}={v}" for k, v in properties.items()), "-jar", jar]


# ---- what the jobs' output says


@dataclass(frozen=True)
class SyncResult:
    """Key ranges by the outcome of sync-table; None: unknown, which proves nothing."""

    matched: int | None = None
    different: int | None = None


def sync_result(state: JobState | None) -> SyncResult:
    """What a finished sync-table counted.

    Unknown while it runs, where it failed, where it printed no counter, and where no range at all was compared. A
    counter that never moved may be absent: it is 0 once the other one is there, since both are printed together.
    """
    if state is None or not state.succeeded:
        return SyncResult()
    matched, different = state.counters.get(MATCHED), state.counters.get(NOT_MATCHED)
    return SyncResult(matched or 0, different or 0) if matched or different else SyncResult()


def dropped_by_import(state: JobState | None) -> int:
    """Rows, cells and row keys an import says it left out; 0 also where it printed none of these counters.

    `import`, and `importsnapshot` of one snapshot as it is started here, leave nothing out: what Bigtable refuses
    fails them. With filters among the operator's options that is not known: see `uncounted_filters`.
    """
    return sum(state.counters.get(name, 0) for name in DROPPED) if state is not None else 0


def uncounted_filters(bigtable: BigtableSettings, state: JobState | None) -> tuple[str, ...]:
    """The operator's options that let an import leave something out, where it printed no counter of what it did."""
    if state is not None and any(name in state.counters for name in DROPPED):
        return ()
    options = bigtable.backfill.options
    return tuple(name for name, value in options.items() if name.startswith("filter") and value.lower() != "false")


def newest_line(state: JobState | None) -> str:
    """What a job that runs has said last, at most LINE characters; empty: it does not run, or said nothing."""
    if state is None or not state.alive or not state.tail:
        return ""
    line = state.tail[-1].strip()
    return line if len(line) <= LINE else f"{line[: LINE - 3]}..."


def followed(export: JobState | None, pipeline: JobState | None) -> str:
    """How far the two jobs of a backfill are: their counters where they printed some, and what the running one says."""
    left = dropped_by_import(pipeline)
    told = {
        "export": (_exported(export), newest_line(export)),
        "import": (f"{plural(left, 'row, cell or key', 'rows, cells or keys')} dropped" if left else "",
                   newest_line(pipeline)),
    }  # fmt: skip
    return "; ".join(f"{name}: {', '.join(filter(None, parts))}" for name, parts in told.items() if any(parts))


def _exported(state: JobState | None) -> str:
    """ExportSnapshot's input records are files: its bytes are told instead."""
    counters = state.counters if state is not None else {}
    if COPIED in counters:
        return f"{size(counters[COPIED])} copied"
    return f"{count(counters[ROWS])} rows read" if ROWS in counters else ""


# ---- what importsnapshot does not carry, or may not read


def snappy(families: Sequence[Family]) -> bool:
    """Whether a snapshot with these families needs `enableSnappy`. Files of before an ALTER are not seen."""
    return any(family.compression.upper() == "SNAPPY" for family in families)


def unread_codecs(families: Sequence[Family]) -> tuple[str, ...]:
    """Families, each with its codec, of which it is not known whether importsnapshot reads them."""
    return tuple(f"{f.name} ({f.compression})" for f in families if f.compression.upper() not in CODECS)


def left_by_importsnapshot(families: Sequence[Family]) -> tuple[str, ...]:
    """Of the families that migrate those that keep several versions: all but the newest stay behind, and it exits 0."""
    return tuple(family.name for family in families if family.versions > 1)


def may_still_run(bigtable: BigtableSettings, state: JobState | None) -> list[str] | None:
    """How to look for a pipeline that may outlive its launcher; None: it cannot.

    On Dataflow it runs on without the process that was killed or lost. One that goes on after the peer was enabled
    brings back cells that were deleted meanwhile.
    """
    own = bigtable.backfill
    if state is None or state.alive or own.runner == DIRECT_RUNNER:
        return None
    if state.succeeded:
        return None
    project, region = own.options.get("project", bigtable.project), own.region or "<region>"
    return [
        *("gcloud", "dataflow", "jobs", "list", "--status=active", f"--project={project}", f"--region={region}"),
        f"--filter=name={pipeline_name(state.id)}",
    ]
