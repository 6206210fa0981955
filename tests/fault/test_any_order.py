"""Any order of doing, undoing, leaving, faults and the red button: a final comparison that passes never lies.

The simulated tables themselves are compared, whatever any tool said of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hbase_ferry.cluster.simulator.embedded import embedded_pair
from hbase_ferry.errors import FerryError
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import EventKind
from migration.embedded import ORDERS, Crossing

FAULTS = (
    (Side.SOURCE, "server_dies", {"server": 1}),
    (Side.SOURCE, "roll", {}),
    (Side.TARGET, "region_moves", {"table": ORDERS, "region": 0, "to": 1}),
    (Side.SOURCE, "region_moves", {"table": ORDERS, "region": 3, "to": 2}),
)
LASTING = (
    (Side.TARGET, "unreachable"),
    (Side.SOURCE, "unreachable"),
    (Side.TARGET, "network"),
    (Side.TARGET, "frozen"),
)

EXAMPLES = 8
moves = st.lists(
    st.one_of(
        st.tuples(st.just("on"), st.integers(1, 12)),
        st.tuples(st.just("leave"), st.integers(1, 9)),
        st.tuples(st.just("undo"), st.integers(1, 6)),
        st.tuples(st.just("out of turn"), st.integers(0, 40)),
        st.tuples(st.just("red button"), st.just(0)),
        st.tuples(st.just("fault"), st.integers(0, len(FAULTS) - 1)),
        st.tuples(st.just("away"), st.integers(0, len(LASTING) - 1)),
        st.tuples(st.just("job fails"), st.just(0)),
        st.tuples(st.just("write again"), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from((5, 60, 300))),
    ),
    min_size=3,
    max_size=9,
)


class Operator:
    """Somebody who does anything, and looks after each step whether a passed comparison was true."""

    def __init__(self, folder: Path) -> None:
        self.crossing = Crossing(folder)
        self.crossing.settings = dataclasses.replace(self.crossing.settings, poll_seconds=4.0)
        self.crossing.gates(canary_timeout_seconds=40.0)
        self.crossing.world = embedded_pair(7, self.crossing.clock, rate=30.0, busy=False)
        self.service = self.crossing.service()
        self.proved = self.passed = 0

    def do(self, move: str, number: int) -> None:
        with contextlib.suppress(FerryError):
            getattr(self, "_" + move.replace(" ", "_"))(number)
        self._look()

    def _look(self) -> None:
        for event in self.service.events(self.proved):
            self.proved = event.number
            if event.kind is EventKind.STEP_DONE and event.step == f"final-verify:{ORDERS}":
                self.passed += 1
                assert self.crossing.differences() == 0, "a comparison passed over tables that differ"

    def _walk(self, steps: int) -> Iterator[None]:
        for _ in range(steps):
            step = self.service.plan.next(self.service.observe())
            if step is None:
                return
            for _event in self.service.execute(step.id, self.service.preview(step.id).confirmation.expected):
                yield
            self._look()

    def _on(self, steps: int) -> None:
        for _ in self._walk(steps):
            pass

    def _leave(self, events: int) -> None:
        walk = self._walk(40)
        for _, _event in zip(range(events), walk, strict=False):
            pass
        walk.close()  # type: ignore[attr-defined]
        self.service.close()
        self.service = self.crossing.service()

    def _undo(self, steps: int) -> None:
        for step in reversed(self.service.plan.steps):
            preview = self.service.preview(step.id, self.service.observe())
            if preview.undo and steps:
                steps -= 1
                list(self.service.undo(step.id, preview.undo_confirmation.expected))

    def _out_of_turn(self, number: int) -> None:
        steps = self.service.plan.steps
        step = steps[number % len(steps)]
        list(self.service.execute(step.id, self.service.preview(step.id).confirmation.expected))

    def _red_button(self, _: int) -> None:
        list(self.service.remove_peer_now("ferry_orders", "ferry_orders"))

    def _fault(self, number: int) -> None:
        side, kind, details = FAULTS[number]
        cluster = self.crossing.world.clusters[side]
        if ORDERS in cluster.tables and (kind != "server_dies" or cluster.servers[1].alive):
            self.crossing.world.fault(side, kind, **details)

    def _away(self, number: int) -> None:
        side, kind = LASTING[number]
        self.crossing.world.fault(side, kind)
        try:
            self._on(2)
        finally:
            self.crossing.world.heal(side, kind)

    def _job_fails(self, _: int) -> None:
        for job in self.service.observe().jobs.values():
            self.crossing.world.jobs.fail(job.side, job.id)

    def _write_again(self, _: int) -> None:
        self.crossing.world.start_writers(Side.SOURCE)
        self.crossing.clock.sleep(5)

    def _wait(self, seconds: int) -> None:
        self.crossing.clock.sleep(seconds)

    def to_the_comparison(self) -> None:
        """From wherever the moves led, as far as it goes."""
        for _ in range(40):
            step = self.service.plan.next(self.service.observe())
            if step is None or step.id == "switch":
                return
            before = len(self.service.events())
            self.do("on", 1)
            if not any(e.kind is EventKind.STEP_DONE for e in self.service.events()[before:]):
                self.crossing.clock.sleep(60)
                self.do("undo", 0 if "restore" not in step.id else 1)


def test_a_passed_final_comparison_is_true_whatever_came_before() -> None:
    compared: list[bool] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.integers(1, 20), moves)
    def live(begun: int, chosen: list[tuple[str, int]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            operator = Operator(Path(folder))
            for move, number in (("on", begun), *chosen):
                operator.do(move, number)
            operator.to_the_comparison()
            compared.append(operator.passed > 0)
            operator.service.close()

    live()
    assert sum(compared) >= EXAMPLES // 2, f"{sum(compared)} of {len(compared)} lives came as far as a comparison"
