"""What a configuration's values must be beyond their types: rules of one value, and rules across keys.

Invariant: every rule raises ValueError with a sentence that `config` puts behind the key; none connects.
`config_schema` hangs the rules of one value on the fields, `config` applies `across` to the whole.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hbase_ferry.migration import names
from hbase_ferry.migration.bigtable import rules as bigtable
from hbase_ferry.migration.settings import Settings, TableSettings, TransportKind
from hbase_ferry.migration.strict_yaml import Path
from hbase_ferry.model.text import safe_text

Rule = Callable[[Any], Any]

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._\-]*[A-Za-z0-9_])?|\[?[0-9A-Fa-f]*(?::[0-9A-Fa-f]*){2,7}\]?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\$\-]*")
_URI = re.compile(r"([a-z][a-z0-9+.\-]*):(?://([^/\s]*))?(/\S*)?")
_OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*\$?")


def between(low: float, high: float) -> Rule:
    """A number from `low` to `high`, both allowed."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be from {_number(low)} to {_number(high)}, not {_number(value)}")
        return value

    return check


def _number(value: float) -> str:
    return f"{value:,}".replace(",", " ")


def optional(rule: Rule) -> Rule:
    """`rule`, except for an empty text, which means the default."""
    return lambda value: rule(value) if value else value


def host(value: str) -> str:
    if not _HOST.fullmatch(value) or len(value) > 253:
        raise ValueError(f"{names.quoted(value)} is not a host name or address")
    return value


def port(value: int) -> int:
    if not 1 <= value <= 65535:
        raise ValueError(f"must be a port from 1 to 65535, not {value}")
    return value


def host_and_port(value: str) -> str:
    name, colon, number = value.rpartition(":")
    if not colon or not number.isascii() or not number.isdigit():
        raise ValueError(f"{names.quoted(value)} is not host:port")
    host(name)
    port(int(number[:9]))
    return value


def user(value: str) -> str:
    if not _USER.fullmatch(value):
        raise ValueError(f"{names.quoted(value)} is not a user name")
    return value


def account(value: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise ValueError(f"{names.quoted(value)} is not a user or group name")
    return value


def account_or_address(value: str) -> str:
    """A service account's address, such as ferry@project.iam.gserviceaccount.com."""
    name, at, domain = value.partition("@")
    account(name)
    if at:
        host(domain)
    return value


def cluster_key(value: str) -> str:
    """`host1,host2:2181:/hbase`, as add_peer takes it (ZKConfig.transformClusterKey)."""
    quorum, colon, rest = value.rpartition(":")
    servers, second, number = quorum.rpartition(":")
    if not colon or not second or not rest.startswith("/") or " " in value:
        raise ValueError(f"{names.quoted(value)} is not a cluster key: quorum:port:/znode, such as zk1,zk2:2181:/hbase")
    host_and_port(f"zookeeper:{number}")
    for server in servers.split(","):
        host_and_port(server) if ":" in server else host(server)
    return value


def uri(value: str) -> str:
    """A path with its protocol, such as hdfs:///tmp/staging, gs://bucket/folder or oss://bucket.endpoint/folder."""
    if not _URI.fullmatch(value):
        raise ValueError(f"{names.quoted(value)} has no protocol in front: write hdfs://…, gs://…, oss://… or file:/…")
    return value


def full_uri(value: str) -> str:
    """A URI that means the same on both sides: with NameNode or bucket (file: excepted)."""
    scheme, authority, path = _parts(uri(value))
    if scheme != "file" and not authority:
        raise ValueError(f"{names.quoted(value)} has no NameNode or bucket: the other side would read it as its own")
    if not path or path == "/":
        raise ValueError(f"{names.quoted(value)} has no path")
    return value


def plain_text(value: str) -> str:
    """Any text without invisible characters; it goes to a shell-free argv and onto screens as it is."""
    for char in value:
        if safe_text(char) != char:
            raise ValueError(f"{names.quoted(value)} holds the invisible character U+{ord(char):04X}")
    if len(value) > 4096:
        raise ValueError(f"is {len(value)} characters long; the limit is 4096")
    return value


def command(value: object) -> object:
    """A command as one text (split as a shell would) or as a list of words."""
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise ValueError(f"{names.quoted(value)} cannot be split into words: {error}") from None
    return listed(value)


def some_command(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not value[0]:
        raise ValueError("names no command")
    return value


def listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def local_path(value: str) -> str:
    return os.path.expanduser(value)


def options(value: dict[str, str]) -> dict[str, str]:
    for key in value:
        if not _OPTION.fullmatch(key):
            raise ValueError(f"{names.quoted(key)} is not a configuration key: letters, digits, _ . and -")
    return value


def environment(value: dict[str, str]) -> dict[str, str]:
    for key in value:
        if not _ENV.fullmatch(key):
            raise ValueError(f"{names.quoted(key)} is not the name of an environment variable")
    return value


def families(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("is empty: name the families, or leave the key out to move all of them")
    for name in value:
        if value.count(names.family_name(name)) > 1:
            raise ValueError(f"family {names.quoted(name)} is given {value.count(name)} times")
    return value


def tables(value: tuple[TableSettings, ...]) -> tuple[TableSettings, ...]:
    if not value:
        raise ValueError("is empty: name at least one table")
    return value


def table(value: object) -> object:
    """A table as its plain name, or as {name, families}."""
    return {"name": value} if isinstance(value, str) else value


def _parts(value: str) -> tuple[str, str, str]:
    found = _URI.fullmatch(value)
    return (found[1], found[2] or "", found[3] or "") if found else ("", "", "")


def across(values: dict[str, object]) -> Iterator[tuple[Path, str]]:
    """Rules that need more than one key. They read raw values, so they speak where others fail too."""
    sides = {name: side for name in ("source", "target") if isinstance(side := values.get(name), dict)}
    for name, side in sides.items():
        yield from _transport(name, side)
    if len(sides) == 2:
        yield from _same_sides(sides["source"], sides["target"])
    export = values.get("export")
    if isinstance(export, dict):
        yield from _staging(export)
    yield from _same_table(values.get("tables"))
    yield from _ages(values)
    yield from bigtable.across(values)


def _transport(name: str, side: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    kind = side.get("transport", TransportKind.LOCAL.value)
    if kind == TransportKind.SSH and side.get("ssh") is None:
        yield (name, "transport"), "is ssh, and ssh.host is missing"
    if kind in (TransportKind.LOCAL, TransportKind.SIMULATED) and side.get("ssh"):
        yield (name, "ssh"), f"is given, and transport is {kind}: set transport to ssh or leave it out"


def _same_sides(source: Mapping[str, object], target: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    for key, what in (("name", "name"), ("cluster_key", "cluster key"), ("rootdir", "root directory")):
        value = source.get(key)
        if isinstance(value, str) and value and value == target.get(key):
            yield (
                ("target", key),
                f"is {names.quoted(value)}, the {what} of the source too: the two sides must differ",
            )
    simulated = [side.get("transport") == TransportKind.SIMULATED for side in (source, target)]
    if any(simulated) and not all(simulated):
        yield ("target", "transport"), "one side is simulated and the other is not: simulate both or none"
    reach = [{k: v for k, v in side.items() if k not in _NOT_REACH} for side in (source, target)]
    if not any(simulated) and reach[0] == reach[1]:
        yield (
            ("target",),
            "is reached exactly as the source is (transport, ssh, hbase, env): that is the same cluster",
        )


_NOT_REACH = ("name", "work_dir", "rootdir", "cluster_key", "thrift")


def _staging(export: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    for given, lacking in (("staging_source", "staging_target"), ("staging_target", "staging_source")):
        if export.get(given) and not export.get(lacking):
            yield ("export", lacking), f"is missing, and {given} is given: a staging needs both"


def _same_table(tables: object) -> Iterator[tuple[Path, str]]:
    first: dict[str, int] = {}
    for index, entry in enumerate(tables if isinstance(tables, list) else ()):
        name = entry.get("name") if isinstance(entry, dict) else entry
        if isinstance(name, str):
            known = first.setdefault(name.removeprefix("default:"), index)
            if known != index:
                yield ("tables", index), f"{names.quoted(name)} is given twice, first as tables[{known}]"


def _ages(values: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    gates = values.get("gates")
    age = gates.get("max_age_seconds") if isinstance(gates, dict) else None
    poll = values.get("poll_seconds", Settings.poll_seconds)
    if isinstance(age, int | float) and isinstance(poll, int | float) and age <= poll:
        yield (
            ("gates", "max_age_seconds"),
            f"is {age}, not above poll_seconds {poll}: every value would be too old",
        )
