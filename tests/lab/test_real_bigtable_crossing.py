"""The whole crossing into Bigtable through the service: Google's real endpoint, live writes, every cell compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from bigtable_crossing import BigtableCrossing

from hbase_ferry.model.event import EventKind
from lab import BigtableLab

pytestmark = pytest.mark.lab


@dataclass
class Drain:
    """How fast a peer ships what it held back."""

    crossing: BigtableCrossing
    before: int = 0
    "operations acknowledged when the peer began to hold them back"
    held: int = 0
    operations: int = 0
    seconds: float = 0.0

    def begins(self) -> None:
        self.before = self.crossing.acknowledged()

    def is_over(self) -> None:
        """Counts what was held back; the peer is enabled next."""
        self.held = self.crossing.acknowledged() - self.before

    def measure(self) -> None:
        """Until the first heartbeats that show as many operations shipped as were held back."""
        service, peer = self.crossing.ferry.service, self.crossing.settings.peer_id
        enabled = next(e.at for e in service.events() if (e.kind, e.step) == (EventKind.INTENT, "enable-peer"))
        for look in service.sight.history:
            loads = look.load.current or ()
            shipped = sum(queue.ops_shipped or 0 for queue in look.queues(peer))
            reported = max((load.reported_ms for load in loads), default=0) / 1000
            if reported > enabled and shipped >= self.held:
                self.operations, self.seconds = shipped, reported - enabled
                return
        raise AssertionError(f"no look showed the {self.held} operations that were held back as shipped")

    def __str__(self) -> str:
        rate = self.operations / self.seconds
        return (
            f"drain: {self.held} writes held back, {self.operations} operations shipped "
            f"within {self.seconds:.1f} s of enable_peer, {rate:.0f} a second"
        )


def test_a_table_crosses_under_live_writes_and_every_cell_is_there(
    bigtable_lab: BigtableLab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crossing = BigtableCrossing(bigtable_lab, tmp_path, "a", rows=60_000)
    drain, table = Drain(crossing), crossing.table

    def scope_raised() -> None:
        drain.begins()
        crossing.assert_nothing_arrived()

    def history_copied() -> None:
        crossing.assert_held_back()
        drain.is_over()

    try:
        crossing.run(
            {
                f"scope:{table}": scope_raised,
                f"backfill:{table}": history_copied,
                "caught-up": drain.measure,
                f"verify:{table}": lambda: crossing.assert_only_converted("stop-writers"),
                f"final-verify:{table}": lambda: crossing.assert_only_converted("switch"),
            }
        )
        crossing.assert_crossed()
        kinds = ("puts", "overwrites", "deletes", "versions", "point_deletes")
        assert all(int(str(crossing.written[kind])) > 200 for kind in kinds), crossing.written
        assert drain.operations >= drain.held > 2_000
        with capsys.disabled():
            print(f"\n{drain}; in all {crossing.written}")
    finally:
        crossing.close()
