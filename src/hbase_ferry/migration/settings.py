"""The settings of one migration, checked and frozen. `migration.config` reads them from YAML; all else reads these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hbase_ferry.migration.bigtable.settings import BigtableSettings
from hbase_ferry.model.cluster import Side


class TransportKind(StrEnum):
    """How an edge node is reached."""

    LOCAL = "local"
    SSH = "ssh"
    SIMULATED = "simulated"


@dataclass(frozen=True)
class SshSettings:
    """Where and as whom. Host keys are always checked against `known_hosts`."""

    host: str
    port: int = 22
    user: str = ""
    "empty: this user's name"
    key_file: str = ""
    "empty: the agent and the default keys"
    known_hosts: str = ""
    "empty: ~/.ssh/known_hosts"
    connect_timeout_seconds: float = 15.0


@dataclass(frozen=True)
class SideSettings:
    """One cluster: how its edge node is reached and what to run there."""

    name: str
    transport: TransportKind = TransportKind.LOCAL
    ssh: SshSettings | None = None
    hbase: tuple[str, ...] = ("hbase",)
    "the hbase command; jobs start with it, and the agent as `hbase org.jruby.Main agent.rb`"
    agent: tuple[str, ...] = ()
    "command in front of agent.rb; empty: `hbase` + org.jruby.Main"
    env: Mapping[str, str] = field(default_factory=dict)
    work_dir: str = "~/.hbase-ferry"
    "private folder on the edge node: the agent by content hash, the jobs"
    rootdir: str = ""
    "hbase.rootdir as the other side must write it; empty: what the cluster says"
    cluster_key: str = ""
    "quorum:port:znode as the other side reaches it; empty: what the cluster says"
    thrift: str = ""
    "host:port of a Thrift1 server for row samples; empty: none"
    bigtable: BigtableSettings | None = None
    "the target is this Cloud Bigtable instance, not an HBase cluster"

    @property
    def kind(self) -> str:
        """Which entry of `migration.targets` this side is."""
        return "bigtable" if self.bigtable is not None else "hbase"


@dataclass(frozen=True)
class TableSettings:
    """One table to move. No families named: all of them."""

    name: str
    families: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportSettings:
    """How the history travels."""

    mappers: int = 0
    "0: ExportSnapshot's own default"
    bandwidth_mb: int = 0
    "MB/s and mapper; 0: no limit"
    skip_tmp: bool | None = None
    "None: on where the target's HFileCleaner would delete half-copied files (see insight.versions)"
    checksum_verify: bool | None = None
    "None: on between two file systems of the same kind"
    chuser: str = ""
    chgroup: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    "extra -D key=value, in front of the tool's own options"
    staging_source: str = ""
    "intermediate path the source can write; empty: straight to the target's rootdir"
    staging_target: str = ""
    "where the copy of staging_source lies for the target"
    copy_tool: tuple[str, ...] = ("hadoop", "distcp")
    "command that copies staging_source to staging_target; a jar of JindoDistCp makes it use its options"


@dataclass(frozen=True)
class VerifySettings:
    """How equality is proved."""

    verify_replication: bool = False
    "run VerifyReplication too in the final comparison; it cannot see every target-only row"
    row_counts: bool = True
    options: Mapping[str, str] = field(default_factory=dict)
    "extra -D key=value for the MapReduce jobs"
    hash_dir: str = ""
    "where HashTable writes on the source; empty: /tmp/hbase-ferry below the source's file system"
    live_tolerance: float = 0.01
    "share of rows that may differ in the verification under live writes (rows change while they are compared)"


@dataclass(frozen=True)
class GateSettings:
    """Thresholds. Each refusal names value and threshold."""

    max_lag_ms: int = 10_000
    still_seconds: float = 10.0
    "how long the source's write counters must stand still before a cutover"
    canary_timeout_seconds: float = 330.0
    "an idle reader of HBase 2.6+ may sleep 300 s (HBASE-27632)"
    min_free_fraction: float = 0.15
    "of the source's WAL file system"
    min_runway_hours: float = 4.0
    max_age_seconds: float = 60.0
    "a value older than this decides nothing"


@dataclass(frozen=True)
class Settings:
    """One migration."""

    name: str
    source: SideSettings
    target: SideSettings
    tables: tuple[TableSettings, ...]
    peer_id: str
    peer_bandwidth: int = 0
    peer_serial: bool = False
    export: ExportSettings = ExportSettings()
    verify: VerifySettings = VerifySettings()
    gates: GateSettings = GateSettings()
    poll_seconds: float = 3.0
    journal: str = ""
    "path of the journal; empty: below the user's state folder"
    file: str = ""
    "the YAML this came from"

    def side(self, side: Side) -> SideSettings:
        return self.source if side is Side.SOURCE else self.target
