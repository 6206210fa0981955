"""What a server's own pages say of the library: keys, jars, switches; and what the migration wishes of them.

Invariant: a page that could not be read answers nothing; `read` tells them apart. Called by the checks, the roll-out
guidance, the ledger and the stall causes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.counters import REGION_SERVER
from hbase_ferry.insight.checks.base import Ask, Severity
from hbase_ferry.model.cluster import ClusterView, ServerFacts

_LINE = re.compile(r"-(\d)\.x-")
MASTER = "master"
SERVING = ("READY", "RESIZING")
"""States of an instance or cluster that take writes."""


@dataclass(frozen=True)
class BigtableWish:
    """What the servers of the source are expected to run with, and the target to be."""

    project: str
    instance: str
    app_profile: str = ""
    "empty: the instance's default profile"
    library: str = library.LIBRARY
    "what the file name of the library's jar begins with"
    dry_run: bool = False
    "a peer that only counts comes first"
    emulator: str = ""
    "host:port of the emulator that is the target: no credentials, no instance admin; empty: the service"
    endpoint: str = ""
    "endpoint class; empty: Google's for the source's HBase line"
    way_back: tuple[str, str] | None = None
    "hbase_qualifier and cbt_qualifier of the stream back; None: no stream back is planned"

    @property
    def profile(self) -> str:
        """The app profile's id as the instance knows it."""
        return self.app_profile or "default"


@dataclass(frozen=True)
class Question:
    """What the Bigtable checks look at."""

    ask: Ask
    wish: BigtableWish

    @property
    def source(self) -> ClusterView:
        return self.ask.view.source

    @property
    def target(self) -> ClusterView:
        return self.ask.view.target


def read(servers: Iterable[ServerFacts]) -> tuple[ServerFacts, ...]:
    """The servers whose pages were read."""
    return tuple(facts for facts in servers if not facts.error)


def unread_reason(facts: ServerFacts) -> str:
    """Why a page could not be read, without the server's name, so that servers that fail alike read alike."""
    return (facts.error.partition("could not be read: ")[2] or facts.error).replace(facts.server, "it")


def value(facts: ServerFacts, key: str) -> str:
    """A setting of the running server; empty where it is not set. Of a key asked for its presence only: `(set)`."""
    return (facts.settings.get(key) or facts.settings.get(f"?{key}") or "").strip()


def switch(facts: ServerFacts, key: str, default: bool) -> bool:
    """A boolean setting as Hadoop reads it: the default for anything but true and false."""
    text = value(facts, key).lower()
    return default if text not in ("true", "false") else text == "true"


def number(facts: ServerFacts, key: str, default: int) -> int:
    """A whole number setting; the default where it is not set or no number."""
    text = value(facts, key)
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else default


def library_jars(facts: ServerFacts, wished: str) -> tuple[str, ...]:
    """The jars on the class path that hold the endpoint.

    The published names are bigtable-hbase-<line>.x-replication-<version>.jar; the plain client (…-2.x-hadoop) and the
    core alone begin alike and do not hold it. A library of another name is taken by its beginning.
    """
    found = [jar for jar in facts.jars if jar.startswith(wished)]
    if wished != library.LIBRARY:
        return tuple(found)
    return tuple(jar for jar in found if "replication" in jar and "replication-core" not in jar)


def jar_line(jar: str) -> int | None:
    """The HBase major a published jar is for: 1 or 2; None: its name does not say."""
    found = _LINE.search(jar)
    return int(found.group(1)) if found else None


def missing_keys(facts: ServerFacts) -> tuple[str, ...]:
    """The keys without which the library cannot connect and the running server does not have."""
    return tuple(key for key in (library.PROJECT, library.INSTANCE) if not value(facts, key))


def credentials(facts: ServerFacts) -> str:
    """The key that decides where the credentials come from, in the library's own order; empty: the default ones."""
    if switch(facts, library.NULL_CREDENTIAL, False):
        return library.NULL_CREDENTIAL
    order = (library.JSON_VALUE, library.KEY_FILE, library.P12_FILE, library.CUSTOM_CREDENTIALS)
    return next((key for key in order if value(facts, key)), "")


def credentials_elsewhere(facts: ServerFacts, servers: Iterable[ServerFacts]) -> tuple[str, ...]:
    """Region servers that have credentials where this one has none; empty where it has some, where it ships to an
    emulator, which asks for none, and of a master, which never connects."""
    if facts.role != REGION_SERVER or facts.error or credentials(facts) or value(facts, library.EMULATOR):
        return ()
    others = (other for other in read(servers) if other.role == REGION_SERVER)
    return tuple(other.server for other in others if credentials(other) not in ("", library.NULL_CREDENTIAL))


def strays(facts: ServerFacts, wish: BigtableWish) -> tuple[Severity, str] | None:
    """Where the endpoint host sends the library instead of the target, and how bad that is; None: nowhere."""
    host = value(facts, library.ENDPOINT_HOST).lower()
    if not host or (host == library.SERVICE_HOST and not wish.emulator):
        return None
    says = f"{library.ENDPOINT_HOST} is {host}"
    if wish.emulator:
        own = host == wish.emulator.rpartition(":")[0].lower()
        where = "to which port is not seen" if own else f"not to {wish.emulator}"
        text = f"{says}, which goes before {library.EMULATOR}: it ships there, {where}. Take it out and restart"
        return ("warn" if own else "block"), text
    if host.endswith(library.SERVICE_DOMAIN):
        return "warn", f"{says}, another way into the service than {library.SERVICE_HOST}: see that it is meant"
    return "block", f"{says}, which is not the service: it would ship there. Take it out and restart"


def same_address(one: str, other: str) -> bool:
    """Whether two host:port are written alike, localhost as its number."""
    short = [text.strip().lower().replace("localhost:", "127.0.0.1:") for text in (one, other)]
    return short[0] == short[1]
