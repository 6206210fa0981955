"""The wire: every method a cluster answers, its parameters, its answer, its deadline. JSON-RPC 2.0, one message a line.

The agent (agent.rb) and the simulator implement this table's HBase methods, the Bigtable client and the simulated
instance its Bigtable methods; `tests/contract` compares them method by method. Invariant: whatever does not fit
`answer` is `BadAnswer`, so an unknown is never taken for a success.

Framing: each line the agent writes is `@@<nonce> <json>\\n`; other lines on that descriptor are noise and ignored.
The client writes plain JSON lines. The agent's first line is the notification `hello`. Requests run side by side
inside the agent; answers carry the request's id and come in any order. An error is
`{"code": int, "message": str, "data": {"class": "<full Java or Ruby class>"}}`.

Every changing method (`changes`) takes `expect_cluster_id` too and is refused with class `hbase_ferry.WrongCluster`
where it is not the cluster's own id. Every listing is `{"items": [...], "total": n}`; items are cut at `max`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from hbase_ferry.model.cluster import (
    Disk,
    Identity,
    Peer,
    ServerFacts,
    ServerLoad,
    Snapshot,
    SnapshotStats,
    Table,
    TableWrites,
)
from hbase_ferry.model.event import Json
from hbase_ferry.model.rows import RowPage
from hbase_ferry.model.view import CanaryRow, JobState, PortCheck

T = TypeVar("T")

HBASE = frozenset({"hbase"})
BIGTABLE = frozenset({"bigtable"})
BOTH = HBASE | BIGTABLE


@dataclass(frozen=True)
class Items(Generic[T]):
    """A listing. `total` above `len(items)` says that it was cut."""

    items: tuple[T, ...]
    total: int


@dataclass(frozen=True)
class Hello:
    """The agent's first line."""

    agent: str
    "sha256 of agent.rb, first 12 hex digits"
    pid: int
    hbase_version: str
    "of the client library"
    java_version: str
    jruby_version: str


@dataclass(frozen=True)
class Effected:
    """Answer of a changing method. `changed` False: the cluster already was as asked."""

    changed: bool
    note: str = ""


@dataclass(frozen=True)
class JobOutput:
    """Bytes of a job's output from `offset`, as text (invalid UTF-8 replaced)."""

    offset: int
    next_offset: int
    text: str


@dataclass(frozen=True)
class Method:
    """One method of the wire. `deadline` in seconds, measured on real servers with room to spare."""

    name: str
    answer: Any
    params: Mapping[str, Any] = field(default_factory=dict)
    "name -> type; a `None` in a union makes it optional"
    changes: bool = False
    deadline: float = 20.0
    kinds: frozenset[str] = HBASE
    "which kinds of side answer it"


_METHODS = (
    Method("ping", dict[str, Any], deadline=15, kinds=BOTH),
    # ---- reads
    Method("cluster.identity", Identity, {"settings": list[str] | None}, kinds=BOTH),
    Method("namespaces.list", Items[str], {"max": int}),
    # `names`: only these tables; None: all user tables, sorted, cut at max
    Method("tables.list", Items[Table], {"max": int, "names": list[str] | None}, kinds=BOTH),
    Method("tables.writes", Items[TableWrites], {"names": list[str]}),
    Method("peers.list", Items[Peer], {"max": int}),
    Method("replication.load", Items[ServerLoad], {"max": int}),
    Method("snapshots.list", Items[Snapshot], {"max": int}),
    Method("snapshots.stats", Items[SnapshotStats], {"names": list[str]}, deadline=120),
    # usage of WALs, oldWALs, archive and of `paths` (full URIs or paths of the WAL file system)
    Method("hdfs.usage", Disk, {"paths": list[str]}, deadline=60),
    Method("ports.check", Items[PortCheck], {"targets": list[dict[str, Json]], "timeout_ms": int}, deadline=60),
    # /conf, the replication bean and the class path of every live server, side by side; see ServerFacts and Watch
    Method(
        "servers.read",
        Items[ServerFacts],
        {"settings": list[str], "metrics": list[str], "jars": list[str], "max": int},
        deadline=60,
    ),
    # rows from key `start` to before `stop` (hex; empty: the table's ends), whole rows only, `families` empty: all.
    # `versions`: newest so many of each column, 0: all. `values`: "full" or "digest". Ends after `max_rows` or once
    # `max_bytes` are reached; a single row above 4 * max_bytes is named in `skipped`. Deleted cells are not shown
    Method(
        "rows.scan",
        RowPage,
        {
            "table": str,
            "families": list[str],
            "start": str,
            "stop": str,
            "max_rows": int,
            "max_bytes": int,
            "versions": int,
            "values": str,
        },
        deadline=120,
        kinds=BOTH,
    ),
    # ---- changes
    Method("namespace.create", Effected, {"name": str}, changes=True, deadline=60),
    Method("namespace.delete", Effected, {"name": str}, changes=True, deadline=60),
    # `table_cfs`: {table: [families]}; the peer is born DISABLED. 1.x: added, then disabled at once (needs window_ok)
    Method(
        "peer.add",
        Effected,
        {
            "id": str,
            "cluster_key": str,
            "table_cfs": dict[str, list[str]],
            "bandwidth": int,
            "serial": bool,
            "window_ok": bool,
            # an endpoint class of its own, and the peer's CONFIG; an empty cluster_key is then the source's own key
            "endpoint": str | None,
            "config": dict[str, str] | None,
        },
        changes=True,
        deadline=90,
    ),
    Method("peer.enable", Effected, {"id": str}, changes=True, deadline=60),
    Method("peer.disable", Effected, {"id": str}, changes=True, deadline=60),
    Method("peer.remove", Effected, {"id": str}, changes=True, deadline=120),
    # returns when every region has reopened with the new descriptor
    Method("table.scope", Effected, {"table": str, "scopes": dict[str, int]}, changes=True, deadline=600),
    # the table's own hbase.hregion.majorcompaction; None removes it
    Method("table.major_compaction", Effected, {"table": str, "value": str | None}, changes=True, deadline=600),
    Method("table.enable", Effected, {"table": str}, changes=True, deadline=600),
    Method("table.disable", Effected, {"table": str}, changes=True, deadline=600),
    Method("table.drop", Effected, {"table": str}, changes=True, deadline=600, kinds=BOTH),
    # drops whole families of a table; used on the freshly restored target where only some families migrate
    Method("table.delete_families", Effected, {"table": str, "families": list[str]}, changes=True, deadline=600),
    # families: name -> what is kept, as cbt writes it (`maxversions=3 or maxage=86400s`, `never`); splits in hex
    Method(
        "table.create",
        Effected,
        {"table": str, "families": dict[str, str], "splits": list[str]},
        changes=True,
        deadline=120,
        kinds=BIGTABLE,
    ),
    # adds the families that are missing and gives the others that retention
    Method(
        "table.families",
        Effected,
        {"table": str, "families": dict[str, str]},
        changes=True,
        deadline=120,
        kinds=BIGTABLE,
    ),
    Method("table.protect", Effected, {"table": str, "on": bool}, changes=True, deadline=60, kinds=BIGTABLE),
    # cells as they are, with their times: [[row hex, [[family, qualifier hex, time us, value hex], ...]], ...].
    # Having it twice is having it once
    Method("rows.write", Effected, {"table": str, "rows": list[Json]}, changes=True, deadline=120, kinds=BIGTABLE),
    # every region server begins a new WAL file (Admin.rollWALWriter): a new peer reads from the open WAL's beginning
    Method("wal.roll", Effected, {}, changes=True, deadline=120),
    Method("switch.split_merge", Effected, {"split": bool, "merge": bool}, changes=True, deadline=60),
    Method("snapshot.create", Effected, {"name": str, "table": str}, changes=True, deadline=900),
    Method("snapshot.delete", Effected, {"name": str}, changes=True, deadline=120),
    # an absent table becomes a clone and is ENABLED afterwards; an enabled one is refused by HBase
    Method("snapshot.restore", Effected, {"name": str}, changes=True, deadline=900),
    # one row in one region of every region server that holds a region of `table`; row key from region start and `id`.
    # Answers these, and the rows of that id that an earlier call, whose answer was lost, left in other regions
    Method("canary.write", Items[CanaryRow], {"table": str, "family": str, "id": str}, changes=True, deadline=60),
    Method("canary.delete", Effected, {"table": str, "rows": list[str]}, changes=True, deadline=60),
    Method("canary.read", Items[CanaryRow], {"table": str, "rows": list[str]}, kinds=BOTH),
    # ---- detached jobs on the edge node (remote/job.sh): started at most once per id, found again, never guessed
    Method("job.start", JobState, {"id": str, "argv": list[str], "env": dict[str, str]}, changes=True, deadline=60),
    Method("job.state", JobState, {"id": str}, deadline=30),
    Method("job.list", Items[JobState], {"prefix": str}, deadline=60),
    Method("job.read", JobOutput, {"id": str, "offset": int, "max": int}, deadline=30),
    Method("job.stop", JobState, {"id": str}, changes=True, deadline=60),
)

METHODS: Mapping[str, Method] = {method.name: method for method in _METHODS}
"""Every method of the wire, by name."""

WRONG_CLUSTER = "hbase_ferry.WrongCluster"


class Wire(Protocol):
    """One connection to one cluster. Safe to call from several threads; each call has its own deadline."""

    def call(self, method: str, params: Mapping[str, Json], deadline: float) -> Json:
        """The answer's `result`. Raises AgentError, Unreachable, DeadlineExceeded."""
        ...

    def close(self) -> None: ...
