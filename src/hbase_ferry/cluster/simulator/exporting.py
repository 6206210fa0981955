"""ExportSnapshot, DistCp and FsShell on the simulated pair: bytes appear in the destination while they run.

The order of ExportSnapshot's own doWork is kept (facts: hbase-snapshots-and-verification.md §1.3): the manifest goes
to `.hbase-snapshot/.tmp` first, files into `archive/`, and the manifest is renamed last. An exception removes both
manifests, a killed client leaves the one in `.tmp`, and the next run then says "may be in-progress".
"""

from __future__ import annotations

from collections.abc import Generator

from hbase_ferry.cluster.simulator.hdfs import Archived, Area, SimSnapshot, split_uri
from hbase_ferry.cluster.simulator.jobs import ClientGone, Job, JobFailed, JobScript
from hbase_ferry.cluster.simulator.options import Options, parse
from hbase_ferry.model.view import JobPhase

BANDWIDTH = 330 * 1024 * 1024
"""Bytes a second of a whole export or copy without limits."""
STEP = 0.5
_SWITCHES = ("overwrite", "no-checksum-verify", "no-target-verify", "no-source-verify", "reset-ttl",
             "update", "p", "skipcrccheck", "delete", "direct", "i", "v")  # fmt: skip
_NAME = "snapshot.ExportSnapshot"


def export_snapshot(job: Job, argv: tuple[str, ...]) -> JobScript:
    """`ExportSnapshot [-Dk=v …] -snapshot S -copy-to URI [-copy-from URI] [-target T] [-overwrite] …`."""
    options = parse(argv, _SWITCHES)
    yield 0.8
    missing = [name for name in ("snapshot", "copy-to") if not options.values.get(name)]
    if missing:
        job.log(f"util.AbstractHBaseTool: Missing required option: {missing[0]}", "ERROR")
        job.log("util.AbstractHBaseTool: Use -h or --help for usage instructions.", "ERROR")
        return 1
    name = options.values["snapshot"]
    target = options.values.get("target", name)
    filesystem = job.cluster.filesystem
    from_uri = split_uri(options.values.get("copy-from", job.cluster.area.uri), filesystem)
    source = job.world.area(from_uri)
    to = job.world.area(split_uri(options.values["copy-to"], filesystem))
    snapshot = source.snapshots.get(name)
    job.log(f"{_NAME}: Verify the source snapshot's expiration status and integrity.")
    if snapshot is None:
        return _unreadable(job, f"{source.uri}/.hbase-snapshot/{name}")
    refused = _refusal(job, to, target, overwrite="overwrite" in options.values)
    if refused:
        return 1
    skip_tmp = options.settings.get("snapshot.export.skip.tmp") == "true"
    folder = to.snapshots if skip_tmp else to.tmp
    where = f"{to.uri}/.hbase-snapshot/{'' if skip_tmp else '.tmp/'}{target}"
    job.log(f"{_NAME}: Copy Snapshot Manifest from {source.uri}/.hbase-snapshot/{name} to {where}")
    folder[target] = snapshot
    yield 1.2
    try:
        yield from _copy(job, source, to, snapshot, options)
        job.log(f"{_NAME}: Finalize the Snapshot Export")
        to.tmp.pop(target, None)
        to.snapshots[target] = snapshot
        yield 0.5
        job.log(f"{_NAME}: Verify the exported snapshot's expiration status and integrity.")
        if "no-target-verify" not in options.values and to.holds(snapshot, set())[2]:
            raise JobFailed(f"Snapshot '{target}' has missing files in {to.uri}/archive")
    except JobFailed as error:
        to.tmp.pop(target, None)
        to.snapshots.pop(target, None)
        job.log(f"{_NAME}: Snapshot export failed", "ERROR")
        job.say(f"org.apache.hadoop.hbase.snapshot.ExportSnapshotException: {error}")
        return 1
    job.log(f"{_NAME}: Export Completed: {target}")
    return 0


def _unreadable(job: Job, folder: str) -> int:
    job.log("util.AbstractHBaseTool: Error running command-line tool", "ERROR")
    job.say(
        "org.apache.hadoop.hbase.snapshot.CorruptedSnapshotException: Couldn't read snapshot info from:"
        f"{folder}/.snapshotinfo"
    )
    return 1


def _refusal(job: Job, to: Area, target: str, *, overwrite: bool) -> bool:
    final = f"{to.uri}/.hbase-snapshot/{target}"
    tmp = f"{to.uri}/.hbase-snapshot/.tmp/{target}"
    if overwrite:
        to.snapshots.pop(target, None)
        to.tmp.pop(target, None)
        return False
    if target in to.snapshots:
        job.say(f"The snapshot '{target}' already exists in the destination: {final}")
        return True
    if target in to.tmp:
        job.say(f"A snapshot with the same name '{target}' may be in-progress")
        job.say(f"Please check {tmp}. If the snapshot has completed, ")
        job.say(f"consider removing {tmp} by using the -overwrite option")
        return True
    return False


def _copy(
    job: Job, source: Area, to: Area, snapshot: SimSnapshot, options: Options
) -> Generator[float, None, None]:
    files = snapshot.files
    mappers = options.number("mappers", 0) or min(len(files), 1 + len(files) // 10)
    job.log(f"{_NAME}: Loading Snapshot '{snapshot.name}' hfile list")
    job.log(f"mapreduce.JobSubmitter: number of splits:{mappers}")
    stamp = f"{job.world.start_ms}_{len(job.world.jobs.named(job.cluster.side, '')):04d}"
    job.application = f"application_{stamp}"
    job.log(f"impl.YarnClientImpl: Submitted application {job.application}")
    job.log(f"mapreduce.Job: The url to track the job: http://rm1.{job.cluster.name}:8088/proxy/{job.application}/")
    job.log(f"mapreduce.Job: Running job: job_{stamp}")
    yield 2.0
    job.log(f"mapreduce.Job: Job job_{stamp} running in uber mode : false")
    job.log("mapreduce.Job:  map 0% reduce 0%")
    limit = options.number("bandwidth", 0) * 1024 * 1024 * mappers
    job.on_yarn = True
    counts = yield from _transfer(job, to, snapshot, min(BANDWIDTH, limit or BANDWIDTH))
    job.on_yarn = False
    if job.phase is not JobPhase.RUNNING:
        raise ClientGone
    job.log(f"mapreduce.Job: Job job_{stamp} completed successfully")
    job.dump({
        "File System Counters": {
            "HDFS: Number of bytes read": counts["BYTES_COPIED"],
            "HDFS: Number of bytes written": counts["BYTES_COPIED"],
        },
        "Map-Reduce Framework": {"Map input records": len(files), "Map output records": 0},
        "org.apache.hadoop.hbase.snapshot.ExportSnapshot$Counter": counts,
    })


def _transfer(
    job: Job, to: Area, snapshot: SimSnapshot, bandwidth: int
) -> Generator[float, None, dict[str, int]]:
    there = to.archived(snapshot.table)
    counts = dict.fromkeys(("BYTES_COPIED", "BYTES_EXPECTED", "BYTES_SKIPPED", "COPY_FAILED", "FILES_COPIED",
                            "FILES_SKIPPED", "MISSING_FILES"), 0)  # fmt: skip
    allowance, shown = 0.0, 0
    for index, file in enumerate(snapshot.files):
        found = there.get(file.key)
        if found is not None and found.bytes == file.bytes:
            counts["FILES_SKIPPED"] += 1
            counts["BYTES_SKIPPED"] += file.bytes
        else:
            copied = there[file.key] = Archived(0, job.world.now_ms)
            while copied.bytes < file.bytes:
                if allowance < 1:
                    yield STEP
                    _check(job, to, there, file.key)
                    allowance += bandwidth * STEP
                step = min(file.bytes - copied.bytes, int(allowance))
                copied.bytes += step
                copied.since_ms = job.world.now_ms
                allowance -= step
            counts["FILES_COPIED"] += 1
            counts["BYTES_COPIED"] += file.bytes
            counts["BYTES_EXPECTED"] += file.bytes
        percent = 100 * (index + 1) // len(snapshot.files)
        if percent >= shown + 10 or percent == 100:
            shown = percent
            job.log(f"mapreduce.Job:  map {percent}% reduce 0%")
    return counts


def _check(job: Job, to: Area, there: dict[str, Archived], key: str) -> None:
    for cluster in job.world.clusters.values():
        if cluster.area is not to:
            continue
        if cluster is not job.cluster and job.world.faults.cut_off(cluster.side):
            raise JobFailed(f"java.net.NoRouteToHostException: No Route to Host to nn1.{cluster.name}:8020")
        if cluster.full:
            raise JobFailed("org.apache.hadoop.ipc.RemoteException: File could only be written to 0 of the 1 "
                            "minReplication nodes. There are 3 datanode(s) running")  # fmt: skip
    if key not in there:
        raise JobFailed(f"java.io.FileNotFoundException: File does not exist: {to.uri}/archive/data/{key}")


def fs_shell(job: Job, argv: tuple[str, ...]) -> JobScript:
    """`FsShell -rm [-r] [-f] [-skipTrash] PATH …`: hash folders and staging folders; never a cluster's root."""
    options = [word for word in argv if word.startswith("-")]
    paths = [split_uri(word, job.cluster.filesystem) for word in argv if not word.startswith("-")]
    yield 1.2
    if not options or options[0] != "-rm":
        job.say(f"{(options or ['fs'])[0][1:]}: Unknown command")
        return 255
    world = job.world
    roots = {cluster.area.uri for cluster in world.clusters.values()}
    failed = False
    for path in paths:
        inside = [uri for uri in (*world.hashes, *world.areas) if uri == path or uri.startswith(path + "/")]
        if any(uri in roots for uri in inside):
            job.say(f"rm: `{path}': Operation not permitted")
            return 1
        for uri in inside:
            world.hashes.pop(uri, None)
            world.areas.pop(uri, None)
        if inside:
            job.say(f"Deleted {path}")
        elif "-f" not in options:
            job.say(f"rm: `{path}': No such file or directory")
            failed = True
    return int(failed)


def distcp(job: Job, argv: tuple[str, ...]) -> JobScript:
    """`hadoop distcp [-update] SRC DST` or JindoDistCp's `--src SRC --dest DST`: a whole staging folder."""
    options = parse(argv, _SWITCHES, valued=("m", "bandwidth", "src", "dest", "parallelism", "bandWidth", "strategy"))
    ends = [options.values.get("src", ""), options.values.get("dest", "")]
    source_uri, to_uri = ends if all(ends) else (options.positional[-2:] if len(options.positional) > 1 else ("", ""))
    yield 1.5
    if not source_uri or not to_uri:
        job.log("tools.DistCp: Invalid arguments: ", "ERROR")
        return 255
    filesystem = job.cluster.filesystem
    source = job.world.area(split_uri(source_uri, filesystem))
    to = job.world.area(split_uri(to_uri, filesystem))
    if not source.snapshots and not source.archive:
        job.log(f"tools.DistCp: Invalid input: {source.uri} doesn't exist", "ERROR")
        return 255
    moved = 0
    job.log("mapreduce.Job:  map 0% reduce 0%")
    for table in sorted(source.archive):
        for key, found in sorted(source.archive[table].items()):
            copied = to.archived(table).setdefault(key, Archived(0, job.world.now_ms))
            while copied.bytes < found.bytes:
                copied.bytes = min(found.bytes, copied.bytes + int(BANDWIDTH * STEP))
                yield STEP
            moved += found.bytes
    to.snapshots.update(source.snapshots)
    job.log("mapreduce.Job:  map 100% reduce 0%")
    files = sum(len(found) for found in source.archive.values())
    counters = {"BYTESCOPIED": moved, "BYTESEXPECTED": moved, "COPY": files, "DIR_COPY": len(source.archive)}
    job.dump({"DistCp Counters": counters})
    job.log(f"tools.DistCp: Copied {source.uri} to {to.uri}")
    return 0
