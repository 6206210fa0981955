"""What an HBase version does differently, as pure answers to a version text. Called by the plan, the
preflight, `lag`.

Invariant: a version that is not understood gets the answer that costs less when it is wrong; each
docstring says which. Version boundaries were read from the release tags of apache/hbase; vendor builds may
carry other patches.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Version: TypeAlias = tuple[int, ...]

_NUMBER = re.compile(r"\s*v?(\d{1,6}(?:\.\d{1,6}){1,2})(?!\d)", re.ASCII)


def parse_version(text: str) -> Version | None:
    """The leading two or three numbers: "2.6.1-hadoop3" -> (2, 6, 1), "2.2.3.7.1.7.0-551" -> (2, 2, 3); or
    None."""
    found = _NUMBER.match(text)
    return tuple(int(part) for part in found.group(1).split(".")) if found else None


def _between(version: Version, first: Version, last: Version) -> bool:
    return first <= version[:3] <= last


def cleaner_deletes_half_copied(version: str) -> bool:
    """Whether a master of this version deletes files of a snapshot that is still being copied into its
    rootdir.

    HBASE-21387 took the protection of snapshots in progress out of SnapshotFileCache, HBASE-23202 put it back
    (2.3.0). At risk: 1.3.3-1.3.6, 1.4.9 and later 1.4, all of 1.5-1.7, 2.1.2-2.1.9, 2.2. The target's version
    counts; `snapshot.export.skip.tmp=true` avoids it. Not understood: True.
    """
    parsed = parse_version(version)
    if parsed is None:
        return True
    padded = (*parsed, 0, 0)[:3]
    return (
        _between(padded, (1, 3, 3), (1, 3, 999_999))
        or _between(padded, (1, 4, 9), (1, 999_999, 999_999))
        or _between(padded, (2, 1, 2), (2, 2, 999_999))
    )


def born_disabled(version: str) -> bool:
    """Whether add_peer can create a DISABLED peer: from 2.0.0 (HBASE-19293). 1.x writes ENABLED in the same
    ZooKeeper multi (ReplicationPeersZKImpl.addPeer). Not understood: False."""
    parsed = parse_version(version)
    return parsed is not None and parsed[0] >= 2


def drops_backlog_on_remove(version: str) -> bool:
    """Whether remove_peer throws the unshipped queue away: every line does (RemovePeerProcedure,
    `removeAllQueuesAndHFileRefs`; 1.x: each region server's watcher). A peer added again starts at the
    open WALs."""
    del version
    return True


def disabled_peer_stalls_others(version: str) -> bool:
    """HBASE-20417: a disabled peer could stall the other peers of a region server until its restart. Fixed
    in 2.1.0, in branch-1 by HBASE-24807 (1.7.0). Not understood: True."""
    parsed = parse_version(version)
    if parsed is None:
        return True
    return parsed < (1, 7) if parsed[0] < 2 else parsed < (2, 1)


def idle_backoff(version: str) -> bool:
    """Whether an idle WAL reader sleeps longer and longer, up to 300 s: from 2.6.0 (HBASE-27632). After T
    idle seconds the next edit waits up to about the square root of 2T seconds. Not understood: True."""
    parsed = parse_version(version)
    return parsed is None or parsed >= (2, 6)


def rich_source_load(version: str) -> bool:
    """Whether ReplicationLoadSource tells queue id, recovered, running, edits read and shipped, per queue:
    from 2.3.0 (HBASE-21505). Before, its lag is epoch-sized or Long.MAX_VALUE before the first shipment.
    Not understood: True."""
    parsed = parse_version(version)
    return parsed is None or parsed >= (2, 3)


def needs_double_dash(version: str) -> bool:
    """Whether ExportSnapshot's options are written with two dashes: commons-cli from 2.0.0; 1.x parses
    single dashes by hand and knows no others. Not understood: True."""
    parsed = parse_version(version)
    return parsed is None or parsed[0] >= 2


def export_rc_trustworthy(version: str) -> bool:
    """Whether ExportSnapshot's exit code tells even wrong usage: 2.0-2.5.9 and 2.6.0 end with 0 without
    snapshot or target (HBASE-28704 changed it in 2.5.10 and 2.6.1). Not understood: False."""
    parsed = parse_version(version)
    if parsed is None:
        return False
    padded = (*parsed, 0, 0)[:3]
    return not (_between(padded, (2, 0, 0), (2, 5, 9)) or padded == (2, 6, 0))


def export_verifies_checksums(version: str) -> bool:
    """Whether ExportSnapshot fails after the copy unless both checksums can be compared: 2.5.9+, 2.6.1+, 3
    (HBASE-28625, HBASE-28656). Between unlike file systems it then needs --no-checksum-verify. Not
    understood: True."""
    parsed = parse_version(version)
    if parsed is None:
        return True
    padded = (*parsed, 0, 0)[:3]
    return padded >= (2, 5, 9) and padded != (2, 6, 0)


def prefix_tree_removed(version: str) -> bool:
    """Whether the block encoding PREFIX_TREE is gone: from 2.0.0 (HBASE-19179). Not understood: True."""
    parsed = parse_version(version)
    return parsed is None or parsed[0] >= 2


def snapshot_guards_splits(version: str) -> bool:
    """Whether a snapshot waits for splits and merges instead of failing on them: from 2.6.0
    (SnapshotProcedure, HBASE-26323). Not understood: False."""
    parsed = parse_version(version)
    return parsed is not None and parsed >= (2, 6)


def blocks(version: str) -> tuple[str, ...]:
    """Why a cluster of this version cannot be moved with this tool, as sentences; empty: it can.

    Replication was seen to flow between 1.4.14, 1.7.2, 2.2.7, 2.4.18, 2.5.8, 2.6.4 and 3.0.0-alpha-4, also
    backwards. A version that is not understood gives one sentence.
    """
    parsed = parse_version(version)
    if parsed is None:
        return ("the HBase version was not understood",)
    if parsed < (1, 4):
        return (f"HBase {'.'.join(map(str, parsed))} is older than 1.4, the oldest line the agent speaks to",)
    if parsed[0] > 3:
        return (f"HBase {'.'.join(map(str, parsed))} is newer than 3, the newest line the agent speaks to",)
    return ()


def cautions(version: str) -> tuple[str, ...]:
    """What to keep in mind on a source of this version, as sentences with their JIRA."""
    found = []
    if disabled_peer_stalls_others(version):
        found.append(
            "a disabled peer can stall the other peers of a region server until it restarts (HBASE-20417)"
        )
    if not born_disabled(version):
        found.append("a new peer is enabled for some milliseconds; it is added while the scope is still 0")
    if not rich_source_load(version):
        found.append("replication lag is not to be trusted before 2.3 (HBASE-21505)")
    return tuple(found)
