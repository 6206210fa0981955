"""Retention as google.bigtable.admin.v2 has it. Called by the schema of the real client."""

from __future__ import annotations

from typing import Any

from hbase_ferry.cluster.bigtable.library import ADMIN, library
from hbase_ferry.model.bigtable.retention import MICROS, Join, MaxAge, MaxVersions, Never, Rule, join


def to_message(rule: Rule) -> Any:
    """The rule as a google.bigtable.admin.v2.GcRule; `never` is one without content."""
    rules = library(ADMIN).types.GcRule
    if isinstance(rule, Never):
        return rules()
    if isinstance(rule, MaxVersions):
        return rules(max_num_versions=rule.count)
    if isinstance(rule, MaxAge):
        seconds, rest = divmod(rule.micros, MICROS)
        return rules(max_age={"seconds": seconds, "nanos": rest * 1000})
    inside = [to_message(part) for part in rule.parts]
    if rule.by is Join.AND:
        return rules(intersection=rules.Intersection(rules=inside))
    return rules(union=rules.Union(rules=inside))


def from_message(message: Any) -> Rule:
    """The canonical rule of a GcRule, in its plain protobuf form. A rule of a kind that is not known is ValueError:
    nobody may take it for `never`."""
    kind = message.WhichOneof("rule")
    if kind is None:
        if message.ByteSize():
            raise ValueError("the service keeps cells by a rule of a kind that is not known here")
        return Never()
    if kind == "max_num_versions":
        return MaxVersions(message.max_num_versions)
    if kind == "max_age":
        return MaxAge(message.max_age.seconds * MICROS + message.max_age.nanos // 1000)
    if kind == "intersection":
        return join(Join.AND, map(from_message, message.intersection.rules))
    return join(Join.OR, map(from_message, message.union.rules))
