"""What may be asked of an instance: every parameter checked before anything is sent, with the limits Bigtable states.

The emulator takes names and cells that the service refuses, so nothing here relies on a refusal from the other end.
What does not fit is `hbase_ferry.BadRequest`, the agent's own class. The real client and the simulated instance both
check with this. Limits: cloud.google.com/bigtable/quotas and the fields of google.bigtable.admin.v2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from hbase_ferry.cluster.wire import METHODS, WRONG_CLUSTER
from hbase_ferry.errors import AgentError
from hbase_ferry.model.bigtable import retention
from hbase_ferry.model.bigtable.names import CELL_BYTES, QUALIFIER_BYTES, ROW_KEY_BYTES, family_fault, table_fault
from hbase_ferry.model.event import Json
from hbase_ferry.model.rows import GREATEST_US

BAD_REQUEST = "hbase_ferry.BadRequest"
UNKNOWN_METHOD = "hbase_ferry.UnknownMethod"
DEFAULT_MAX = 1000
MOST_ROWS_READ = 10_000
_PAGE = {"max_rows": (1, 100_000), "max_bytes": (1, 8_000_000), "versions": (0, 1_000_000)}
"""The agent's own limits."""
_HEX = re.compile(r"[0-9a-f]*")

SentCell: TypeAlias = tuple[str, bytes, int, bytes]
"""Family, qualifier, time in microseconds, value."""
SentRow: TypeAlias = tuple[bytes, tuple[SentCell, ...]]


def checked(method: str, params: Mapping[str, Any], cluster_id: str) -> dict[str, Any]:
    """Every declared parameter, None for an optional one that is absent; of `rows.write` the rows as SentRow.

    Raises AgentError: no method of an instance, a change meant for another one, a parameter that does not fit.
    """
    if method not in METHODS or "bigtable" not in METHODS[method].kinds:
        raise AgentError(UNKNOWN_METHOD, f"{method} is no method of a Bigtable instance", method=method)
    if METHODS[method].changes:
        _expect(method, params.get("expect_cluster_id"), cluster_id)
    given = {name: params.get(name) for name in METHODS[method].params}
    if "max" in given and given["max"] is None:
        given["max"] = DEFAULT_MAX
    try:
        for name in given:
            _typed(method, name, given[name])
        _within(method, given)
    except ValueError as error:
        raise AgentError(BAD_REQUEST, str(error), method=method) from None
    return given


def _expect(method: str, expected: Any, cluster_id: str) -> None:
    if not isinstance(expected, str):
        raise AgentError(WRONG_CLUSTER, "a change needs expect_cluster_id", method=method)
    if expected != cluster_id:
        raise AgentError(WRONG_CLUSTER, f"this is {cluster_id}, not {expected}", method=method)


@cache
def _adapter(method: str, name: str) -> TypeAdapter[Any]:
    """Rows are looked at one by one later on: there may be many."""
    kind = METHODS[method].params[name]
    return TypeAdapter(list[Any] if kind == list[Json] else kind)


def _typed(method: str, name: str, value: Any) -> None:
    try:
        _adapter(method, name).validate_python(value, strict=True)
    except ValidationError:
        raise ValueError(f"parameter {name} does not fit") from None


def _within(method: str, given: dict[str, Any]) -> None:
    """The rules beyond types; puts what was parsed in place of the text."""
    if "table" in given:
        _table(given["table"], made=method == "table.create")
    if method in ("table.create", "table.families"):
        given["families"] = {name: _kept(name, rule) for name, rule in given["families"].items()}
        given["splits"] = [_key(split, "a split") for split in given.get("splits") or ()]
    elif method == "rows.scan":
        _page(given)
    elif method == "rows.write":
        given["rows"] = list(_rows(given["rows"]))
    elif method == "canary.read":
        if len(given["rows"]) > MOST_ROWS_READ:
            raise ValueError(f"rows must be hex, at most {MOST_ROWS_READ} of them")
        given["rows"] = [_key(row, "a row") for row in given["rows"]]


def _table(name: str, *, made: bool) -> None:
    """A table that is read or dropped may have any name the service gave it; one that is made must be a legal one."""
    if not name or "/" in name:
        raise ValueError(f"{name!r} is not a table's name")
    if made and (fault := table_fault(name)):
        raise ValueError(fault)


def _kept(name: str, rule: str) -> retention.Rule:
    if fault := family_fault(name):
        raise ValueError(fault)
    return retention.parse(rule)


def _page(given: dict[str, Any]) -> None:
    for name in ("start", "stop"):
        given[name] = _bytes(given[name], name)
    for name, (least, most) in _PAGE.items():
        if not least <= given[name] <= most:
            raise ValueError(f"{name} must be a number from {least} to {most}")
    if given["values"] not in ("full", "digest"):
        raise ValueError("values must be full or digest")


def _rows(rows: Any) -> Iterator[SentRow]:
    for row in rows:
        if not isinstance(row, list) or len(row) != 2 or not isinstance(row[1], list):
            raise ValueError("a row must be [key in hex, [cells]]")
        key = _key(row[0], "a row")
        yield key, tuple(_cell(cell, row[0]) for cell in row[1])


def _cell(cell: Any, row: str) -> SentCell:
    if not isinstance(cell, list) or [type(part) for part in cell] != [str, str, int, str]:
        raise ValueError(f"row {row[:80]}: a cell must be [family, qualifier in hex, time in us, value in hex]")
    family, qualifier, time, value = cell
    if not 0 <= time <= GREATEST_US or time % 1000:
        raise ValueError(f"row {row[:80]}: {time} is not a whole millisecond from 0 to {GREATEST_US}, in microseconds")
    sent = _bytes(qualifier, "a qualifier"), _bytes(value, "a value")
    if len(sent[0]) > QUALIFIER_BYTES or len(sent[1]) > CELL_BYTES:
        what = f"a qualifier above {QUALIFIER_BYTES} bytes or a value above {CELL_BYTES}"
        raise ValueError(f"row {row[:80]}: Bigtable takes no cell with {what}")
    return family, sent[0], time, sent[1]


def _key(value: Any, what: str) -> bytes:
    key = _bytes(value, what)
    if not 0 < len(key) <= ROW_KEY_BYTES:
        raise ValueError(f"{what} of {len(key)} bytes: a row key has 1 to {ROW_KEY_BYTES} bytes")
    return key


def _bytes(value: Any, what: str) -> bytes:
    if not isinstance(value, str) or len(value) % 2 or not _HEX.fullmatch(value):
        raise ValueError(f"{what} must be hex digits, lower case")
    return bytes.fromhex(value)
