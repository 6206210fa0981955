"""Which servers run with the library and its keys, which not, and which one to restart next. Guidance only.

A class path and a configuration are read once, at start: a jar copied beside a running server is not there until its
restart. Invariant: hbase-ferry restarts nothing, and a server whose pages were not read is neither ready nor lacking.
Called by the preflight and the front ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.pages import MASTER, BigtableWish, library_jars, value
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


def rollout(servers: Sequence[ServerFacts], wish: BigtableWish) -> Rollout:
    """The roll-out as these pages show it."""
    ordered = sorted(servers, key=lambda facts: (facts.role != MASTER, facts.server))
    unknown = tuple(facts.server for facts in ordered if facts.error)
    lacks = [Lack(facts.server, facts.role, lacking(facts, wish)) for facts in ordered if not facts.error]
    lacking_ = tuple(lack for lack in lacks if lack.what)
    ready = tuple(lack.server for lack in lacks if not lack.what)
    following = lacking_[0].server if lacking_ else ""
    return Rollout(ready, lacking_, unknown, following, _sentences(ready, lacking_, unknown))


def lacking(facts: ServerFacts, wish: BigtableWish) -> tuple[str, ...]:
    """What a server still lacks of the wish, as words; empty: nothing. A master needs the class only, not the keys."""
    found = [] if library_jars(facts, wish.library) else [f"no jar {wish.library}…"]
    keys = {library.PROJECT: wish.project, library.INSTANCE: wish.instance, library.APP_PROFILE: wish.app_profile}
    for key, wished in (keys if facts.role != MASTER else {}).items():
        there = value(facts, key)
        if there != wished:
            found.append(f"{key} is {there or 'not set'}, not {wished or 'unset'}")
    return tuple(found)


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
