"""The errors a simulated HBase answers, with HBase's own classes and texts.

Texts follow real servers (facts: lab-hbase.md §4, hbase-replication.md §1.3) and the named classes' source. The
class is what callers decide by; messages differ between lines. `hbase_ferry.*` are the agent's own.
"""

from __future__ import annotations

from hbase_ferry.errors import AgentError

_HBASE = "org.apache.hadoop.hbase."
DO_NOT_RETRY = _HBASE + "DoNotRetryIOException"
PEER_NOT_FOUND = _HBASE + "ReplicationPeerNotFoundException"
TABLE_NOT_FOUND = _HBASE + "TableNotFoundException"
TABLE_EXISTS = _HBASE + "TableExistsException"
TABLE_NOT_DISABLED = _HBASE + "TableNotDisabledException"
TABLE_NOT_ENABLED = _HBASE + "TableNotEnabledException"
NAMESPACE_NOT_FOUND = _HBASE + "NamespaceNotFoundException"
NAMESPACE_EXISTS = _HBASE + "NamespaceExistException"
CONSTRAINT = _HBASE + "constraint.ConstraintException"
NO_SUCH_FAMILY = _HBASE + "regionserver.NoSuchColumnFamilyException"
SNAPSHOT_EXISTS = _HBASE + "snapshot.SnapshotExistsException"
SNAPSHOT_MISSING = _HBASE + "snapshot.SnapshotDoesNotExistException"
SNAPSHOT_CREATION = _HBASE + "snapshot.SnapshotCreationException"
RESTORE = _HBASE + "snapshot.RestoreSnapshotException"
CORRUPTED = _HBASE + "snapshot.CorruptedSnapshotException"
ILLEGAL_ARGUMENT = "java.lang.IllegalArgumentException"
IO = "java.io.IOException"
REPLICATION = _HBASE + "replication.ReplicationException"
BAD_REQUEST = "hbase_ferry.BadRequest"
UNKNOWN_METHOD = "hbase_ferry.UnknownMethod"
NO_JOB = "hbase_ferry.NoJob"
RETRIES = _HBASE + "client.RetriesExhaustedException"


def hbase_error(kind: str, text: str) -> AgentError:
    """An error of the Java class `kind`."""
    return AgentError(kind, text)


def version_of(text: str) -> tuple[int, ...]:
    """(2, 6, 1) of "2.6.1-hadoop3"."""
    return tuple(int(part) for part in text.split("-", 1)[0].split(".") if part.isdigit())


def peer_missing(peer: str, version: tuple[int, ...]) -> AgentError:
    """From 2.5 a class of its own whose whole message is the id (HBASE-26905)."""
    if version >= (2, 5):
        return hbase_error(PEER_NOT_FOUND, peer)
    return hbase_error(DO_NOT_RETRY, f"Replication peer {peer} does not exist")
