"""Checks of the instance, as far as its own API says: its state, its clusters, routing, permissions, tables there.

The keys of `identity.settings` are those of the Bigtable side's `cluster.identity`: `instance.state`,
`cluster.<id>.state`, `profile.<id>.routing`, `permission.<name>`, and `unknown.<what>` with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hbase_ferry.insight.bigtable.pages import SERVING, Question
from hbase_ferry.insight.checks.base import Finding, missing
from hbase_ferry.insight.format import plural
from hbase_ferry.model.bigtable.names import table_fault


def findings(question: Question) -> Iterator[Finding]:
    """Every check of this module."""
    yield _instance(question)
    yield _clusters(question)
    yield _routing(question)
    yield _permissions(question)
    yield _tables(question)
    yield _reach(question)


def _known(question: Question, check: str, what: str) -> Mapping[str, str] | Finding:
    """What the instance says of itself; a finding where it does not say this."""
    target = question.target
    if target.identity.current is None:
        return missing(check, target, what, target.identity)
    settings = target.identity.current.settings
    unknown = settings.get(f"unknown.{what}")
    if unknown is not None:
        return Finding(check, "unknown", f"the {what} of {target.name} not known: {unknown}", target.side)
    return settings


def _instance(question: Question) -> Finding:
    check, target = "bt.instance", question.target
    settings = _known(question, check, "instance")
    if isinstance(settings, Finding):
        return settings
    state = settings.get("instance.state")
    if state is None:
        return Finding(check, "unknown", f"the state of {target.name} was not told", target.side)
    if state != "READY":
        return Finding(check, "block", f"instance {target.name} is {state}, not READY", target.side)
    return Finding(check, "ok", f"instance {target.name} is READY", target.side)


def _clusters(question: Question) -> Finding:
    check, target = "bt.clusters", question.target
    settings = _known(question, check, "clusters")
    if isinstance(settings, Finding):
        return settings
    states = {
        key.removeprefix("cluster.").removesuffix(".state"): state
        for key, state in settings.items()
        if key.startswith("cluster.") and key.endswith(".state")
    }
    if not states:
        return Finding(check, "unknown", f"the clusters of {target.name} were not told", target.side)
    ours = settings.get(f"profile.{question.wish.profile}.routing", "").removeprefix("single:")
    bad = [f"{name} is {state}" for name, state in sorted(states.items()) if state not in SERVING]
    if ours in states and states[ours] not in SERVING:
        return Finding(check, "block", f"cluster {ours}, which the profile routes to, is {states[ours]}", target.side)
    if len(bad) == len(states):
        return Finding(check, "block", f"no cluster of {target.name} serves: {', '.join(bad)}", target.side)
    if bad:
        return Finding(check, "warn", f"clusters of {target.name} that do not serve: {', '.join(bad)}", target.side)
    return Finding(check, "ok", f"{plural(len(states), 'cluster')} of {target.name} ready", target.side)


def _routing(question: Question) -> Finding:
    check, target, profile = "bt.routing", question.target, question.wish.profile
    settings = _known(question, check, "profiles")
    if isinstance(settings, Finding):
        return settings
    routing = settings.get(f"profile.{profile}.routing")
    if routing is None:
        listed = [name for name in settings.get("profiles", "").split(",") if name]
        if not listed:
            return Finding(check, "unknown", f"the app profiles of {target.name} were not told", target.side)
        text = f"{target.name} has no app profile {profile}; it has {', '.join(listed[:5])}"
        return Finding(check, "block", text, target.side)
    if routing.startswith("single"):
        text = f"app profile {profile} routes to one cluster, {routing.partition(':')[2]}"
        return Finding(check, "ok", text, target.side)
    text = (
        f"app profile {profile} routes to several clusters: the last writer wins between them, in another order than "
        "HBase's, and the sides differ. Use a profile that routes to a single cluster"
    )
    return Finding(check, "block", text, target.side)


def _permissions(question: Question) -> Finding:
    check, target = "bt.permissions", question.target
    settings = _known(question, check, "permissions")
    if isinstance(settings, Finding):
        return settings
    told = {key.removeprefix("permission."): how for key, how in settings.items() if key.startswith("permission.")}
    if not told:
        return Finding(check, "unknown", f"the permissions on {target.name} were not told", target.side)
    lacking = sorted(name for name, how in told.items() if how != "granted")
    if lacking:
        text = f"hbase-ferry's account lacks on {target.name}: {', '.join(lacking)}"
        return Finding(check, "block", text, target.side)
    text = f"hbase-ferry's account has what it needs on {target.name}; the library's own needs roles/bigtable.user"
    return Finding(check, "ok", text, target.side)


def _tables(question: Question) -> Finding:
    check, target = "bt.target-tables", question.target
    if target.tables.current is None:
        return missing(check, target, "tables", target.tables)
    there = [wish.name for wish in question.ask.tables if target.table(wish.name) is not None]
    if there:
        text = (
            f"{target.name} already has {', '.join(there[:3])}: right if empty, which is not visible here; rows that "
            "are there stay, and the comparison would find them"
        )
        return Finding(check, "warn", text, target.side)
    makeable = [wish.name for wish in question.ask.tables if table_fault(wish.name) is None]
    return Finding(check, "ok", f"{plural(len(makeable), 'table')} to create on {target.name}", target.side)


def _reach(question: Question) -> Finding:
    identity = question.source.identity.current
    servers = plural(len(identity.servers), "region server") if identity else "region servers"
    text = (
        f"whether all {servers} of {question.source.name} reach {question.target.name} with their credentials shows "
        "when the peer starts: the disabled peer connects too"
    )
    return Finding("bt.reach", "unknown", text, question.source.side)
