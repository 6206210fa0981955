"""One connection to the simulated instance: the wire's Bigtable methods answered from memory.

Parameters are checked and answers shaped by the real client's own code, so only what the service itself would say is
made up here. Classes and texts of refusals are those that the real client gives on the emulator. Where the emulator is
laxer than the documented service the comment says so. Faults of the target's side apply: see `faults`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from hbase_ferry.cluster.bigtable import answers
from hbase_ferry.cluster.bigtable.calls import Ask
from hbase_ferry.cluster.bigtable.identity import PERMISSIONS, identity_of
from hbase_ferry.cluster.bigtable.requests import checked
from hbase_ferry.cluster.pages import Page, size_of
from hbase_ferry.cluster.simulator.instance import InstanceTable, SimInstance
from hbase_ferry.cluster.simulator.world import World
from hbase_ferry.errors import AgentError, DeadlineExceeded, Unreachable
from hbase_ferry.model.event import Json

_NEEDS = {
    "ping": "list", "cluster.identity": "list", "tables.list": "get", "table.create": "create",
    "table.families": "update", "table.protect": "update", "table.drop": "delete", "rows.scan": "readRows",
    "rows.write": "mutateRows", "canary.read": "readRows",
}  # fmt: skip
"""The permission of each method, behind `bigtable.tables.`."""
_SECONDS = {"table.create": 0.8, "table.families": 0.6, "table.protect": 0.4, "table.drop": 0.5}
"""How long the real service is about for."""


class SimulatedInstanceWire:
    """Implements `cluster.wire.Wire`."""

    def __init__(self, world: World) -> None:
        """`world.instance` must be there."""
        assert world.instance is not None
        self._world = world
        self._instance: SimInstance = world.instance
        self._closed = False

    def close(self) -> None:
        self._closed = True

    def call(self, method: str, params: Mapping[str, Json], deadline: float) -> Json:
        """The answer's result. Raises AgentError, Unreachable, DeadlineExceeded."""
        if self._closed:
            raise Unreachable(f"{self._instance.name}: the connection was closed")
        given = checked(method, json.loads(json.dumps(dict(params))), self._instance.path)
        self._connected(method, deadline)
        world = self._world
        if seconds := _SECONDS.get(method, 0.0):
            world.clock.sleep(world.lasting_ms(seconds) / 1000)
        with world.lock:
            world.advance_to(world.clock.now())
            self._permitted(method)
            answer = _ANSWERS[method](self, given)
        result: Json = json.loads(json.dumps(answer))
        return result

    def _connected(self, method: str, deadline: float) -> None:
        world, instance = self._world, self._instance
        with world.lock:
            world.advance_to(world.clock.now())
            faults = world.faults
            refused = faults.unreachable(instance.side)
            hung, delay = faults.hung(instance.side), faults.delay(instance.side, method)
            error = faults.error(instance.side, method)
        if refused:
            raise Unreachable(f"{instance.name}: {method}: nobody answers for {instance.path}: Connection refused")
        if hung or delay >= deadline:
            world.clock.sleep(deadline)
            raise DeadlineExceeded(
                f"{instance.name}: no answer to {method} about {instance.path} within {deadline:g} s"
            )
        if delay:
            world.clock.sleep(delay)
        if error is not None:
            raise AgentError(error[0], error[1], method=method, cluster=instance.name)

    def _ask(self, method: str) -> Ask:
        return Ask(self._instance.name, method, 1.0, self._instance.user, "application default credentials")

    def _permitted(self, method: str) -> None:
        """The emulator knows no permissions; the text is the service's (google.rpc, PERMISSION_DENIED)."""
        name = f"bigtable.tables.{_NEEDS[method]}"
        if name in self._missing():
            text = f"Access denied. Missing IAM permission: {name}."
            raise self._ask(method).refusal(self._instance.path, "PermissionDenied", text)

    def _missing(self) -> frozenset[str]:
        return frozenset(self._world.faults.details(self._instance.side, "permission").get("names", ()))

    def _table(self, method: str, name: str) -> InstanceTable:
        table = self._instance.tables.get(name)
        if table is None:
            full = f"{self._instance.path}/tables/{name}"
            raise self._ask(method).refusal(f"table {name}", "NotFound", f'table "{full}" not found')
        return table

    # ---- reads

    def ping(self, given: Mapping[str, Any]) -> Json:
        return {"up_ms": self._world.now_ms - self._world.start_ms}

    def identity(self, given: Mapping[str, Any]) -> Json:
        instance = self._instance
        anywhere = self._world.faults.details(instance.side, "routing").get("profile")
        settings = instance.settings({anywhere: None} if anywhere else {})
        missing = self._missing()
        settings |= {f"permission.{name}": "missing" if name in missing else "granted" for name in PERMISSIONS}
        return identity_of(instance.path, instance.user, settings, self._world.now_ms)

    def listing(self, given: Mapping[str, Any]) -> Json:
        names = given["names"]
        there = sorted(self._instance.tables if names is None else set(names) & self._instance.tables.keys())
        tables = [self._instance.tables[name] for name in there[: given["max"]]]
        found: list[Json] = [answers.table(t.name, dict(t.families), protected=t.protected) for t in tables]
        return answers.items(found, len(there))

    def scan(self, given: Mapping[str, Any]) -> Json:
        page = Page(given)
        if given["stop"] and given["start"] >= given["stop"]:
            return page.answer()
        table = self._table("rows.scan", given["table"])
        for key, cells in table.scan(given["start"], given["stop"], given["families"], given["versions"]):
            page.add(key, cells, size_of(key, cells))
            if page.full:
                break
        return page.answer()

    def canaries(self, given: Mapping[str, Any]) -> Json:
        rows = self._table("canary.read", given["table"]).rows
        return answers.items([answers.canary(key, present=key in rows) for key in given["rows"]], len(given["rows"]))

    # ---- changes

    def create(self, given: Mapping[str, Any]) -> Json:
        name, families = given["table"], given["families"]
        if name not in self._instance.tables:
            self._instance.tables[name] = InstanceTable(name, families)
            return answers.done()
        if differs := answers.differing(self._instance.tables[name].families, families):
            raise self._ask("table.create").refusal(f"table {name}", "AlreadyExists", "; ".join(differs))
        return answers.same(f"table {name} exists with these families")

    def families(self, given: Mapping[str, Any]) -> Json:
        there = self._table("table.families", given["table"]).families
        new = given["families"].keys() - there.keys()
        changed = [name for name, rule in given["families"].items() if name in there and there[name] != rule]
        if not new and not changed:
            return answers.same("every family is there and keeps that")
        there.update(given["families"])
        return answers.done(f"{len(new)} added, {len(changed)} changed")

    def protect(self, given: Mapping[str, Any]) -> Json:
        table, on = self._table("table.protect", given["table"]), given["on"]
        if table.protected == on:
            return answers.same(f"deletion protection is {'on' if on else 'off'}")
        table.protected = on
        return answers.done()

    def drop(self, given: Mapping[str, Any]) -> Json:
        name = given["table"]
        table = self._instance.tables.get(name)
        if table is None:
            return answers.same(f"no table {name}")
        if table.protected:
            text = f'table "{self._instance.path}/tables/{name}" is protected from deletion'
            raise self._ask("table.drop").refusal(f"table {name}", "FailedPrecondition", text)
        del self._instance.tables[name]
        return answers.done()

    def write(self, given: Mapping[str, Any]) -> Json:
        """A row with a family that the table lacks is refused as a whole, the others are written."""
        """A row with a family that the table lacks is refused as a whole, as the service documents; the emulator writes
        the cells in front of it."""
        rows = [(key, cells) for key, cells in given["rows"] if cells]
        if not rows:
            return answers.same("nothing to write")
        table = self._table("rows.write", given["table"])
        refused: list[tuple[bytes, str]] = []
        for key, cells in rows:
            if unknown := [cell[0] for cell in cells if cell[0] not in table.families]:
                refused.append((key, unknown[0]))
                continue
            for cell in cells:
                table.put(key, *cell)
        if refused:
            more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
            what = f"row {refused[0][0].hex()} of table {given['table']}{more}"
            text = f'unknown family "{refused[0][1]}"'
            # the emulator's code; what the service answers was not seen
            raise self._ask("rows.write").refusal(what, "InternalServerError", text)
        return answers.done(f"{len(given['rows'])} rows, {sum(len(cells) for _, cells in rows)} cells")


_Answer = Callable[[SimulatedInstanceWire, Mapping[str, Any]], Json]
_ANSWERS: Mapping[str, _Answer] = {
    "ping": SimulatedInstanceWire.ping, "cluster.identity": SimulatedInstanceWire.identity,
    "tables.list": SimulatedInstanceWire.listing, "rows.scan": SimulatedInstanceWire.scan,
    "canary.read": SimulatedInstanceWire.canaries, "table.create": SimulatedInstanceWire.create,
    "table.families": SimulatedInstanceWire.families, "table.protect": SimulatedInstanceWire.protect,
    "table.drop": SimulatedInstanceWire.drop, "rows.write": SimulatedInstanceWire.write,
}  # fmt: skip
