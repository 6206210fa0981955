"""HashTable, SyncTable, RowCounter and VerifyReplication over the simulated tables' real content.

They find what the real ones find and miss what the real ones miss: VerifyReplication starts its scan of the peer at
each region's first source row, so a target-only row before it is never seen (lab-hbase.md §4); exit code 0 says
only that the job ran; a counter never incremented is absent; SyncTable repairs unless told `--dryrun=true`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hbase_ferry.cluster.simulator.cluster import SimCluster
from hbase_ferry.cluster.simulator.hdfs import split_uri
from hbase_ferry.cluster.simulator.jobs import Job, JobScript
from hbase_ferry.cluster.simulator.options import Options, parse
from hbase_ferry.cluster.simulator.rows import Comparison, Rows, compare
from hbase_ferry.cluster.simulator.tables import SimTable

BATCH_ROWS = 340
_SYNC = "org.apache.hadoop.hbase.mapreduce.SyncTable$SyncMapper$Counter"
_VERIFY = "org.apache.hadoop.hbase.mapreduce.replication.VerifyReplication$Verifier$Counters"
_ROWS = "org.apache.hadoop.hbase.mapreduce.RowCounter$RowCounterMapper$Counters"


@dataclass(frozen=True)
class Hashes:
    """What HashTable wrote: the content as it was scanned."""

    table: str
    rows: Rows
    families: tuple[str, ...]
    before: int | None
    bytes: int


def _table(job: Job, cluster: SimCluster, name: str) -> SimTable | None:
    found = cluster.tables.get(name)
    if found is None:
        job.say(f'Exception in thread "main" org.apache.hadoop.hbase.TableNotFoundException: {name}')
    elif not found.enabled:
        job.say(f'Exception in thread "main" org.apache.hadoop.hbase.TableNotEnabledException: {name}')
        return None
    return found


def _begin(job: Job, splits: int) -> str:
    number = f"{job.world.start_ms}_{len(job.world.jobs.named(job.cluster.side, '')):04d}"
    job.application = f"application_{number}"
    job.log(f"mapreduce.JobSubmitter: number of splits:{splits}")
    job.log(f"impl.YarnClientImpl: Submitted application {job.application}")
    job.log(f"mapreduce.Job: Running job: job_{number}")
    job.log("mapreduce.Job:  map 0% reduce 0%")
    return number


def _finish(job: Job, number: str, table: SimTable, scanned: int, group: str, counters: dict[str, int]) -> None:
    job.log("mapreduce.Job:  map 100% reduce 0%")
    job.log(f"mapreduce.Job: Job job_{number} completed successfully")
    groups = {
        "Map-Reduce Framework": {"Map input records": scanned, "Map output records": 0},
        "HBaseCounters": {"REGIONS_SCANNED": len(table.regions), "ROWS_SCANNED": scanned},
    }
    shown = {name: value for name, value in sorted(counters.items()) if value}
    if group and shown:
        groups[group] = shown
    job.dump(groups)


def row_counter(job: Job, argv: tuple[str, ...]) -> JobScript:
    """`RowCounter TABLE [FAMILY …] [--starttime=] [--endtime=] [--expectedCount=N]`."""
    options = parse(argv)
    yield 1.5
    table = _table(job, job.cluster, options.positional[0] if options.positional else "")
    if table is None:
        return 1
    number = _begin(job, len(table.regions))
    yield 5.0
    families = [word.split(":")[0] for word in options.positional[1:]]
    rows = table.rows.count(families, options.end_time())
    _finish(job, number, table, rows, _ROWS, {"ROWS": rows})
    if "expectedCount" in options.values and options.number("expectedCount", -1) != rows:
        expected = options.values["expectedCount"]
        job.log(f"mapreduce.RowCounter: Failing job because count of '{rows}' does not match expected count of "
                f"'{expected}'", "ERROR")  # fmt: skip
        return 1
    return 0


def hash_table(job: Job, argv: tuple[str, ...]) -> JobScript:
    """`HashTable [--batchsize= --numhashfiles= --starttime= --endtime= --families=] TABLE OUTPUT`."""
    options = parse(argv)
    yield 1.5
    if len(options.positional) != 2:
        job.say("Usage: HashTable [options] <tablename> <outputpath>")
        return 1
    name, folder = options.positional
    folder = split_uri(folder, job.cluster.filesystem)
    table = _table(job, job.cluster, name)
    if table is None:
        return 1
    if folder in job.world.hashes:
        job.say(f"org.apache.hadoop.mapred.FileAlreadyExistsException: Output directory {folder}/hashes already exists")
        return 1
    number = _begin(job, len(table.regions))
    yield 4.0
    content = table.rows.copy()
    yield 3.5
    before = options.end_time() if options.number("starttime", -1) >= 0 else None
    rows = content.count(options.families(), before)
    job.world.hashes[folder] = Hashes(name, content, options.families(), before, 40 * (rows // BATCH_ROWS + 1))
    _finish(job, number, table, rows, "", {})
    return 0


def sync_table(job: Job, argv: tuple[str, ...]) -> JobScript:
    """`SyncTable --dryrun=true --sourcezkcluster=KEY HASHES SOURCE TARGET`, on the target's edge node."""
    options = parse(argv)
    yield 1.5
    if len(options.positional) != 3:
        job.say("Usage: SyncTable [options] <sourcehashdir> <sourcetable> <targettable>")
        return 1
    folder, source_name, target_name = options.positional
    hashes = job.world.hashes.get(split_uri(folder, job.cluster.filesystem))
    source_cluster = _by_key(job, options.values.get("sourcezkcluster", ""))
    if not isinstance(hashes, Hashes) or source_cluster is None:
        job.say(f"java.io.FileNotFoundException: File does not exist: {folder}/manifest")
        return 1
    source, target = _table(job, source_cluster, source_name), _table(job, job.cluster, target_name)
    if source is None or target is None:
        return 1
    job.log(f"mapreduce.SyncTable: Read source hash manifest: tableName={hashes.table}")
    number = _begin(job, len(target.regions))
    yield 7.0
    counters, found = _sync(hashes, source, target)
    if options.values.get("dryrun") != "true":
        _repair(source, target, found)
    _finish(job, number, target, target.rows.count(), _SYNC, counters)
    return 0


def _by_key(job: Job, key: str) -> SimCluster | None:
    for cluster in job.world.clusters.values():
        if cluster.cluster_key == key and not job.world.faults.cut_off(cluster.side):
            return cluster
    return None


def _sync(hashes: Hashes, source: SimTable, target: SimTable) -> tuple[dict[str, int], Comparison]:
    """Hash ranges that differ are read again, row by row, on both sides as they are now."""
    first = compare(hashes.rows, target.rows, hashes.families, hashes.before)
    total = max(len(source.regions), source.loaded // BATCH_ROWS)
    mismatched = {_batch(source, row) for row in first.rows}
    found = Comparison()
    now = compare(source.rows, target.rows, hashes.families, hashes.before) if mismatched else found
    for name in ("only_source", "only_target", "different"):
        setattr(found, name, [row for row in getattr(now, name) if _batch(source, row) in mismatched])
    matching = max(0, len(mismatched) * BATCH_ROWS - len(found.rows)) if mismatched else 0
    counters = {
        "BATCHES": total, "HASHES_MATCHED": total - len(mismatched), "HASHES_NOT_MATCHED": len(mismatched),
        "RANGESNOTMATCHED": len(mismatched), "MATCHINGROWS": matching, "MATCHINGCELLS": matching,
        "ROWSWITHDIFFS": len(found.rows), "SOURCEMISSINGROWS": len(found.only_target),
        "TARGETMISSINGROWS": len(found.only_source), "SOURCEMISSINGCELLS": now.source_missing_cells,
        "TARGETMISSINGCELLS": now.target_missing_cells, "DIFFERENTCELLVALUES": now.different_values,
    }  # fmt: skip
    return counters, found


def _batch(table: SimTable, row: int) -> int:
    return table.keys.position(row, table.loaded) // BATCH_ROWS


def _repair(source: SimTable, target: SimTable, found: Comparison) -> None:
    for row in found.rows:
        target.rows.over[row] = source.rows.row(row)


def verify_replication(job: Job, argv: tuple[str, ...]) -> JobScript:
    """`VerifyReplication [--starttime= --endtime= --families= …] PEER TABLE`, on the source's edge node."""
    options = parse(argv, switches=("verbose", "raw"))
    yield 1.5
    peer_id, name = [*options.positional, "", ""][:2]
    peer = job.cluster.peers.get(peer_id)
    if peer is None:
        job.say(f'Exception in thread "main" java.io.IOException: Couldn\'t get peer conf! {peer_id}')
        return 1
    source = _table(job, job.cluster, name)
    other = job.world.reaches(job.cluster, peer.cluster_key)
    target = _table(job, other, name) if other is not None else None
    if source is None or target is None:
        return 1
    number = _begin(job, len(source.regions))
    yield 22.0
    _finish(job, number, source, source.rows.count(), _VERIFY, _verify(job, options, source, target))
    return 0


def _verify(job: Job, options: Options, source: SimTable, target: SimTable) -> dict[str, int]:
    found = compare(source.rows, target.rows, options.families(), options.end_time())
    seen = [row for row in found.only_target if _is_seen(source, row)] if found.only_target else []
    for kind, rows in (("ONLY_IN_SOURCE_TABLE_ROWS", found.only_source), ("ONLY_IN_PEER_TABLE_ROWS", seen),
                       ("CONTENT_DIFFERENT_ROWS", found.different)):  # fmt: skip
        for row in rows[:20]:
            key = source.keys.key_of(row, source.loaded).decode(errors="replace")
            job.log(f"replication.VerifyReplication: {kind}, rowkey={key}", "ERROR", "LocalJobRunner Map Task")
    return {
        "GOODROWS": found.equal, "BADROWS": len(found.only_source) + len(seen) + len(found.different),
        "ONLY_IN_SOURCE_TABLE_ROWS": len(found.only_source), "ONLY_IN_PEER_TABLE_ROWS": len(seen),
        "CONTENT_DIFFERENT_ROWS": len(found.different),
    }  # fmt: skip


def _is_seen(source: SimTable, row: int) -> bool:
    """Whether the source's region of this row has a live row at or before it."""
    key = source.keys.key_of(row, source.loaded)
    region = source.region_of(row)
    base = source.rows.base
    if base is not None:
        for candidate in range(region.start, source.keys.position(row, source.loaded) + 1):
            if candidate < base.rows and source.rows.exists(candidate):
                return True
    return any(
        source.region_of(other) is region and source.keys.key_of(other, source.loaded) <= key
        for other in source.rows.over
        if source.rows.exists(other)
    )

