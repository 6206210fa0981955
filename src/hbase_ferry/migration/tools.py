"""Command lines of the engines that do the heavy work: ExportSnapshot, DistCp, HashTable, SyncTable, RowCounter.

Invariant: generic `-D` options stand before the tool's own (GenericOptionsParser), every job gets its own name so
that it can be found in YARN, and SyncTable is always a dry run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hbase_ferry.migration.settings import ExportSettings, Settings, SideSettings

EXPORT = "org.apache.hadoop.hbase.snapshot.ExportSnapshot"
HASH = "org.apache.hadoop.hbase.mapreduce.HashTable"
SYNC = "org.apache.hadoop.hbase.mapreduce.SyncTable"
COUNT = "org.apache.hadoop.hbase.mapreduce.RowCounter"
VERIFY = "org.apache.hadoop.hbase.mapreduce.replication.VerifyReplication"
FS_SHELL = "org.apache.hadoop.fs.FsShell"


def generic(job: str, *options: Mapping[str, str]) -> list[str]:
    """The `-D` words of a MapReduce job: its name and whatever `options` hold, the later ones winning."""
    merged: dict[str, str] = {"mapreduce.job.name": job}
    for more in options:
        merged.update(more)
    return [f"-D{key}={value}" for key, value in merged.items()]


def export(
    side: SideSettings,
    job: str,
    snapshot: str,
    copy_to: str,
    settings: ExportSettings,
    *,
    skip_tmp: bool,
    verify_checksum: bool,
    again: bool,
    copy_from: str = "",
) -> list[str]:
    """ExportSnapshot. Single-dash options: the only spelling 1.x knows, and accepted by 2.x and 3.x.

    `again`: a second attempt of our own, uniquely named snapshot, so that -overwrite can only meet our leftovers.
    """
    own = {"snapshot.export.skip.tmp": "true"} if skip_tmp else {}
    argv = [*side.hbase, EXPORT, *generic(job, own, settings.options), "-snapshot", snapshot]
    if copy_from:
        argv += ["-copy-from", copy_from]
    argv += ["-copy-to", copy_to]
    if settings.mappers:
        argv += ["-mappers", str(settings.mappers)]
    if settings.bandwidth_mb:
        argv += ["-bandwidth", str(settings.bandwidth_mb)]
    if settings.chuser:
        argv += ["-chuser", settings.chuser]
    if settings.chgroup:
        argv += ["-chgroup", settings.chgroup]
    if not verify_checksum:
        argv += ["-no-checksum-verify"]
    if again:
        argv += ["-overwrite"]
    return argv


def copy_staging(settings: ExportSettings, job: str, source: str, target: str) -> list[str]:
    """DistCp (`-update`, so that a second run goes on) or JindoDistCp, told apart by the command's name."""
    if any("jindo" in word for word in settings.copy_tool):
        return [*settings.copy_tool, "--src", source, "--dest", target, "--disableChecksum", "--parallelism", "10"]
    return [*settings.copy_tool, *generic(job, settings.options), "-update", "-skipcrccheck", source, target]


def hash_table(
    settings: Settings,
    job: str,
    table: str,
    families: Sequence[str],
    directory: str,
    end_ms: int | None,
    versions: int = 0,
) -> list[str]:
    """HashTable on the source. A bounded end time keeps rows written during the run out; it needs a start time.

    versions: how many of each column's newest; 0: HashTable's own default, which is the newest alone.
    """
    argv = [*settings.source.hbase, HASH, *generic(job, settings.verify.options), "--batchsize=32768"]
    if families:
        argv.append("--families=" + ",".join(families))
    if versions:
        argv.append(f"--versions={versions}")
    if end_ms is not None:
        argv += ["--starttime=1", f"--endtime={end_ms}"]
    return [*argv, table, directory]


def sync_table(settings: Settings, job: str, table: str, source_key: str, directory: str) -> list[str]:
    """SyncTable on the target, always `--dryrun=true`: without it the tool writes and deletes."""
    return [
        *settings.target.hbase,
        SYNC,
        *generic(job, settings.verify.options),
        "--dryrun=true",
        f"--sourcezkcluster={source_key}",
        directory,
        table,
        table,
    ]


def row_counter(side: SideSettings, settings: Settings, job: str, table: str, families: Sequence[str]) -> list[str]:
    """RowCounter over the migrated families."""
    return [*side.hbase, COUNT, *generic(job, settings.verify.options), table, *families]


def verify_replication(
    settings: Settings, job: str, peer_id: str, table: str, families: Sequence[str], end_ms: int | None
) -> list[str]:
    """VerifyReplication on the source; rc 0 also with BADROWS."""
    argv = [*settings.source.hbase, VERIFY, *generic(job, settings.verify.options)]
    if families:
        argv.append("--families=" + ",".join(families))
    if end_ms is not None:
        argv += ["--starttime=1", f"--endtime={end_ms}"]
    return [*argv, peer_id, table]


def remove_directory(side: SideSettings, directory: str) -> list[str]:
    """Removes a directory of ours from the file system."""
    return [*side.hbase, FS_SHELL, "-rm", "-r", "-f", "-skipTrash", directory]
