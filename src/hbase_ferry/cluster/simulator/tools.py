"""Which simulated tool a command line starts. Called by `jobs.JobBook` when a job is new."""

from __future__ import annotations

from hbase_ferry.cluster.simulator.exporting import distcp, export_snapshot, fs_shell
from hbase_ferry.cluster.simulator.jobs import Job, JobScript, Tool
from hbase_ferry.cluster.simulator.verification import hash_table, row_counter, sync_table, verify_replication

CLASSES: dict[str, Tool] = {
    "ExportSnapshot": export_snapshot,
    "HashTable": hash_table,
    "SyncTable": sync_table,
    "RowCounter": row_counter,
    "VerifyReplication": verify_replication,
    "DistCp": distcp,
    "FsShell": fs_shell,
}


def script_of(job: Job) -> JobScript:
    """The script that `job.argv` starts."""
    argv = job.argv
    first = argv[0].rsplit("/", 1)[-1] if argv else ""
    if first == "true":
        return _ends(0)
    if first == "false":
        return _ends(1)
    if first == "echo":
        job.say(" ".join(argv[1:]))
        return _ends(0)
    if first == "sleep":
        return _ends(0, float(argv[1]))
    for index, word in enumerate(argv):
        name = word.rsplit(".", 1)[-1]
        if word.startswith("org.apache.hadoop.") and name in CLASSES:
            return CLASSES[name](job, argv[index + 1 :])
        if word == "distcp" or ("distcp" in word and word.endswith(".jar")):
            return distcp(job, argv[index + 1 :])
    job.say(f"{first}: not found")
    return _ends(127)


def _ends(code: int, after: float = 0.05) -> JobScript:
    yield after
    return code
