"""Checks of the two clusters themselves: identity, versions, servers, switches, clocks, ports, rights."""

from __future__ import annotations

from collections.abc import Iterator

from hbase_ferry.insight import versions
from hbase_ferry.insight.checks.base import Ask, Finding, flag, join, missing, setting
from hbase_ferry.insight.format import duration, millis, plural
from hbase_ferry.model.cluster import ClusterView, Identity
from hbase_ferry.model.view import PortCheck

_WEB = ("web", "info", "http", "jmx", " ui")


def findings(ask: Ask) -> Iterator[Finding]:
    """Every check of this module."""
    yield identities(ask)
    yield join("versions", (part for view in ask.sides for part in _version(view)), _versions_text(ask))
    yield join("version-cautions", _cautions(ask), "this source's version needs no special care")
    yield join("replication-on", _replication(ask), "replication is on")
    yield join("servers", _servers(ask), "both sides have live region servers and no dead one")
    yield join("regions-in-transition", _transition(ask), "no region is in transition")
    yield _clocks(ask)
    yield join("snapshots-on", _snapshots_on(ask), "both sides allow snapshots, and none expires by itself")
    yield join("wal-compression", _wal_compression(ask), "WALs are not compressed")
    yield join("bulk-loads", _bulk_loads(ask), "bulk loads are replicated")
    yield _cleaner(ask)
    yield _mapreduce(ask)
    yield _ports(ask)
    yield _ports_elsewhere(ask)
    yield join(
        "permissions", _permissions(ask), "authorization is off on both sides: every user may do each step"
    )


def source_findings(ask: Ask) -> Iterator[Finding]:
    """Those that ask nothing of an HBase target."""
    name = ask.view.source.name
    version = ask.view.source.identity.current.hbase_version if ask.view.source.identity.current else ""
    yield join("versions", _version(ask.view.source), f"HBase {version} is a line hbase-ferry speaks to")
    yield join("version-cautions", _cautions(ask), "this source's version needs no special care")
    yield join("replication-on", _replication(ask), "replication is on")
    yield join("servers", _servers(ask), f"{name} has live region servers and no dead one")
    yield join("regions-in-transition", _transition(ask), "no region is in transition")
    yield join("snapshots-on", _snapshots_on(ask), f"{name} allows snapshots, and none expires by itself")
    yield join("wal-compression", _wal_compression(ask), "WALs are not compressed")
    yield join("permissions", _permissions(ask), f"authorization is off on {name}: every user may do each step")


def identities(ask: Ask) -> Finding:
    """Two clusters that are one would be migrated onto themselves."""
    check = "identities"
    known: list[Identity] = []
    for view in ask.sides:
        if view.identity.current is None:
            return missing(check, view, "identity", view.identity)
        known.append(view.identity.current)
    source, target = known
    if source.cluster_id == target.cluster_id:
        return Finding(check, "block", f"both sides are the same cluster, id {source.cluster_id}", None)
    if source.rootdir.rstrip("/") == target.rootdir.rstrip("/"):
        return Finding(check, "block", f"both sides keep their data in {source.rootdir}", None)
    return Finding(check, "ok", f"two clusters: {source.cluster_id} and {target.cluster_id}", None)


def _version(view: ClusterView) -> Iterator[Finding]:
    identity = view.identity.current
    if identity is None:
        yield missing("versions", view, "version", view.identity)
        return
    unread = versions.parse_version(identity.hbase_version) is None
    for reason in versions.blocks(identity.hbase_version):
        severity = Finding("", "unknown" if unread else "block", f"{view.name}: {reason}", view.side)
        yield severity


def _versions_text(ask: Ask) -> str:
    named = [view.identity.current.hbase_version for view in ask.sides if view.identity.current]
    return (
        " to ".join(f"HBase {name}" for name in named) + ": replication between such lines was seen to flow"
    )


def _cautions(ask: Ask) -> Iterator[Finding]:
    identity = ask.view.source.identity.current
    if identity is None:
        yield missing("", ask.view.source, "version", ask.view.source.identity)
        return
    for text in versions.cautions(identity.hbase_version):
        yield Finding("", "warn", f"HBase {identity.hbase_version}: {text}", ask.view.source.side)


def _replication(ask: Ask) -> Iterator[Finding]:
    for view in ask.sides:
        identity = view.identity.current
        if identity is None:
            yield missing("", view, "hbase.replication", view.identity)
        elif not identity.replication_enabled:
            text = f"hbase.replication is false on {view.name}: set it true and restart, or WALs are not kept"
            yield Finding("", "block", text, view.side)


def _servers(ask: Ask) -> Iterator[Finding]:
    for view in ask.sides:
        identity = view.identity.current
        if identity is None:
            yield missing("", view, "region servers", view.identity)
        elif not identity.servers:
            yield Finding("", "block", f"{view.name} has no live region server", view.side)
        elif identity.dead_servers:
            dead = plural(len(identity.dead_servers), "dead region server")
            yield Finding("", "warn", f"{view.name} has {dead}: {identity.dead_servers[0]}", view.side)


def _transition(ask: Ask) -> Iterator[Finding]:
    for view in ask.sides:
        identity = view.identity.current
        if identity is None:
            yield missing("", view, "regions in transition", view.identity)
        elif identity.regions_in_transition:
            text = f"{plural(identity.regions_in_transition, 'region')} in transition on {view.name}"
            yield Finding("", "block" if view is ask.view.source else "warn", text, view.side)


def _clocks(ask: Ask) -> Finding:
    """Nothing in HBase compares the clocks of two clusters; TTLs and deletes without a timestamp use the
    local one."""
    check, offsets = "clock-skew", []
    for view in ask.sides:
        identity, at = view.identity.current, view.identity.at
        if identity is None or at is None:
            return missing(check, view, "clock", view.identity)
        offsets.append(identity.time_ms - at * 1000)
    skew = abs(offsets[0] - offsets[1])
    if skew > ask.max_skew_ms:
        text = f"the edge nodes' clocks are {millis(skew)} apart, more than {millis(ask.max_skew_ms)}"
        return Finding(check, "warn", text, None)
    return Finding(check, "ok", f"the edge nodes' clocks are {millis(skew)} apart", None)


def _snapshots_on(ask: Ask) -> Iterator[Finding]:
    for view in ask.sides:
        if view.identity.current is None:
            yield missing("", view, "hbase.snapshot.enabled", view.identity)
            continue
        if not flag(view, "hbase.snapshot.enabled", True):
            yield Finding("", "block", f"hbase.snapshot.enabled is false on {view.name}", view.side)
        ttl = setting(view, "hbase.master.snapshot.ttl")
        if ttl.isascii() and ttl.isdigit() and int(ttl) > 0:
            text = f"snapshots on {view.name} expire after {duration(int(ttl))} (hbase.master.snapshot.ttl)"
            yield Finding("", "warn", text, view.side)


def _wal_compression(ask: Ask) -> Iterator[Finding]:
    view = ask.view.source
    if view.identity.current is None:
        yield missing("", view, "hbase.regionserver.wal.enablecompression", view.identity)
    elif flag(view, "hbase.regionserver.wal.enablecompression", False):
        text = f"WALs of {view.name} are compressed; with replication HBase's guide advises against it (HBASE-26849)"
        yield Finding("", "warn", text, view.side)


def _bulk_loads(ask: Ask) -> Iterator[Finding]:
    source, target = ask.view.source, ask.view.target
    if source.identity.current is None:
        yield missing("", source, "hbase.replication.bulkload.enabled", source.identity)
    elif not flag(source, "hbase.replication.bulkload.enabled", False):
        text = "bulk loads are not replicated: make none into these tables until the cutover"
        yield Finding("", "warn", text, source.side)
    elif not setting(source, "hbase.replication.cluster.id"):
        text = f"bulk load replication is on, and hbase.replication.cluster.id is not set on {source.name}"
        yield Finding("", "warn", text, source.side)
    elif not setting(target, "hbase.replication.conf.dir"):
        text = f"bulk load replication is on, and hbase.replication.conf.dir is not set on {target.name}"
        yield Finding("", "warn", text, target.side)


def _cleaner(ask: Ask) -> Finding:
    """See insight.versions.cleaner_deletes_half_copied."""
    check, target = "cleaner-trap", ask.view.target
    identity = target.identity.current
    if identity is None:
        return missing(check, target, "version", target.identity)
    if not versions.cleaner_deletes_half_copied(identity.hbase_version):
        return Finding(
            check, "ok", f"HBase {identity.hbase_version} keeps half-copied snapshots", target.side
        )
    danger = (
        f"the master of {target.name} (HBase {identity.hbase_version}) deletes files of half-copied snapshots"
    )
    if ask.skip_tmp is False:
        return Finding(check, "block", f"{danger}; set export.skip_tmp", target.side)
    return Finding(check, "ok", f"{danger}; snapshot.export.skip.tmp is used against it", target.side)


def _mapreduce(ask: Ask) -> Finding:
    """Hadoop's built-in default is `local`: without a mapred-site the export runs in one JVM, silently."""
    check, source = "mapreduce", ask.view.source
    if source.identity.current is None:
        return missing(check, source, "mapreduce.framework.name", source.identity)
    name = setting(source, "mapreduce.framework.name") or "local"
    if name == "local":
        text = f"export and verification run in one JVM on the edge node of {source.name}, not on YARN"
        return Finding(check, "warn", text, source.side)
    return Finding(check, "ok", f"export and verification run on {name}", source.side)


def _is_web(port: PortCheck) -> bool:
    return any(word in f" {port.what.lower()}" for word in _WEB) or port.port in (16010, 16030)


def _ports(ask: Ask) -> Finding:
    check, found = "ports", ask.view.ports.current
    if not found:
        why = ask.view.ports.error or "not asked yet"
        return Finding(
            check, "unknown", f"ports of the target not tried from the source's edge node: {why}", None
        )
    shut = [port for port in found if not port.open]
    if not shut:
        return Finding(
            check, "ok", f"{plural(len(found), 'port')} of the target open from the source's edge node", None
        )
    names = ", ".join(f"{port.host}:{port.port} ({port.what})" for port in shut[:5])
    more = f" and {len(shut) - 5} more" if len(shut) > 5 else ""
    serious = any(not _is_web(port) for port in shut)
    text = f"not open from the source's edge node: {names}{more}"
    return Finding(check, "block" if serious else "warn", text, None)


def _ports_elsewhere(ask: Ask) -> Finding:
    """The replication itself connects from every region server, the export from every NodeManager."""
    source = ask.view.source.identity.current
    servers = plural(len(source.servers), "region server") if source else "region servers"
    text = (
        f"whether all {servers} of {ask.view.source.name} reach the target's ZooKeeper, masters and region "
        "servers, and its NodeManagers the target's file system, cannot be tried from the edge node"
    )
    return Finding("ports-from-region-servers", "unknown", text, ask.view.source.side)


def _permissions(ask: Ask) -> Iterator[Finding]:
    for view in ask.sides:
        identity = view.identity.current
        if identity is None:
            yield missing("", view, "authorization", view.identity)
            continue
        if flag(view, "hbase.security.authorization", False):
            text = f"whether {identity.user} has ADMIN on {view.name} shows only when a step is done"
            yield Finding("", "unknown", text, view.side)
        if setting(view, "hbase.security.authentication").lower() == "kerberos":
            text = f"the Kerberos ticket of {identity.user} on {view.name} must outlive the export"
            yield Finding("", "warn", text, view.side)
