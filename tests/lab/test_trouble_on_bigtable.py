"""Trouble on real servers: what Google's endpoint runs into, and what the product says of it, poll by poll.

Each test provokes it, waits until the servers themselves show it, and gives the product two polls to be right: words,
state, ledger and gates. Then it heals, and within two polls the product says so. The order saves restarts: what keeps
an endpoint from starting comes last, with two restarts of one region server. The module itself is the last of its
folder: whole cores spin here, and the deadlines of other tests with them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab.instance import Instance
from lab.places import LabError
from trouble import SERVERS, WORKS, Seen, Troubled
from waiting import wait_until

from hbase_ferry.errors import ConfigError
from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.lag import PeerState
from hbase_ferry.migration.bigtable.losses import failed_starts
from hbase_ferry.migration.config import parse
from hbase_ferry.migration.core import StepState
from lab import BigtableLab

pytestmark = pytest.mark.lab

DROPPED = {"dropped mutations"}
"""What stays among the causes once something was dropped: it stops nothing, and the sides differ for good."""
UNREACHABLE = "target unreachable"


@pytest.fixture(scope="module")
def live(bigtable_lab: BigtableLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Troubled]:
    """A table that crosses: its peer has caught up, and five writes a second go on."""
    crossing = Troubled(bigtable_lab, tmp_path_factory.mktemp("live"), "live")
    try:
        crossing.until("caught-up")
        crossing.workload.start(rate=5)
        yield crossing
    finally:
        crossing.close()


@pytest.fixture(scope="module")
def keys_in(bigtable_lab: BigtableLab) -> Iterator[Callable[[str], None]]:
    """Puts the library's keys elsewhere and restarts the second region server: core-site, hbase-site or none."""
    runs_with = ["core-site"]

    def restart(keys: str) -> None:
        bigtable_lab.configure(keys=keys)
        runs_with.append(keys)
        bigtable_lab.source.kill("server2")
        bigtable_lab.source.restart()

    yield restart
    if runs_with[-1] == "none":
        restart("core-site")
    bigtable_lab.configure(keys="core-site")


def lost(seen: Seen) -> dict[str, int]:
    """Losses by kind, without the family deletes that any deleteRow becomes."""
    return {kind: loss.count for kind, loss in seen.losses.items() if kind != "converted"}


def works(seen: Seen) -> bool:
    """Nothing stops the peer, and nothing of the schema keeps it from being enabled."""
    schema = [why for why in seen.closed["enable-peer"] if "spin" in why or "not seen" in why]
    return set(seen.causes) <= DROPPED and seen.truth.state in WORKS and not schema


def test_what_the_library_drops_or_clamps_closes_the_cutover_until_it_is_accepted(live: Troubled) -> None:
    before = live.comes_to("a peer that keeps up", works)
    assert not lost(before) and not before.causes and not before.closed["stop-writers"]
    live.workload.incompatible()
    seen = live.says(
        "two mutations dropped, two clamped",
        lambda: live.counter(library.DROPPED) == 2 and live.counter(library.FUTURE_PUTS) == 4,
        lambda seen: lost(seen) == {"dropped": 2, "timestamp-overflow": 2, "future-puts": 4},
    )
    assert set(seen.causes) == DROPPED and "dropped 2 mutations" in seen.causes["dropped mutations"].evidence
    assert seen.truth.state in WORKS, seen.truth.text
    dropped, clamped = seen.closed["stop-writers"]
    assert dropped.startswith("2 mutations that Bigtable cannot do were dropped") and "accept loss.dropped.2" in dropped
    assert clamped.startswith("2 puts carry a time that does not fit Bigtable")
    assert {dropped, clamped} <= set(seen.closed["switch"])
    for gate in ("loss.dropped.2", "loss.timestamp-overflow.2"):
        live.service.waive(gate, "these rows are known")
    assert not live.seen().closed["stop-writers"]


def test_what_is_lost_after_something_was_accepted_closes_the_cutover_again(live: Troubled) -> None:
    live.workload.incompatible("overflow")
    seen = live.says(
        "two more puts clamped",
        lambda: live.counter(library.OVERFLOW) == 4,
        lambda seen: lost(seen) == {"dropped": 2, "timestamp-overflow": 4, "future-puts": 7},
    )
    (again,) = seen.closed["stop-writers"]
    assert again.startswith("4 puts carry a time") and "accept loss.timestamp-overflow.4" in again
    live.service.waive("loss.timestamp-overflow.4", "these rows are known")
    assert not live.seen().closed["stop-writers"]


def test_a_target_that_hangs_is_no_missing_table_and_goes_on_by_itself(live: Troubled) -> None:
    emulator, table = live.lab.emulator, f"table:{live.table}"
    emulator.freeze()
    try:
        seen = live.says(
            "a look at the target that nobody answered",
            lambda: live.service.view.target.tables.error,
            lambda seen: next(iter(seen.causes)) == UNREACHABLE,
        )
        assert seen.steps[table].state is StepState.UNKNOWN, "what was not seen is not missing"
        assert any("not seen on both sides" in why for why in seen.closed["enable-peer"])
        seen = live.comes_to(
            "a stall, and its attempts",
            lambda seen: seen.truth.state is PeerState.STALLED
            and "target hung" in seen.causes
            and "once a client timeout (10 s)" in seen.causes["target hung"].evidence,
            45,
        )
        assert "nothing was shipped for" in seen.truth.text
        assert "does not answer hbase-ferry either" in seen.causes[UNREACHABLE].evidence, "its attempts were seen"
        assert not {"table missing", "permanent error"} & set(seen.causes)
        shipped = live.ships()
    finally:
        emulator.thaw()
    seen = live.says("shipping again", lambda: shipped() and not live.service.view.target.tables.error, works)
    assert seen.steps[table].state is StepState.DONE


def test_an_emulator_that_comes_back_empty_lacks_the_table_and_then_a_family(live: Troubled) -> None:
    emulator, table = live.lab.emulator, f"table:{live.table}"
    emulator.kill()
    seen = live.says("a refused target", lambda: not emulator.running, lambda seen: UNREACHABLE in seen.causes)
    assert "table missing" not in seen.causes
    seen = live.comes_to("a stall", lambda seen: seen.truth.state is PeerState.STALLED)
    assert next(iter(seen.causes)) == UNREACHABLE and "table missing" not in seen.causes
    emulator.restart()

    seen = live.says("a loop", live.tries(), lambda seen: _first(seen, "table missing"))
    assert seen.truth.state is PeerState.STALLED, "it never went on"
    assert f"lab-bigtable has no table {live.table}" in seen.causes["table missing"].evidence
    assert any(f"has no table {live.table}: the peer would spin" in why for why in seen.closed["enable-peer"])
    assert seen.steps[table].state is StepState.READY and seen.steps["switch"].state is StepState.LATER
    assert lost(seen) == {"dropped": 2, "timestamp-overflow": 4, "future-puts": 7}, "attempts are no losses"
    live.comes_to("what it costs", lambda seen: _stalls(seen, "table missing"))

    emulator.instance.create(live.table, {"d": 3})
    seen = live.says("a loop", live.tries(), lambda seen: _first(seen, "family missing"))
    assert f"{live.table} on lab-bigtable lacks family m" in seen.causes["family missing"].evidence
    assert any("lacks family m: the peer would spin" in why for why in seen.closed["enable-peer"])
    assert seen.steps[table].state is not StepState.DONE and seen.steps["switch"].state is StepState.LATER
    live.comes_to("a stall", lambda seen: _stalls(seen, "family missing"))

    shipped = live.ships()
    assert any("this migration did not create it" in why for why in seen.closed[table]), "its rows are gone"
    live.service.waive(f"target.foreign.{live.table}.2", "created by hand, and meant for this")
    live.do(table)
    seen = live.says("shipping again", shipped, works)
    assert seen.steps[table].state is StepState.DONE
    assert seen.losses["dropped"].at_most and not seen.closed["stop-writers"], "attempts count, two are accepted"


def _first(seen: Seen, why: str) -> bool:
    """Whether that comes first and that nothing ships, and nothing contradicts it."""
    wrong = {"target hung", "permanent error", "slow target", UNREACHABLE} & set(seen.causes)
    return next(iter(seen.causes), "") == why and "and ships nothing" in seen.causes[why].evidence and not wrong


def _stalls(seen: Seen, why: str) -> bool:
    """Whether nothing was shipped for ten seconds, with what the loop costs."""
    costs = "which costs up to" in seen.causes[why].evidence
    return _first(seen, why) and costs and seen.truth.state is PeerState.STALLED


def test_a_peer_that_pauses_under_its_bandwidth_limit_is_neither_stalled_nor_is_its_target_hung(
    bigtable_lab: BigtableLab, tmp_path: Path
) -> None:
    crossing = Troubled(bigtable_lab, tmp_path, "limited", peer_bandwidth=20_000)
    try:
        crossing.until("enable-peer")
        crossing.workload.start(rate=500)
        seen = crossing.comes_to("a pause longer than a stall", _pauses, 120)
        assert set(seen.causes) == {"bandwidth limit"}
        assert "may ship 19.5 KB/s from each region server" in seen.causes["bandwidth limit"].evidence
    finally:
        crossing.close()


def _pauses(seen: Seen) -> bool:
    """Whether a server has shipped nothing for longer than a stall takes; until then nothing is called wrong."""
    assert seen.truth.state is not PeerState.STALLED and "target hung" not in seen.causes, seen
    said = any("bandwidth limit allows for up to 55 min" in line for line in seen.truth.evidence)
    return said and seen.truth.state is PeerState.CATCHING_UP


def test_a_table_in_a_namespace_is_refused_beforehand_and_named_where_a_peer_has_one(
    bigtable_lab: BigtableLab, tmp_path: Path
) -> None:
    lab, table = bigtable_lab, "ferry:spaced"
    with pytest.raises(ConfigError, match=f"table {table} lies in a namespace, and Bigtable has none"):
        parse(lab.config_yaml(tables=[table]))
    crossing = Troubled(lab, tmp_path, "spaced", moves="lab_orders")
    try:
        lab.add_peer(crossing.peer, table)
        lab.set_scope(table)
        lab.set_peer(crossing.peer, "enable")
        crossing.ferry.start()
        crossing.comes_to("a first look", lambda seen: seen.view.source.servers.current, 90)
        lab.workload("more", table=table).load(40)
        seen = crossing.says("a loop", crossing.tries(), lambda seen: _first(seen, "namespaced table"))
        assert seen.causes["namespaced table"].remedy == f"take {table} out of the peer's table CFs"
        assert "table missing" not in seen.causes, "nobody is told to create what cannot be"
        assert any(f"it ships {table}, " in why for why in seen.closed["preflight"]), seen
        seen = crossing.comes_to("a stall", lambda seen: seen.truth.state is PeerState.STALLED)
        assert set(seen.causes) == {"namespaced table"}

        shipped = crossing.ships()
        lab.emulator.instance.create(table, {"d": 3, "m": 3})
        seen = crossing.says("an emulator that takes any name", shipped, lambda seen: seen.truth.state in WORKS)
        assert set(seen.causes) == {"namespaced table"}, "the service would not take it"
        assert "again and again" not in seen.causes["namespaced table"].evidence

        list(crossing.service.remove_peer_now(crossing.peer, crossing.peer))
        seen = crossing.comes_to("no peer", lambda seen: not seen.causes)
        assert seen.truth.text == f"peer {crossing.peer} does not exist on lab-source"
    finally:
        crossing.close()


def test_a_server_that_lost_its_project_key_is_named_with_the_time_it_has_left(
    live: Troubled, keys_in: Callable[[str], None]
) -> None:
    lost_before = lost(live.poll())
    keys_in("none")
    seen = live.says(
        "an endpoint that does not start",
        lambda: live.counter(library.INITIALIZING, "server2"),
        lambda seen: list(seen.causes)[:2] == ["endpoint not started", "site keys missing"],
    )
    stuck = f"localhost,{live.lab.source.ports['server2']},"
    first, second = seen.causes["endpoint not started"], seen.causes["site keys missing"]
    assert f"on 1 region server: {stuck}" in first.evidence and "lag 0 means nothing" in first.evidence
    assert "abort in 1 min " in first.remedy, "82 s with the lab's retries"
    assert stuck in second.evidence and f"runs without {library.PROJECT}, {library.INSTANCE}" in second.evidence
    (why,) = [why for why in seen.closed["preflight"] if library.PROJECT in why]
    assert stuck in why and f"{library.PROJECT} is not set and should be lab-project" in why
    assert lost(seen) == {**lost_before, "gone": 1, "unread": 1}, "neither its earlier life nor this one is counted"
    assert any("1 region server ended since" in why for why in seen.closed["stop-writers"])
    assert "is not running" in (live.service.plan.step("drained").waiting_for(seen.view) or "")
    seen = live.comes_to("a stall", lambda seen: seen.truth.state is PeerState.STALLED)
    assert "its source is not running" in seen.truth.text and "on 1 of 2 servers" in seen.truth.text

    keys_in("hbase-site")
    seen = live.says("an endpoint that runs", lambda: live.started("server2"), works)
    assert not any(library.PROJECT in why for why in seen.closed["preflight"])
    assert lost(seen) == {**lost_before, "gone": 2}, "what it counted in its first life stays, and two lives ended"


def test_a_dry_run_s_config_needs_the_keys_in_core_site_and_then_counts_and_ships_nothing(
    bigtable_lab: BigtableLab, live: Troubled, tmp_path: Path
) -> None:
    live.close()  # its connection would serve the dry run's peer too
    bigtable_lab.configure(keys="hbase-site")
    crossing = Troubled(bigtable_lab, tmp_path, "dry", peer="ferry_dry_dry", dry_run=True, dry_run_seconds=2)
    stop, servers = threading.Event(), [bigtable_lab.source.ports[server] for server in SERVERS]
    adding = threading.Thread(target=_attempt, args=(crossing, "dry-run", stop), daemon=True)
    try:
        crossing.until(f"scope:{crossing.table}")
        adding.start()
        seen = crossing.says(
            "endpoints that do not start",
            lambda: all(crossing.counter(library.INITIALIZING, server) for server in SERVERS),
            lambda seen: list(seen.causes) == ["endpoint not started", "per-peer CONFIG"]
            and "2 region servers" in seen.causes["endpoint not started"].evidence
            and "its source is not running" in seen.truth.text,
        )
        assert all(f"localhost,{port}," in seen.causes["endpoint not started"].evidence for port in servers)
        told = seen.causes["per-peer CONFIG"]
        assert "peer ferry_dry_dry has a CONFIG" in told.evidence and "needs no restart" in told.remedy
        assert any("its endpoint does not start" in why for why in seen.closed["preflight"])
        assert seen.truth.state not in WORKS
        seen = crossing.comes_to("a peer that was enabled", lambda seen: seen.steps["dry-run"].waiting)
        assert "does not run on localhost," in f"{seen.steps['dry-run'].waiting} {seen.steps['dry-run'].failure}"
        stop.set()
        adding.join(30)

        # as the remedy says: the file, the peer anew, and no restart
        bigtable_lab.configure(keys="core-site")
        list(crossing.service.undo("dry-run"))
        crossing.do("dry-run")
        seen = crossing.says("endpoints that run", lambda: all(map(crossing.started, SERVERS)), works)
        assert not any("endpoint" in why for why in seen.closed["preflight"])

        crossing.workload.incompatible()
        wait_until(lambda: crossing.counter(library.FUTURE_PUTS) == 4, 30, "every write counted")
        crossing.do("dry-run-count")
        result = crossing.service.view.proof("dry-run", "ferry_dry_dry")
        assert result is not None
        for line in ("2 mutations that Bigtable cannot do were dropped", "2 puts carry a time that does not", "4 puts"):
            assert line in result.note
        seen = crossing.poll()
        assert not lost(seen) and not seen.closed["stop-writers"], "a dry run loses nothing"
        assert not list(bigtable_lab.emulator.instance.rows(crossing.table)), "a dry run sends nothing"
        crossing.do("dry-run-remove")
        seen = crossing.comes_to("no peer", lambda seen: not seen.causes)
        assert seen.steps["roll-wals"].state is StepState.READY
    finally:
        stop.set()
        if adding.is_alive():
            adding.join(30)
        crossing.close()


def _attempt(crossing: Troubled, step: str, stop: threading.Event) -> None:
    with contextlib.suppress(AssertionError):  # the operator stops it
        crossing.do(step, stop)


def test_the_one_connection_of_a_server_is_named_while_it_is_shared_and_after_it_was_leaked(
    bigtable_lab: BigtableLab, tmp_path: Path, keys_in: Callable[[str], None]
) -> None:
    lab, elsewhere = bigtable_lab, "lab-elsewhere"
    crossing = Troubled(lab, tmp_path, "elsewhere", instance=elsewhere)
    wanted = {library.INSTANCE: elsewhere}
    server = f"localhost,{lab.source.ports['server2']},"
    Instance(lab.emulator.address, f"projects/{lab.project}/instances/{elsewhere}").create(
        crossing.table, {"d": 3, "m": 3}
    )
    try:
        lab.set_scope(crossing.table)
        keys_in("hbase-site")  # where a CONFIG makes the start fail, on the server that is new
        lab.add_peer(crossing.peer, crossing.table, config=wanted)
        lab.set_peer(crossing.peer, "enable")
        crossing.ferry.start()
        crossing.comes_to(
            "a start that failed", lambda seen: any(server in name for name in failed_starts(seen.view)), 60
        )
        lab.configure(keys="core-site")
        lab.set_peer(crossing.peer, "remove")

        lab.add_peer("first", crossing.table)
        lab.set_peer("first", "enable")
        wait_until(lambda: lab.replication_bean("server2").get("source.first.sizeOfLogQueue"), 60, "the first peer")
        lab.add_peer(crossing.peer, crossing.table, config=wanted)
        lab.set_peer(crossing.peer, "enable")
        seen = crossing.comes_to("a second peer", lambda seen: "shared connection" in seen.causes)
        told = seen.causes["shared connection"]
        assert "peer first ships to Bigtable too" in told.evidence and library.INSTANCE in told.evidence

        lab.set_peer("first", "remove")
        wait_until(lambda: crossing.started("server2"), 60, "an endpoint that runs")
        crossing.workload.load(40)
        seen = crossing.comes_to("a loop", lambda seen: "leaked connection" in seen.causes, 40)
        assert server in seen.causes["leaked connection"].evidence and "shared connection" not in seen.causes
        assert "tables and families are there" in seen.causes["permanent error"].evidence
    finally:
        crossing.close()
        for peer in ("first", crossing.peer):
            with contextlib.suppress(LabError):
                lab.set_peer(peer, "remove")
