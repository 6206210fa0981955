"""The parameters of a call, checked as the agent checks them: types from the method table, then the agent's own rules.

Called by `wire` before anything of a call happens; what does not fit is `hbase_ferry.BadRequest`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import UnionType
from typing import Any, get_args, get_origin

from hbase_ferry.cluster.simulator.errors import BAD_REQUEST, UNKNOWN_METHOD
from hbase_ferry.cluster.wire import HBASE, METHODS
from hbase_ferry.errors import AgentError

DEFAULT_MAX = 1000
JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
CANARY_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
ROW = re.compile(r"([0-9a-f]{2})+")
KEY = re.compile(r"([0-9a-f]{2})*")
MAY_BE_EMPTY = frozenset({"prefix", "start", "stop", "cluster_key"})
LIMITS = {"max_rows": (1, 100_000), "max_bytes": (1, 8_000_000), "versions": (0, 1_000_000)}
"""Of a page of rows."""


def checked(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Every declared parameter, None for an optional one that is absent. Raises AgentError."""
    if method not in METHODS or HBASE.isdisjoint(METHODS[method].kinds):
        raise AgentError(UNKNOWN_METHOD, f"no method {method}", method=method)
    kinds = METHODS[method].params
    given = {name: params.get(name) for name in kinds}
    if "max" in given and given["max"] is None:
        given["max"] = DEFAULT_MAX
    for name, kind in kinds.items():
        if not _fits(given[name], kind) or (given[name] == "" and kind is str and name not in MAY_BE_EMPTY):
            raise _bad(method, f"parameter {name} does not fit")
    problem = _problem(method, given)
    if problem:
        raise _bad(method, problem)
    return given


def _bad(method: str, text: str) -> AgentError:
    return AgentError(BAD_REQUEST, text, method=method)


def _fits(value: Any, kind: Any) -> bool:
    """Whether a JSON value is of a declared parameter type."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return any(_fits(value, one) for one in inside)
    if origin is list:
        return isinstance(value, list) and all(_fits(item, inside[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, inside[1]) for item in value.values())
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return not isinstance(kind, type) or isinstance(value, kind)


def _problem(method: str, given: Mapping[str, Any]) -> str:
    """What the agent says of values that have the right type."""
    if method.startswith("job.") and "id" in given and not JOB_ID.fullmatch(given["id"]):
        return f"job id {given['id']!r} may hold letters, digits, dot, dash and underscore"
    if method == "job.start":
        return _job(given)
    if method == "job.read" and (given["offset"] < 0 or given["max"] < 0):
        return "offset and max must be numbers from 0 on"
    if method == "canary.write" and not CANARY_ID.fullmatch(given["id"]):
        return "id may hold letters, digits, dot, dash and underscore"
    if "rows" in given and not all(ROW.fullmatch(row) for row in given["rows"]):
        return "rows must be hex, at most 1000 of them"
    if method == "table.scope" and any(scope not in (0, 1) for scope in given["scopes"].values()):
        return "scopes must be {family: 0 or 1}"
    if method == "peer.add":
        return _peer(given)
    return _scan(given) if method == "rows.scan" else ""


def _peer(given: Mapping[str, Any]) -> str:
    if not given["table_cfs"]:
        return "table_cfs must name at least one table"
    if given["endpoint"] == "" or (given["endpoint"] is None and not given["cluster_key"]):
        return f"{'cluster_key' if given['endpoint'] is None else 'endpoint'} must be a string that is not empty"
    return ""


def _scan(given: Mapping[str, Any]) -> str:
    for name, (least, most) in LIMITS.items():
        if not least <= given[name] <= most:
            return f"{name} must be a number from {least} to {most}"
    if not KEY.fullmatch(given["start"]) or not KEY.fullmatch(given["stop"]):
        return "start and stop must be hex"
    return "" if given["values"] in ("full", "digest") else "values must be full or digest"


def _job(given: Mapping[str, Any]) -> str:
    if not given["argv"]:
        return "argv is empty"
    return "" if all(VARIABLE.fullmatch(name) for name in given["env"]) else "env must be {NAME: text}"
