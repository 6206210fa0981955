"""Google's replication library as its constants: classes, jars, site keys, counters. Names only, no judgement.

Source: googleapis/java-bigtable-hbase, hbase-migration-tools/bigtable-hbase-replication (main sources of 2.15 to 2.20
are the same). Invariant: `SERVER_SETTINGS` never asks for a secret's value. Called by the other Bigtable insight
modules and by the migration, which hands SERVER_* to `model.watch.Watch`.
"""

from __future__ import annotations

from collections.abc import Mapping

ENDPOINTS: Mapping[int, str] = {
    1: "com.google.cloud.bigtable.hbase1_x.replication.HbaseToCloudBigtableReplicationEndpoint",
    2: "com.google.cloud.bigtable.hbase2_x.replication.HbaseToCloudBigtableReplicationEndpoint",
}
"""Endpoint class by HBase's major version."""
PACKAGE = "com.google.cloud.bigtable."

PROJECT = "google.bigtable.project.id"
INSTANCE = "google.bigtable.instance.id"
APP_PROFILE = "google.bigtable.app_profile.id"
EMULATOR = "google.bigtable.emulator.endpoint.host"
ENDPOINT_HOST = "google.bigtable.endpoint.host"
"""Goes before EMULATOR and before the service's own name (BigtableHBaseVeneerSettings.configureConnection)."""
SERVICE_HOST = "bigtable.googleapis.com"
"""Where the library connects to without ENDPOINT_HOST and EMULATOR."""
SERVICE_DOMAIN = ".googleapis.com"
KEY_FILE = "google.bigtable.auth.json.keyfile"
JSON_VALUE = "google.bigtable.auth.json.value"
"""The key itself: the library logs it when it connects (AbstractBigtableConnection.logStartup)."""
NULL_CREDENTIAL = "google.bigtable.auth.null.credential.enable"
P12_FILE = "google.bigtable.auth.service.account.keyfile"
CUSTOM_CREDENTIALS = "google.bigtable.auth.custom.credentials.class"
DRY_RUN = "google.bigtable.replication.enable_dry_run"
BIDIRECTIONAL = "google.bigtable.replication.enable_bidirectional_replication"
HBASE_QUALIFIER = "google.bigtable.replication.hbase_qualifier"
CBT_QUALIFIER = "google.bigtable.replication.cbt_qualifier"
DELETE_THRESHOLD = "google.bigtable.deletefamily.threshold"
DELETE_THRESHOLD_MILLIS = 300_000
"""Default of DELETE_THRESHOLD: a family delete is converted while cellTs <= walWriteTime <= cellTs + threshold."""
MUTATE_TIMEOUT = "google.bigtable.mutate.rpc.timeout.ms"
LONG_TIMEOUT = "google.bigtable.long.rpc.timeout.ms"
MUTATE_TIMEOUT_MILLIS = 600_000
"""Default of both: how long one attempt of the library tries before it gives up and HBase tries again."""
CUSTOM_ADAPTER = "google.bigtable.incompatible_mutation.adapter.class"
"""Never read by the library (IncompatibleMutationAdapterFactory)."""
ABORT = "replication.source.regionserver.abort"
RETRIES = "replication.source.maxretriesmultiplier"
SLEEP = "replication.source.sleepforretries"
BULK_LOADS = "hbase.replication.bulkload.enabled"
BASE_CONFIG = "hbase.replication.peer.base.config"
"""Adds CONFIG entries to every peer, with all that a CONFIG does to the connection."""

CONNECTION_KEYS = (PROJECT, INSTANCE, APP_PROFILE, EMULATOR, KEY_FILE)
"""What the connection is made from. Read from a copy of the configuration that loses everything once the peer has a
CONFIG, but what Hadoop's own default resources hold (core-site.xml)."""

SERVER_SETTINGS: tuple[str, ...] = (
    *CONNECTION_KEYS,
    ENDPOINT_HOST,
    f"?{JSON_VALUE}",
    NULL_CREDENTIAL,
    P12_FILE,
    CUSTOM_CREDENTIALS,
    CUSTOM_ADAPTER,
    DRY_RUN,
    BIDIRECTIONAL,
    HBASE_QUALIFIER,
    CBT_QUALIFIER,
    DELETE_THRESHOLD,
    MUTATE_TIMEOUT,
    LONG_TIMEOUT,
    ABORT,
    RETRIES,
    SLEEP,
    BULK_LOADS,
    BASE_CONFIG,
)
"""What a look reads in every server's /conf."""

DROPPED = "bigtableDroppedIncompatibleMutations"
INCOMPATIBLE = "bigtableIncompatibleMutations"
INCOMPATIBLE_DELETES = "bigtableIncompatibleDeleteMutations"
OVERFLOW = "bigtableIncompatibleTimestampOverflowMutation"
FUTURE_PUTS = "bigtablePutsInFutureMutations"
LOSS_COUNTERS = (DROPPED, INCOMPATIBLE_DELETES, OVERFLOW, FUTURE_PUTS)
"""Counters the loss ledger is made of."""
ELIGIBLE_ENTRIES = ("oneWayReplEligibleWALEntries", "bidirectionalReplEligibleWALEntries")
FILTERED_ENTRIES = ("bidirectionalReplIneligibleWALEntries",)
MUTATION_COUNTERS = (
    "oneWayReplEligibleMutations",
    "bidirectionalReplEligibleMutations",
    "bidirectionalReplIneligibleMutations",
)
SHIPPED = "shippedOps"
BATCHES = "shippedBatches"
FAILED = "failedBatches"
READ = "logEditsRead"
FILTERED = "logEditsFiltered"
INITIALIZING = "isInitializing"
INITIALIZING_ALL = "numInitializing"
LOG_QUEUE = "sizeOfLogQueue"
HFILE_REFS = "sizeOfHFileRefsQueue"
OWN_METRICS = (SHIPPED, BATCHES, FAILED, READ, FILTERED, INITIALIZING, LOG_QUEUE, HFILE_REFS)
"""HBase's own of a queue: they vanish with the peer, while the library's counters stay until the server restarts."""

SERVER_METRICS: tuple[str, ...] = (
    DROPPED,
    INCOMPATIBLE,
    INCOMPATIBLE_DELETES,
    OVERFLOW,
    FUTURE_PUTS,
    *ELIGIBLE_ENTRIES,
    *FILTERED_ENTRIES,
    *MUTATION_COUNTERS,
    *OWN_METRICS,
    INITIALIZING_ALL,
)
"""Last parts of the names a look reads in every region server's replication bean."""

LIBRARY = "bigtable-hbase"
"""What the published jars' names begin with."""
SERVER_JARS: tuple[str, ...] = ("bigtable",)
"""Texts to look for in the file names on every server's class path; see `jar_texts` for a library of another name."""

CACHE_SECONDS = 10.0
"""HBase moves the bean's values once in this time (hadoop-metrics2's default period)."""


def jar_texts(library: str = LIBRARY) -> tuple[str, ...]:
    """What a look searches the class paths for, where the jar's name begins with `library`."""
    return tuple(dict.fromkeys((*SERVER_JARS, library)))


def endpoint_class(major: int) -> str:
    """The endpoint class for HBase's major version: 1.x has its own, every later line takes that of 2.x."""
    return ENDPOINTS[1] if major == 1 else ENDPOINTS[2]


def ships_to_bigtable(endpoint: str) -> bool:
    """Whether an endpoint class is one of Google's."""
    return endpoint.strip().startswith(PACKAGE)
