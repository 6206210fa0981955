"""What a migration to Cloud Bigtable needs to know: the instance, how its history is copied and how it is compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class BackfillEngine(StrEnum):
    """What carries the history across."""

    FERRY = "ferry"
    "hbase-ferry itself, range by range over the wire: for small tables"
    IMPORTSNAPSHOT = "importsnapshot"
    "Google's Beam pipeline on the exported snapshot (Dataflow; the snapshot lies in Cloud Storage)"
    IMPORT = "import"
    "HBase's Export job and Google's Beam pipeline on its sequence files"


@dataclass(frozen=True)
class BackfillSettings:
    """How the history travels. Paths and commands are those of the source's edge node."""

    engine: BackfillEngine = BackfillEngine.FERRY
    rows_per_range: int = 5_000
    "of the engine ferry: rows a range, the unit of progress and of going on after a stop"
    jar: str = ""
    "bigtable-beam-import-<version>-shaded.jar"
    extra_jars: tuple[str, ...] = ()
    "more of the class path, such as the DirectRunner's jar"
    java: tuple[str, ...] = ("java",)
    runner: str = "DataflowRunner"
    region: str = ""
    "of Dataflow"
    export_dir: str = ""
    "where snapshots or sequence files go, as both the cluster and the pipeline write it: gs://bucket/folder"
    temp_dir: str = ""
    "the pipeline's temporary files: gs://bucket/folder"
    service_account: str = ""
    "of the Dataflow workers; empty: the project's default"
    options: Mapping[str, str] = field(default_factory=dict)
    "more options of the pipeline, name without dashes: value"


class CompareEngine(StrEnum):
    """What proves equality."""

    FERRY = "ferry"
    "hbase-ferry reads both sides range by range: every cell, version and timestamp"
    SYNC_TABLE = "sync-table"
    "HashTable on the source and Google's Beam sync-table: for tables of any size"


@dataclass(frozen=True)
class CompareSettings:
    """How equality is proved."""

    engine: CompareEngine = CompareEngine.FERRY
    rows_per_range: int = 5_000
    live_share: float = 0.1
    "share of the ranges that the comparison under live writes reads"
    recheck_seconds: float = 30.0
    "how long a difference may still be a write under way"
    versions: int = 0
    "newest versions of a column that are compared; 0: all that HBase keeps"


@dataclass(frozen=True)
class WayBackSettings:
    """The stream from Bigtable back to HBase that is ready for a retreat: the qualifiers its template is started with.

    The replication library's own defaults, the Dataflow template's and the README's are three different pairs.
    """

    hbase_qualifier: str
    "hbaseQualifier: what marks writes that came from HBase"
    cbt_qualifier: str
    "cbtQualifier: what marks writes that came from Bigtable"


@dataclass(frozen=True)
class BigtableSettings:
    """One instance as the target, and what the replication library on the source is expected to run with."""

    project: str
    instance: str
    app_profile: str = ""
    "of the replication library; it should route to a single cluster"
    key_file: str = ""
    "service account key hbase-ferry itself reads with, on this machine; empty: application default credentials"
    emulator: str = ""
    "host:port of a Bigtable emulator; no credentials are used then"
    endpoint: str = ""
    "endpoint class; empty: Google's class for the source's HBase line"
    library: str = "bigtable-hbase"
    "what the file name of the replication library's jar on the servers begins with"
    dry_run: bool = False
    "first a peer that only counts what the library could not carry over"
    dry_run_seconds: float = 600.0
    "how long it counts at least"
    protect: bool = False
    "switch deletion protection of the created tables on"
    way_back: WayBackSettings | None = None
    "None: no stream back to HBase is planned"
    backfill: BackfillSettings = BackfillSettings()
    compare: CompareSettings = CompareSettings()
