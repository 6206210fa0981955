"""Which servers run with the library and its keys, which not, and which one to restart next. Guidance only.

A class path and a configuration are read once, at start: a jar copied beside a running server is not there until its
restart. Invariant: hbase-ferry restarts nothing, and a server whose pages were not read is neither ready nor lacking.
Called by the preflight and the front ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.pages import (
    MASTER,
    BigtableWish,
    credentials,
    credentials_elsewhere,
    jar_line,
    library_jars,
    strays,
    switch,
    value,
)
from hbase_ferry.insight.format import plural
from hbase_ferry.model.cluster import ServerFacts


@dataclass(frozen=True)
class Lack:
    """A server and what it lacks, as words."""

    server: str
    role: str
    what: tuple[str, ...]


@dataclass(frozen=True)
class Rollout:
    """Where the roll-out of library and keys stands."""

    ready: tuple[str, ...]
    lacking: tuple[Lack, ...]
    "in the order of restarts: masters, then region servers"
    unknown: tuple[str, ...]
    next: str
    "the server to restart next; empty: none, or nothing is known"
    sentences: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every server that exists was seen to run with the library and its keys."""
        return bool(self.ready) and not self.lacking and not self.unknown


def rollout(servers: Sequence[ServerFacts], wish: BigtableWish, major: int | None = None) -> Rollout:
    """The roll-out as these pages show it. `major`: HBase's, for the jars' line; None: not known."""
    ordered = sorted(servers, key=lambda facts: (facts.role != MASTER, facts.server))
    unknown = tuple(facts.server for facts in ordered if facts.error)
    pages = [facts for facts in ordered if not facts.error]
    lacks = [Lack(facts.server, facts.role, lacking(facts, wish, servers, major)) for facts in pages]
    lacking_ = tuple(lack for lack in lacks if lack.what)
    ready = tuple(lack.server for lack in lacks if not lack.what)
    following = lacking_[0].server if lacking_ else ""
    return Rollout(ready, lacking_, unknown, following, _sentences(ready, lacking_, unknown))


def lacking(
    facts: ServerFacts, wish: BigtableWish, servers: Sequence[ServerFacts] = (), major: int | None = None
) -> tuple[str, ...]:
    """What a server still lacks of the wish, as words; empty: nothing. A master needs the class only, not the keys.

    Whatever `server_checks` blocks on. `servers`: all whose keys have to be alike.
    """
    jars = library_jars(facts, wish.library)
    found = [] if jars else [f"no jar {wish.library}…"]
    if major is not None:
        other = 2 if major == 1 else 1
        found += [f"{jar} is for HBase {other}.x" for jar in jars if jar_line(jar) == other]
    return (*found, *(_settings(facts, wish, servers) if facts.role != MASTER else ()))


def _settings(facts: ServerFacts, wish: BigtableWish, servers: Sequence[ServerFacts]) -> Iterator[str]:
    """What a region server's settings lack."""
    keys = {library.PROJECT: wish.project, library.INSTANCE: wish.instance, library.APP_PROFILE: wish.app_profile}
    for key, wished in keys.items():
        there = value(facts, key)
        if there != wished:
            yield f"{key} is {there or 'not set'}, not {wished or 'unset'}"
    if value(facts, library.EMULATOR) and not wish.emulator:
        yield f"{library.EMULATOR} is {value(facts, library.EMULATOR)}, not unset"
    stray = strays(facts, wish)
    if stray is not None and stray[0] == "block":
        yield f"{library.ENDPOINT_HOST} is {value(facts, library.ENDPOINT_HOST)}, not unset"
    if not wish.emulator and credentials(facts) == library.NULL_CREDENTIAL:
        yield f"{library.NULL_CREDENTIAL} is true, not unset"
    if not wish.emulator and credentials_elsewhere(facts, servers):
        yield f"{library.KEY_FILE} is not set, and others have credentials"
    wanted = {library.DRY_RUN: False, library.ABORT: True, library.BULK_LOADS: False}
    yield from (f"{key} is {value(facts, key)}" for key, right in wanted.items() if switch(facts, key, right) != right)


def _sentences(ready: Sequence[str], lacks: Sequence[Lack], unknown: Sequence[str]) -> tuple[str, ...]:
    total = len(ready) + len(lacks) + len(unknown)
    found = [f"{len(ready)} of {plural(total, 'server')} run with the library and its keys"]
    found += [f"{lack.server} ({lack.role}): {'; '.join(lack.what)}" for lack in lacks]
    found += [f"{server}: its pages could not be read, so nothing is known of it" for server in unknown]
    if lacks:
        first = lacks[0]
        found.append(f"next: restart {first.server} ({first.role}); {_how(first)}")
    return tuple(found)


def _how(lack: Lack) -> str:
    if lack.role == MASTER:
        return "masters come first, standby ones too (they show no pages): one without the class refuses the peer"
    return "one region server at a time, its regions moved away before (graceful_stop.sh --restart --reload)"
