"""What of the counters is put on record, of the migration's peer and of its dry run's, and what is read from it."""

from __future__ import annotations

import dataclasses

from bigtable_views import bigtable_peer, instance, look, metrics, page, there
from insight_views import RS1, T0, queue

from hbase_ferry.cluster.simulator.embedded_bigtable import BIGTABLE, CUSTOMERS, demo_bigtable_settings
from hbase_ferry.insight.bigtable import library
from hbase_ferry.migration.bigtable.kind import bigtable
from hbase_ferry.migration.bigtable.losses import (
    MEMORY,
    counters_now,
    dry_run_losses,
    failed_starts,
    not_started_since,
    remember,
)
from hbase_ferry.migration.bigtable.names import BigtableContext, dry_peer
from hbase_ferry.model.cluster import ClusterView, Observed
from hbase_ferry.model.view import Proof, View

SETTINGS = demo_bigtable_settings(tables=(CUSTOMERS,), bigtable=dataclasses.replace(BIGTABLE, dry_run=True))
DRY = dry_peer(SETTINGS.peer_id)
AGAIN = "rs1,16020,2"
"""RS1 in its next life."""


def counted(number: int, at: float, *, server: str = RS1, peer_id: str = DRY) -> ClusterView:
    """A look at one server on which the dry-run peer counted so many."""
    values = metrics(peer_id, **{library.DROPPED: number})
    return look(at, page(at, values, server=server), queues=[queue(server, peer_id)], peers=[bigtable_peer(peer_id)])


class Record:
    """A journal's proofs, as `Records` keeps them: of a memory only the newest, where it was written."""

    def __init__(self) -> None:
        self.proofs: list[Proof] = []
        self.looks: list[ClusterView] = []

    def view(self, source: ClusterView) -> View:
        return View(source.servers.at or T0, source, instance(there()), proofs=tuple(self.proofs))

    def begin(self, source: ClusterView) -> None:
        view = self.view(source)
        self.proofs.append(Proof("before-dry-run", DRY, view.at, counters_now(view, DRY)))

    def see(self, *looks: ClusterView) -> None:
        for source in looks:
            self.looks.append(source)
            for proof in remember(self.view(source), SETTINGS, self.looks):
                self.proofs = [p for p in self.proofs if (p.kind, p.subject) != (proof.kind, proof.subject)]
                self.proofs.append(proof)

    def result(self, source: ClusterView) -> dict[str, str]:
        ctx = BigtableContext(SETTINGS, "r1")
        return {loss.kind: loss.text for loss in dry_run_losses(ctx, self.view(source), {})}


def nothing_yet() -> ClusterView:
    return look(0, page(0, {}), queues=[queue(peer_id="other")])


def test_what_a_dry_run_counted_on_a_server_that_restarted_stays_and_the_server_is_named() -> None:
    record = Record()
    record.begin(nothing_yet())
    record.see(counted(2, 10), counted(5, 20), counted(1, 60, server=AGAIN))
    found = record.result(counted(1, 63, server=AGAIN))
    assert found["dropped"].startswith("at least 6 mutations")
    assert RS1 in found["gone"]


def test_each_dry_run_counts_anew() -> None:
    record = Record()
    record.begin(nothing_yet())
    record.see(counted(5, 10))
    left = {key: value for key, value in metrics(DRY, **{library.DROPPED: 5}).items() if "bigtable" in key}
    record.begin(look(30, page(30, left), queues=[queue(peer_id="other")]))
    record.see(counted(5, 40))
    assert "dropped" not in record.result(counted(5, 50))
    record.see(counted(7, 60))
    assert record.result(counted(7, 70))["dropped"].startswith("2 mutations")


def test_both_peers_are_kept_apart_and_nothing_is_kept_of_a_dry_run_that_was_not_begun() -> None:
    record = Record()
    record.see(counted(5, 10))
    assert not record.proofs
    record.begin(nothing_yet())
    record.see(counted(5, 10), counted(3, 20, peer_id=SETTINGS.peer_id))
    assert {p.subject: p.basis[f"{RS1}|{library.DROPPED}"] for p in record.proofs if p.kind == MEMORY} == {
        DRY: "5", SETTINGS.peer_id: "3",
    }  # fmt: skip


def test_since_when_an_endpoint_has_not_started_is_on_record_until_it_runs() -> None:
    record, peer_id = Record(), SETTINGS.peer_id
    down = look(0, page(0, {}), queues=[queue(peer_id=peer_id, running=False)], peers=[bigtable_peer(peer_id)])
    record.see(down, dataclasses.replace(down, load=Observed(down.load.value, T0 + 90)))
    assert not_started_since(record.view(down), peer_id) == {RS1: str(int(T0))}
    record.see(counted(0, 120, peer_id=peer_id))
    assert not_started_since(record.view(down), peer_id) == {}


def test_a_start_that_failed_stays_on_record_after_the_endpoint_runs() -> None:
    record, peer_id = Record(), SETTINGS.peer_id
    down = look(0, page(0, {}), queues=[queue(peer_id=peer_id, running=False)], peers=[bigtable_peer(peer_id)])
    record.see(down, dataclasses.replace(down, load=Observed(down.load.value, T0 + 20)))
    assert failed_starts(record.view(down)) == (), "it may only take its time"
    record.see(dataclasses.replace(down, load=Observed(down.load.value, T0 + 40)), counted(0, 120, peer_id=peer_id))
    assert failed_starts(record.view(down)) == (RS1,)
    again = Record()
    again.see(down)
    again.looks.clear()  # another process; what was between is not known
    again.see(dataclasses.replace(down, load=Observed(down.load.value, T0 + 900)))
    assert failed_starts(again.view(down)) == ()


def test_another_peer_s_class_that_does_not_start_leaks_no_connection() -> None:
    record, peer_id = Record(), SETTINGS.peer_id
    other = bigtable_peer(peer_id, endpoint="org.example.Endpoint")
    down = look(0, page(0, {}), queues=[queue(peer_id=peer_id, running=False)], peers=[other])
    record.see(down, dataclasses.replace(down, load=Observed(down.load.value, T0 + 90)))
    assert failed_starts(record.view(down)) == ()


def test_a_failed_start_on_record_explains_a_loop_to_a_process_that_never_saw_it() -> None:
    values = [metrics(SETTINGS.peer_id, tried=n * 12_000, read=11) for n in (1, 2)]
    looks = [look(n * 10, page(n * 10, v), peers=[bigtable_peer(SETTINGS.peer_id)],
                  queues=[queue(peer_id=SETTINGS.peer_id)]) for n, v in enumerate(values)]  # fmt: skip
    record = Record()
    record.proofs.append(Proof("cursor.failed-starts", SETTINGS.peer_id, T0, {RS1: str(int(T0))}))
    told = {cause.name for cause in bigtable().causes(SETTINGS.peer_id, looks, record.view(looks[-1]))}
    assert "leaked connection" in told
    record.proofs.clear()
    told = {cause.name for cause in bigtable().causes(SETTINGS.peer_id, looks, record.view(looks[-1]))}
    assert "leaked connection" not in told
