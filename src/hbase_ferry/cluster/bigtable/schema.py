"""Tables of an instance: listed, created, changed, protected, dropped.

ListTables gives names only, so each table costs a request of its own, and the service allows some 1000 of them a
minute. A long listing therefore remembers a table's schema for `FRESH_SECONDS`; existence is always fresh, and so is a
table that was asked for by name or changed through this connection. Called by `connect`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hbase_ferry.cluster.bigtable import answers, messages
from hbase_ferry.cluster.bigtable.calls import KIND, Ask
from hbase_ferry.cluster.bigtable.clients import Clients
from hbase_ferry.errors import AgentError
from hbase_ferry.model.bigtable import retention
from hbase_ferry.model.event import Json

FRESH_SECONDS = 30.0
FRESH_TABLES = 10
"""Up to so many tables are always read anew."""
SIDE_BY_SIDE = 8
_NAME_ONLY, _SCHEMA_VIEW = 1, 2
_PAGE = 1000

Families = Mapping[str, retention.Rule]


class Schema:
    """The tables of one instance. Safe to use from several threads."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, dict[str, Json]]] = {}

    # ---- reads

    def listing(self, ask: Ask, most: int, names: Sequence[str] | None) -> dict[str, Json]:
        """`names`: those of them that exist."""
        there = sorted(self._names(ask))
        if names is not None:
            there = sorted(set(names) & set(there))
        lasting = FRESH_SECONDS if names is None and len(there) > FRESH_TABLES else 0.0
        wanted = there[:most]
        with ThreadPoolExecutor(SIDE_BY_SIDE, "bigtable tables") as pool:
            found = list(pool.map(lambda name: self._described(ask, name, lasting), wanted))
        gone = sum(one is None for one in found)
        return answers.items([one for one in found if one is not None], len(there) - gone)

    def _names(self, ask: Ask) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            request = {"parent": self._clients.path, "view": _NAME_ONLY, "page_size": _PAGE, "page_token": token}
            pager = ask.read(f"instance {self._clients.path}", self._clients.tables.list_tables, request=request)
            page = next(iter(pager.pages))
            found += [str(table.name).rsplit("/", 1)[-1] for table in page.tables]
            token = page.next_page_token
            if not token:
                return found

    def _described(self, ask: Ask, name: str, lasting: float) -> dict[str, Json] | None:
        """None: dropped since it was listed."""
        with self._lock:
            at, known = self._known.get(name, (0.0, {}))
        now = time.monotonic()
        if known and now - at < lasting:
            return known
        try:
            message = self._table(ask, name)
        except AgentError as error:
            if error.kind == KIND + "NotFound":
                return None
            raise
        described = answers.table(name, _families(message), protected=message.deletion_protection)
        with self._lock:
            self._known[name] = now, described
        return described

    def _table(self, ask: Ask, name: str) -> Any:
        request = {"name": self._clients.table(name), "view": _SCHEMA_VIEW}
        return ask.read(_what(name), self._clients.tables.get_table, request=request)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._known.pop(name, None)

    # ---- changes

    def create(self, ask: Ask, name: str, families: Families, splits: Sequence[bytes]) -> dict[str, Json]:
        """A table that is there with exactly these families is as asked: where it is split is not to be seen."""
        made = {family: {"gc_rule": messages.to_message(rule)} for family, rule in families.items()}
        request = {
            "parent": self._clients.path,
            "table_id": name,
            "table": {"column_families": made},
            "initial_splits": [{"key": split} for split in splits],
        }
        try:
            ask.send(_what(name), self._clients.tables.create_table, request=request)
        except AgentError as error:
            if error.kind != KIND + "AlreadyExists":
                raise
            differs = answers.differing(_families(self._table(ask, name)), families)
            if differs:
                raise ask.refusal(_what(name), "AlreadyExists", "; ".join(differs)) from None
            return answers.same(f"table {name} exists with these families")
        finally:
            self._forget(name)
        return answers.done()

    def families(self, ask: Ask, name: str, families: Families) -> dict[str, Json]:
        """Adds and changes in one request; families that are not named stay as they are."""
        there = _families(self._table(ask, name))
        new = [family for family in families if family not in there]
        changed = [family for family, rule in families.items() if family in there and there[family] != rule]
        if not new and not changed:
            return answers.same("every family is there and keeps that")
        asked = {family: {"gc_rule": messages.to_message(rule)} for family, rule in families.items()}
        modifications = [{"id": family, "create": asked[family]} for family in new]
        modifications += [{"id": family, "update": asked[family]} for family in changed]
        request = {"name": self._clients.table(name), "modifications": modifications}
        try:
            ask.send(_what(name), self._clients.tables.modify_column_families, request=request)
        finally:
            self._forget(name)
        return answers.done(f"{len(new)} added, {len(changed)} changed")

    def protect(self, ask: Ask, name: str, on: bool) -> dict[str, Json]:
        if self._table(ask, name).deletion_protection == on:
            return answers.same(f"deletion protection is {'on' if on else 'off'}")
        request = {
            "table": {"name": self._clients.table(name), "deletion_protection": on},
            "update_mask": {"paths": ["deletion_protection"]},
        }
        try:
            operation = ask.send(_what(name), self._clients.tables.update_table, request=request)
            with ask.translating(_what(name)):
                operation.result(timeout=ask.left())
        finally:
            self._forget(name)
        return answers.done()

    def drop(self, ask: Ask, name: str) -> dict[str, Json]:
        try:
            ask.send(_what(name), self._clients.tables.delete_table, name=self._clients.table(name))
        except AgentError as error:
            if error.kind != KIND + "NotFound":
                raise
            return answers.same(f"no table {name}")
        finally:
            self._forget(name)
        return answers.done()


def _what(name: str) -> str:
    return f"table {name}"


def _families(message: Any) -> dict[str, retention.Rule | None]:
    plain = type(message).pb(message)
    return {str(name): _rule(family.gc_rule) for name, family in plain.column_families.items()}


def _rule(message: Any) -> retention.Rule | None:
    try:
        return messages.from_message(message)
    except ValueError:
        return None
