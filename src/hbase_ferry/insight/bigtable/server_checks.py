"""Checks of every server's own pages: the library's jar, the keys it really runs with, the switches that hurt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.counters import REGION_SERVER
from hbase_ferry.insight.bigtable.pages import (
    MASTER,
    Question,
    credentials,
    credentials_elsewhere,
    jar_line,
    library_jars,
    number,
    read,
    same_address,
    strays,
    switch,
    unread_reason,
    value,
)
from hbase_ferry.insight.bigtable.wayback import mismatch
from hbase_ferry.insight.checks.base import Finding, Severity, join, missing
from hbase_ferry.insight.format import millis
from hbase_ferry.model.cluster import ServerFacts

Says: TypeAlias = Iterator[tuple[Severity, str]]
Look: TypeAlias = Callable[[Question, ServerFacts], Says]


def findings(question: Question) -> Iterator[Finding]:
    """Every check of this module."""
    yield _servers(
        question, "bt.library", _jar, "the library is on the class path of the master and every region server"
    )
    yield _servers(question, "bt.library-line", _line, "every jar is the one for this HBase line")
    yield _servers(question, "bt.site-keys", _keys, "project, instance and app profile are on every server as wanted")
    yield _servers(question, "bt.credentials", _credentials, _credentials_text(question), masters=False)
    yield _servers(question, "bt.abort", _abort, f"{library.ABORT} is true, as it must be")
    yield _off(_servers(question, "bt.bulk-loads", _bulk_loads, _BULK_LOADS_OFF))
    yield _servers(question, "bt.peer-config", _base_config, "no setting gives every peer a CONFIG")
    yield _servers(question, "bt.deletefamily", _threshold, _threshold_text(question), masters=False)
    yield _servers(question, "bt.adapter", _adapter, "no adapter of incompatible mutations is configured")
    if question.wish.way_back is not None:
        fits = "every region server and the stream back use the same qualifiers"
        yield _servers(question, "bt.way-back", _way_back, fits, masters=False)


def _servers(question: Question, check: str, look: Look, ok: str, masters: bool = True) -> Finding:
    """The check over every server, servers that say the same together; a server without pages is not known."""
    source, seen = question.source, question.source.servers.current
    if seen is None:
        return missing(check, source, "the servers' own pages", source.servers)
    said: dict[tuple[Severity, str], list[str]] = {}
    wanted = [facts for facts in seen if masters or facts.role == REGION_SERVER]
    for facts in wanted:
        for what in _said(question, look, facts):
            said.setdefault(what, []).append(f"{facts.server}{' (master)' if facts.role == MASTER else ''}")
    absent = _absent(question, {facts.server for facts in wanted})
    if absent:
        said["unknown", "its pages were not read"] = absent
    if masters and not any(facts.role == MASTER for facts in wanted):
        said["unknown", "its pages were not read"] = [*absent, "the master"]
    parts = [Finding("", severity, f"{_named(names)}: {text}", source.side) for (severity, text), names in said.items()]
    return join(check, parts, ok, source.side)


def _said(question: Question, look: Look, facts: ServerFacts) -> list[tuple[Severity, str]]:
    if facts.error:
        return [("unknown", f"its pages could not be read ({unread_reason(facts)})")]
    return list(look(question, facts))


def _absent(question: Question, seen: set[str]) -> list[str]:
    identity = question.source.identity.current
    if identity is None:
        return ["region servers whose names are not known"]
    return [server for server in identity.servers if server not in seen]


def _named(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _jar(question: Question, facts: ServerFacts) -> Says:
    if not library_jars(facts, question.wish.library):
        alike = [jar for jar in facts.jars if jar.startswith(question.wish.library)]
        has = f"; it has {', '.join(alike[:3])}, which does not hold the endpoint" if alike else ""
        then = "the master then refuses the peer" if facts.role == MASTER else "the endpoint then never starts there"
        yield "block", f"no replication library {question.wish.library}… on its class path{has}: {then}. Copy, restart"


def _line(question: Question, facts: ServerFacts) -> Says:
    identity = question.source.identity.current
    jars = library_jars(facts, question.wish.library)
    if identity is None:
        yield "unknown", "the HBase line is not known"
        return
    wanted = 1 if identity.major == 1 else 2
    for jar in jars:
        line = jar_line(jar)
        if line is not None and line != wanted:
            yield "block", f"{jar} is for HBase {line}.x, and this is HBase {identity.hbase_version}"
        elif line is None:
            yield "unknown", f"for which HBase line {jar} is, its name does not say"
    if len(jars) > 1:
        yield "warn", f"several libraries on one class path: {', '.join(jars[:3])}"
    if not jars:
        yield "unknown", "no library to look at"


def _keys(question: Question, facts: ServerFacts) -> Says:
    """A master only has to have the class: it never connects."""
    wish, severity = question.wish, _weight(facts)
    wanted = {library.PROJECT: wish.project, library.INSTANCE: wish.instance, library.APP_PROFILE: wish.app_profile}
    for key, wished in wanted.items():
        there = value(facts, key)
        if there != wished:
            yield severity, f"{key} is {there or 'not set'} and should be {wished or 'not set'}; it takes a restart"
    emulator = value(facts, library.EMULATOR)
    if emulator and not wish.emulator:
        yield severity, f"{library.EMULATOR} is {emulator}: it would ship to an emulator"
    if wish.emulator and emulator and not same_address(emulator, wish.emulator):
        yield (
            "warn",
            f"{library.EMULATOR} is {emulator}, and this migration's is {wish.emulator}: see that both are one",
        )
    stray = strays(facts, wish)
    if stray is not None:
        yield ("warn" if severity == "warn" else stray[0]), stray[1]
    if wish.emulator and not emulator:
        yield "warn", f"{library.EMULATOR} is not set: it ships to the emulator only with BIGTABLE_EMULATOR_HOST set"
    if switch(facts, library.DRY_RUN, False):
        yield severity, f"{library.DRY_RUN} is true for every peer: nothing would be sent, and all would look shipped"


def _weight(facts: ServerFacts) -> Severity:
    return "warn" if facts.role == MASTER else "block"


def _credentials(question: Question, facts: ServerFacts) -> Says:
    if question.wish.emulator:
        return
    key, seen = credentials(facts), question.source.servers.current or ()
    elsewhere = credentials_elsewhere(facts, seen)
    if key == library.JSON_VALUE:
        yield "warn", f"{key} holds the key itself, and the library writes it to the log: use {library.KEY_FILE}"
    elif key == library.NULL_CREDENTIAL:
        yield "block", f"{key} is true: the service takes nothing without credentials"
    elif elsewhere:
        yield (
            "block",
            f"{library.KEY_FILE} is not set, and {_named(list(elsewhere))} {'has' if len(elsewhere) == 1 else 'have'} "
            "credentials: its endpoint does not start, or ships as the machine's own account. Set it alike and restart",
        )
    elif not key:
        yield (
            "warn",
            f"{library.KEY_FILE} is not set: the machine's own account (application default) must be able to write",
        )
    elif key != library.KEY_FILE:
        yield "warn", f"credentials come from {key}, which was never seen to run"
    else:
        yield from _paths(facts, seen)


def _paths(facts: ServerFacts, seen: Sequence[ServerFacts]) -> Says:
    """One key may lie under two paths, and no page shows what is in a file: so no more than a warning."""
    own = value(facts, library.KEY_FILE)
    region = (other for other in read(seen) if other.role == REGION_SERVER)
    paths = {value(other, library.KEY_FILE) for other in region if credentials(other) == library.KEY_FILE}
    if len(paths) > 1:
        others = ", ".join(sorted(paths - {own})[:3])
        yield "warn", f"the key file is {own}, and elsewhere {others}: see that all are keys of one account"


def _credentials_text(question: Question) -> str:
    if question.wish.emulator:
        return "an emulator asks for no credentials"
    return "a key file is set on every region server; whether HBase can read it shows when the peer starts"


def _abort(question: Question, facts: ServerFacts) -> Says:
    """Run on 2.6.4: 107,245 attempts and 827 MB of log in 10.5 minutes, then out of memory (lab-bigtable.md §4.6)."""
    if facts.role == REGION_SERVER and not switch(facts, library.ABORT, True):
        yield (
            "block",
            f"{library.ABORT} is false: removing a peer that never started makes the server spin until it is out of "
            "memory. Take it out and restart",
        )


def _bulk_loads(question: Question, facts: ServerFacts) -> Says:
    if switch(facts, library.BULK_LOADS, False):
        yield (
            _weight(facts),
            f"{library.BULK_LOADS} is true: the first bulk load stalls the peer for good. Set it false",
        )


_BULK_LOADS_OFF = (
    "bulk load replication is off, as it must be: bulk loaded files never reach Bigtable, and no counter shows them. "
    "Make none into these tables from add-peer until the switch, or copy the table again after one"
)


def _off(found: Finding) -> Finding:
    """Nothing shows a bulk load that was made: what is right on the servers is a warning to people."""
    return replace(found, severity="warn") if found.severity == "ok" else found


def _base_config(question: Question, facts: ServerFacts) -> Says:
    if value(facts, library.BASE_CONFIG):
        yield (
            "warn",
            f"{library.BASE_CONFIG} gives every peer a CONFIG: then the connection keys count in core-site.xml only",
        )


def _threshold(question: Question, facts: ServerFacts) -> Says:
    threshold = number(facts, library.DELETE_THRESHOLD, library.DELETE_THRESHOLD_MILLIS)
    if threshold < library.DELETE_THRESHOLD_MILLIS:
        yield (
            "warn",
            f"{library.DELETE_THRESHOLD} is {millis(threshold)}, below the default of "
            f"{millis(library.DELETE_THRESHOLD_MILLIS)}: family deletes written later than that are dropped",
        )


def _threshold_text(question: Question) -> str:
    pages = question.source.servers.current or ()
    found = [
        number(facts, library.DELETE_THRESHOLD, library.DELETE_THRESHOLD_MILLIS)
        for facts in pages
        if facts.role == REGION_SERVER and not facts.error
    ]
    least = millis(min(found, default=library.DELETE_THRESHOLD_MILLIS))
    return (
        f"family deletes are carried over where they were written within {least} of their own time "
        f"({library.DELETE_THRESHOLD}); writes that come from another cluster's replication with more lag lose theirs"
    )


def _way_back(question: Question, facts: ServerFacts) -> Says:
    """As severe as the gate `way-back`, which may be accepted."""
    fault = mismatch(facts, *question.wish.way_back) if question.wish.way_back is not None else ""
    if fault:
        yield "warn", f"{fault}. Set it and restart: until then the gate way-back keeps stop-writers and switch closed"


def _adapter(question: Question, facts: ServerFacts) -> Says:
    if value(facts, library.CUSTOM_ADAPTER):
        yield "warn", f"{library.CUSTOM_ADAPTER} is set, and the library never reads it"
