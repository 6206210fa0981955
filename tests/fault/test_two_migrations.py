"""Two migrations with journals of their own meet on one peer id: the second never takes the first one's over."""

from __future__ import annotations

from pathlib import Path

import pytest

from hbase_ferry.errors import Refused, StepFailed
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.model.event import EventKind
from migration.embedded import ORDERS, Crossing, run


def pair(folder: Path) -> tuple[Crossing, MigrationService, Crossing, MigrationService]:
    """Two hbase-ferry with the same settings on the same clusters, each with its own journal and run id."""
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    first, second = Crossing(folder / "one"), Crossing(folder / "two")
    second.world, second.clock = first.world, first.clock
    second.run_id = "f00d00"
    return first, first.service(), second, second.service()


def sent(service: MigrationService) -> list[str]:
    return [str(e.data["method"]) for e in service.events() if e.kind is EventKind.INTENT]


EARLY = ("add-peer", f"export:{ORDERS}")


@pytest.mark.parametrize("until", [*EARLY, "drained"])
def test_a_second_migration_does_not_take_over_a_peer_that_another_one_added(
    tmp_path: Path, until: str
) -> None:
    crossing, first, _, second = pair(tmp_path)
    run(first, until)
    why = "was not added by this migration" if until in EARLY else "emr6 already has shop:orders"
    with pytest.raises(Refused, match=why):
        run(second, "add-peer")
    assert "peer.add" not in sent(second)
    for step in ("add-peer", "enable-peer"):
        with pytest.raises(Refused, match="nothing to undo"):
            list(second.undo(step, "ferry_orders"))
    assert not {"peer.remove", "peer.disable"} & set(sent(second))
    peer = first.observe().source.peer("ferry_orders")
    assert peer is not None and peer.enabled == (until in ("caught-up", "drained"))
    run(first)
    assert crossing.differences() == 0


def test_two_migrations_that_add_the_same_peer_at_once_make_one_and_only_one_goes_on(tmp_path: Path) -> None:
    """Both saw that there is no such peer; HBase refuses the later call, and its sender keeps off for good."""
    crossing, first, again, second = pair(tmp_path)
    run(first, "namespaces")
    run(second, "namespaces")
    late = second.execute("add-peer", "ferry_orders")
    for event in late:
        if event.kind is EventKind.INTENT:
            list(first.execute("add-peer", "ferry_orders"))
            break
    with pytest.raises(StepFailed, match="already exists"):
        list(late)
    second.close()
    with pytest.raises(Refused, match="was not added by this migration"):
        list(again.service().execute("add-peer", "ferry_orders"))
    run(first)
    assert crossing.differences() == 0


def test_a_peer_whose_journal_was_lost_is_taken_over_only_with_a_reason(tmp_path: Path) -> None:
    crossing, first, _, second = pair(tmp_path)
    run(first, "queues")
    first.close()
    run(second, "namespaces")
    with pytest.raises(Refused, match=r"accept gate peer\.ours"):
        list(second.execute("add-peer", "ferry_orders"))
    second.waive("peer.ours", "the journal of the first run was lost with its disk")
    run(second)
    assert crossing.differences() == 0


def test_a_peer_that_somebody_added_after_the_red_button_is_not_ours(tmp_path: Path) -> None:
    crossing, first, _, second = pair(tmp_path)
    run(first, "queues")
    list(first.remove_peer_now("ferry_orders", "ferry_orders"))
    crossing.clock.sleep(30)
    run(second, "add-peer")
    with pytest.raises(Refused, match="was not added by this migration"):
        list(first.execute("add-peer", "ferry_orders"))
    run(second)
    assert crossing.differences() == 0
