"""What an operator would type: `hbase shell` lines and command lines with the same effect as our actions.

Invariant: every value is quoted for the program that reads it (Ruby single quotes, POSIX shell), so a preview can
be pasted. Nothing here is sent to a cluster; the wire carries typed parameters.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence


def ruby(text: str) -> str:
    """`text` as a Ruby single-quoted string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def line(argv: Sequence[str]) -> str:
    """A command line, quoted for a POSIX shell; `<placeholders>` stay readable."""
    return " ".join(arg if arg.startswith("<") and arg.endswith(">") else shlex.quote(arg) for arg in argv)


def table_cfs(tables: Mapping[str, Sequence[str]]) -> str:
    """The TABLE_CFS hash of add_peer."""
    pairs = (f"{ruby(t)} => [{', '.join(ruby(f) for f in families)}]" for t, families in tables.items())
    return "{ " + ", ".join(pairs) + " }"


def add_peer(
    peer_id: str,
    key: str,
    tables: Mapping[str, Sequence[str]],
    *,
    born_disabled: bool,
    bandwidth: int = 0,
    serial: bool = False,
) -> str:
    """add_peer with STATE (2.0 and later, HBASE-19293), or followed at once by disable_peer (1.x).

    bandwidth: bytes a second and region server; 0: no limit, and nothing is printed for it.
    """
    head = f"add_peer {ruby(peer_id)}, CLUSTER_KEY => {ruby(key)}, TABLE_CFS => {table_cfs(tables)}"
    return _disabled(head, peer_id, born_disabled, bandwidth, serial)


def add_endpoint_peer(
    peer_id: str,
    endpoint: str,
    tables: Mapping[str, Sequence[str]],
    config: Mapping[str, str],
    *,
    born_disabled: bool,
    bandwidth: int = 0,
    serial: bool = False,
) -> str:
    """add_peer with an endpoint class of its own and no cluster key; the rest as in `add_peer`."""
    head = f"add_peer {ruby(peer_id)}, ENDPOINT_CLASSNAME => {ruby(endpoint)}, TABLE_CFS => {table_cfs(tables)}"
    if config:
        head += f", CONFIG => {{ {', '.join(f'{ruby(k)} => {ruby(v)}' for k, v in config.items())} }}"
    return _disabled(head, peer_id, born_disabled, bandwidth, serial)


def _disabled(head: str, peer_id: str, born_disabled: bool, bandwidth: int, serial: bool) -> str:
    """The end of add_peer: SERIAL and STATE, which 1.x does not know, and the limit, a command of its own (1.4)."""
    if born_disabled:
        added = f'{head}{", SERIAL => true" if serial else ""}, STATE => "DISABLED"'
    else:
        added = f"{head}; disable_peer {ruby(peer_id)}"
    return f"{added}; set_peer_bandwidth {ruby(peer_id)}, {bandwidth}" if bandwidth > 0 else added


def cbt(project: str, instance: str, emulator: str) -> str:
    """What every line of Google's `cbt` begins with; emulator: its host:port, or empty.

    Without that address cbt acts on the real instance of the same name.
    """
    where = ("env", f"BIGTABLE_EMULATOR_HOST={emulator}") if emulator else ()
    return line([*where, "cbt", "-project", project, "-instance", instance])


def alter_scope(table: str, scopes: Mapping[str, int]) -> str:
    parts = (f"{{ NAME => {ruby(name)}, REPLICATION_SCOPE => {scope} }}" for name, scope in scopes.items())
    return f"alter {ruby(table)}, {', '.join(parts) or '<families>'}"


def alter_major_compaction(table: str, value: str | None) -> str:
    if value is None:
        return f"alter {ruby(table)}, METHOD => 'table_conf_unset', NAME => 'hbase.hregion.majorcompaction'"
    return f"alter {ruby(table)}, CONFIGURATION => {{ 'hbase.hregion.majorcompaction' => {ruby(value)} }}"


def delete_families(table: str, families: Sequence[str]) -> str:
    return f"alter {ruby(table)}, " + ", ".join(f"{{ NAME => {ruby(f)}, METHOD => 'delete' }}" for f in families)


def splits_and_merges(split: bool, merge: bool) -> str:
    return f"splitormerge_switch 'SPLIT', {str(split).lower()}; splitormerge_switch 'MERGE', {str(merge).lower()}"
