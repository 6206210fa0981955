"""A table that the instance lost and that is created again has no history: it is copied anew, before all else."""

from __future__ import annotations

from dataclasses import replace

from hbase_ferry import wiring
from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.embedded_bigtable import BIGTABLE, CUSTOMERS, demo_bigtable_settings
from hbase_ferry.cluster.simulator.embedded_bigtable import embedded_bigtable as pair
from hbase_ferry.migration.bigtable.settings import BackfillEngine, BackfillSettings
from hbase_ferry.migration.core import StepState
from hbase_ferry.migration.service import MigrationService

START = 1_800_000_000.0


class Lossy:
    """A crossing of the small table whose instance can lose it."""

    def __init__(self, backfill: BackfillSettings | None = None) -> None:
        clock = SteppingClock(START)
        self.world = pair(7, clock, busy=False)
        own = replace(BIGTABLE, backfill=backfill or BackfillSettings(rows_per_range=700))
        settings = demo_bigtable_settings(tables=(CUSTOMERS,), bigtable=own)
        self.ferry = wiring.build(settings, acting=True, clock=clock, world=self.world)
        self.service: MigrationService = self.ferry.service

    def run(self, until: str) -> None:
        for step in self.service.plan.steps:
            if self.state(step.id) is not StepState.DONE:
                list(self.service.execute(step.id, step.confirm_name))
            if step.id == until:
                return

    def state(self, step_id: str) -> StepState:
        return next(s.state for s in self.service.status(self.service.observe()) if s.step.id == step_id)

    def lose(self) -> None:
        assert self.world.instance is not None
        del self.world.instance.tables[CUSTOMERS]

    def rows(self) -> int:
        assert self.world.instance is not None
        return len(self.world.instance.tables[CUSTOMERS].rows)


def test_a_table_lost_after_its_history_was_copied_gets_it_again() -> None:
    crossing = Lossy()
    crossing.run("caught-up")
    before = crossing.rows()
    crossing.lose()
    crossing.run(f"table:{CUSTOMERS}")
    assert crossing.rows() < before and crossing.state("caught-up") is StepState.LATER
    crossing.run("caught-up")
    assert crossing.rows() >= before
    assert sum(proof.kind == "backfilled" for proof in crossing.service.view.proofs) == 2


def test_the_peer_ships_nothing_while_the_history_is_copied_again() -> None:
    crossing = Lossy()
    crossing.run("caught-up")
    crossing.lose()
    crossing.run("queues")
    peer = crossing.service.view.source.peer("ferry_orders")
    assert peer is not None and not peer.enabled
    assert crossing.state(f"backfill:{CUSTOMERS}") is StepState.READY


def test_the_jobs_of_the_second_copy_are_other_ones_than_those_of_the_first() -> None:
    jar = BackfillSettings(BackfillEngine.IMPORT, jar="/opt/beam.jar", export_dir="gs://b/f", region="r")
    crossing = Lossy(jar)
    crossing.run("queues")
    step = crossing.service.plan.step(f"backfill:{CUSTOMERS}")
    first = {effect.action.params["id"] for effect in step.effects(crossing.service.observe())}
    crossing.lose()
    crossing.run(f"table:{CUSTOMERS}")
    second = {effect.action.params["id"] for effect in step.effects(crossing.service.observe())}
    assert len(first) == len(second) == 2 and not first & second
