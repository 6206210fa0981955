"""The same on the way to an instance: any order of doing, undoing, leaving, faults and the red button."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fault.test_any_order import LASTING, Operator, moves
from hbase_ferry.cluster.simulator.embedded_bigtable import CUSTOMERS, embedded_bigtable
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import EventKind
from migration.embedded import Crossing, bigtable_settings

FAULTS = (
    (Side.SOURCE, "server_dies", {"server": 1}),
    (Side.SOURCE, "roll", {}),
    (Side.SOURCE, "region_moves", {"table": CUSTOMERS, "region": 0, "to": 2}),
    (Side.SOURCE, "region_moves", {"table": CUSTOMERS, "region": 3, "to": 1}),
)
EXAMPLES = 6


class ToInstance(Operator):
    """Who does anything on the way to an instance."""

    def __init__(self, folder: Path) -> None:
        self.crossing = Crossing(folder, dataclasses.replace(bigtable_settings(), poll_seconds=4.0))
        self.crossing.gates(canary_timeout_seconds=40.0)
        self.crossing.world = embedded_bigtable(7, self.crossing.clock, busy=False)
        self.service = self.crossing.service()
        self.proved = self.passed = 0

    def _look(self) -> None:
        for event in self.service.events(self.proved):
            self.proved = event.number
            if event.kind is EventKind.STEP_DONE and event.step == f"final-verify:{CUSTOMERS}":
                self.passed += 1
                assert self.crossing.differences(CUSTOMERS) == 0, "a comparison passed over tables that differ"

    def _fault(self, number: int) -> None:
        side, kind, details = FAULTS[number]
        servers = self.crossing.world.clusters[side].servers
        if kind != "server_dies" or servers[1].alive:
            self.crossing.world.fault(side, kind, **details)

    def _job_fails(self, _: int) -> None:
        """No job runs here; the instance loses the table instead."""
        assert self.crossing.world.instance is not None
        self.crossing.world.instance.tables.pop(CUSTOMERS, None)

    def to_the_comparison(self) -> None:
        """From wherever the moves led, as far as it goes; what does not go on is taken back and begun anew."""
        for _ in range(60):
            step = self.service.plan.next(self.service.observe())
            if step is None or step.id == "switch":
                return
            if step.id == "drained":
                self.crossing.world.stop_writers()
            self._accept_losses()
            before = len(self.service.events())
            self.do("on", 1)
            if not any(e.kind is EventKind.STEP_DONE for e in self.service.events()[before:]):
                self.crossing.clock.sleep(60)
                self.do("undo", 9)

    def _accept_losses(self) -> None:
        """A server that died took its counters along: somebody read its log. Differences are never accepted."""
        for gate in self.service.preview("stop-writers").gates:
            if gate.waivable and gate.name not in self.service.view.waivers:
                self.service.waive(gate.name, "nothing in that server's log")


def test_a_passed_final_comparison_with_an_instance_is_true_whatever_came_before() -> None:
    compared: list[bool] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.integers(1, 16), moves)
    def live(begun: int, chosen: list[tuple[str, int]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            operator = ToInstance(Path(folder))
            for move, number in (("on", begun), *chosen):
                operator.do(move, number)
            operator.to_the_comparison()
            compared.append(operator.passed > 0)
            operator.service.close()

    live()
    assert len(LASTING) == 4 and sum(compared) >= EXAMPLES // 2, f"{sum(compared)} of {len(compared)} came to an end"
