"""One crossing from the real source into the Bigtable emulator, and what must be true on the way and at its end."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from pathlib import Path

from lab.bigtable import compare_cells
from real_crossing import Crossing
from waiting import wait_until

from hbase_ferry.insight.bigtable.ledger import Loss
from hbase_ferry.migration.bigtable.losses import losses
from hbase_ferry.migration.bigtable.names import BigtableContext
from hbase_ferry.model.event import EventKind
from hbase_ferry.model.view import View
from lab import BigtableLab

_OPERATIONS = frozenset("poxfcsq")
"""What begins a ledger's line of one operation on one row; lab/java/Ledger.java."""


class BigtableCrossing(Crossing):
    """From the lab's source cluster into its emulator, through Google's endpoint."""

    def __init__(
        self,
        lab: BigtableLab,
        folder: Path,
        name: str,
        *,
        rows: int,
        verify: Mapping[str, object] | None = None,
        **bigtable: object,
    ) -> None:
        self.lab = lab
        workload = lab.workload(name, table=f"ferry_{name}")
        yaml = lab.config_yaml(
            tables=[workload.table],
            name=name,
            peer_id=f"ferry_{name}",
            journal=str(folder / f"{name}.journal"),
            verify=dict(verify or {}),
            bigtable={"compare": {"rows_per_range": 2_000, "recheck_seconds": 10}, **bigtable},
        )
        super().__init__(workload, rows, yaml)

    def close(self) -> None:
        """A crossing that failed leaves no peer behind: another test's would share its connection."""
        peers = self.ferry.service.view.source.peers.value or ()
        super().close()
        for peer in peers:
            if peer.id in self._peers:
                self.lab.set_peer(peer.id, "remove")

    @property
    def _peers(self) -> tuple[str, str]:
        return self.settings.peer_id, f"{self.settings.peer_id}_dry"

    # ---- what the writer and the ledgers say

    def acknowledged(self, since_ms: int = 0) -> int:
        """How many of the writer's operations the servers acknowledged, of those with such a timestamp or a later."""
        found, batch = 0, 0
        for line in self.workload.ledger.read_text().splitlines():
            kind, *rest = line.split()
            if kind in _OPERATIONS:
                batch += int(rest[1]) >= since_ms
            elif kind in ("a", "u"):
                found, batch = found + batch * (kind == "a"), 0
        return found

    def losses(self) -> tuple[Loss, ...]:
        """The loss ledger as of a fresh look."""
        service = self.ferry.service
        return losses(BigtableContext(self.settings, service.run_id, service.clock), service.observe())

    def sent_to_peers(self) -> list[tuple[str, str]]:
        """(method, peer id) of every action on a peer that was answered, in order."""
        sent = [event.data for event in self.ferry.service.events() if event.kind is EventKind.SENT]
        found = [(str(data.get("method", "")), data.get("params")) for data in sent]
        return [(m, str(p["id"])) for m, p in found if m.startswith("peer.") and isinstance(p, dict)]

    # ---- on the way

    def assert_nothing_arrived(self) -> None:
        """The target's table is empty, though the source takes writes that carry the scope."""
        before = self.acknowledged()
        wait_until(lambda: self.acknowledged() > before + 500, 60, "writes after the scope was raised")
        arrived = list(itertools.islice(self.lab.emulator.instance.rows(self.table), 1))
        assert not arrived, f"{arrived} came although the peer is disabled and nothing was copied"

    def assert_held_back(self) -> None:
        """Of what was written after the history was copied nothing is on the target."""
        copied_ms = int(time.time() * 1000)
        wait_until(lambda: self.acknowledged(copied_ms) > 500, 60, "writes after the copy")
        newest = max(us for _, cells in self.lab.emulator.instance.rows(self.table) for _, _, us in cells)
        assert newest < copied_ms * 1000, "a write that only the peer could bring arrived while it is disabled"

    def assert_only_converted(self, step: str) -> None:
        """Nothing was lost: the ledger informs of family deletes alone, and the step's gates are open."""
        found = self.losses()
        assert [loss.kind for loss in found] == ["converted"], [loss.text for loss in found]
        gates = self.ferry.service.preview(step).gates
        assert {gate.name for gate in gates if gate.warning} == {loss.gate for loss in found}
        assert not [gate.text for gate in gates if gate.open is not True and not gate.warning]

    # ---- at the end

    def assert_crossed(self) -> None:
        """What the issue demands after a crossing, each from the servers themselves."""
        service = self.ferry.service
        view = service.observe()
        assert service.plan.next(view) is None
        done = [event.step for event in service.events() if event.kind is EventKind.STEP_DONE]
        assert done == [step.id for step in service.plan.steps]
        on_source = self.workload.check(self.lab.source)
        assert not on_source.bad, str(on_source)
        compared = compare_cells(self.lab, self.table)
        assert not compared.differences, str(compared)
        assert compared.rows == on_source.scanned_rows == on_source.expected_rows > 0
        assert compared.cells > 2 * compared.rows
        self._assert_clean(view)

    def _assert_clean(self, view: View) -> None:
        source = view.source
        assert source.peers.current is not None and source.load.current
        assert not [peer for peer in self._peers if source.peer(peer) or source.queues(peer)]
        table = source.table(self.table)
        assert table is not None and {family.scope for family in table.families} == {0}
        assert not view.waivers, "nothing had to be accepted"
