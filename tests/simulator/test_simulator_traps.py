"""HBase's replication traps, each as a real server showed it."""

from __future__ import annotations

import itertools

from simulated_pair import ORDERS, SOURCE, TARGET, Pair

from hbase_ferry.cluster.simulator.embedded import create_table
from hbase_ferry.cluster.simulator.rows import Rows


def busy_peer() -> Pair:
    """A crossing that is caught up and streaming."""
    pair = Pair()
    pair.cross()
    pair.wait(60)
    return pair


def test_a_disabled_peer_reports_running_and_lag_zero_with_twenty_minutes_of_backlog() -> None:
    pair = busy_peer()
    before = pair.queues()
    pair.call(SOURCE, "peer.disable", id="f")
    pair.wait(1200)
    queues = pair.queues()
    assert len(queues) == 3
    assert all(queue.running and queue.lag_ms == 0 for queue in queues)
    assert all(queue.size > 15 for queue in queues)
    assert [queue.edits_read for queue in queues] >= [queue.edits_read for queue in before]
    assert all(queue.last_shipped_ms == 0 and queue.has_edits_since_restart is False for queue in queues)
    frozen = [(queue.edits_read, queue.ops_shipped, queue.age_last_shipped_ms) for queue in queues]
    pair.wait(60)
    assert frozen == [(q.edits_read, q.ops_shipped, q.age_last_shipped_ms) for q in pair.queues()]


def test_the_queue_grows_by_one_with_every_roll_while_old_wals_and_disk_grow() -> None:
    pair = Pair(busy=False, rate=0)
    pair.add_peer()
    pair.wait(6)
    sizes = []
    for _ in range(3):
        pair.world.fault(SOURCE, "roll")
        pair.wait(6)
        sizes.append([queue.size for queue in pair.queues()])
    assert sizes == [[2] * 3, [3] * 3, [4] * 3]
    pair.world.writers[0].rate = 300
    first = pair.call(SOURCE, "hdfs.usage", paths=[])
    pair.wait(600)
    then = pair.call(SOURCE, "hdfs.usage", paths=[])
    assert then.old_wals.bytes > first.old_wals.bytes + 2 * 10**9
    assert first.remaining - then.remaining > 3 * (then.old_wals.bytes - first.old_wals.bytes)


def test_open_logs_have_length_zero_and_whole_blocks() -> None:
    wals = Pair(busy=False, rate=0).call(SOURCE, "hdfs.usage", paths=[]).wals
    assert (wals.bytes, wals.files) == (0, 3)
    assert wals.space == 3 * 3 * 256 * 1024 * 1024


def test_a_full_disk_stops_the_writes_and_space_brings_them_back() -> None:
    pair = Pair()
    pair.add_peer()
    pair.world.fault(SOURCE, "disk_fills", remaining=300_000_000)
    pair.wait(120)
    assert pair.call(SOURCE, "hdfs.usage", paths=[]).remaining == 0
    written = pair.world.writers[0].written
    pair.wait(60)
    assert pair.world.writers[0].written == written
    pair.call(SOURCE, "peer.remove", id="f")
    pair.world.fault(SOURCE, "disk_fills", remaining=10**11)
    pair.wait(60)
    assert pair.world.writers[0].written > written


def test_a_removed_peer_gives_its_disk_back_only_after_ttl_and_a_cleaner_run() -> None:
    pair = Pair()
    pair.add_peer()
    pair.wait(600)
    held = pair.call(SOURCE, "hdfs.usage", paths=[]).old_wals.bytes
    assert held > 2 * 10**9
    pair.call(SOURCE, "peer.remove", id="f")
    assert pair.call(SOURCE, "hdfs.usage", paths=[]).old_wals.bytes >= held
    pair.wait(4)
    assert not pair.queues(), "gone with the next heartbeat"
    pair.wait(121)
    assert pair.call(SOURCE, "hdfs.usage", paths=[]).old_wals.bytes < held / 3


def test_disable_then_enable_ships_the_open_wal_again_and_changes_no_row() -> None:
    pair = busy_peer()
    pair.stop_and_drain(10)
    before = [queue.ops_shipped or 0 for queue in pair.queues()]
    rows = dict(pair.world.clusters[TARGET].tables[ORDERS].rows.over)
    pair.call(SOURCE, "peer.disable", id="f")
    pair.call(SOURCE, "peer.enable", id="f")
    pair.wait(20)
    after = [queue.ops_shipped or 0 for queue in pair.queues()]
    assert all(new > old for new, old in zip(after, before, strict=True))
    assert pair.world.clusters[TARGET].tables[ORDERS].rows.over == rows


def test_a_new_peer_ships_the_open_wal_from_its_start() -> None:
    pair = Pair(busy=False)
    pair.scope()
    pair.world.fault(SOURCE, "roll")
    pair.wait(10)
    older = sum(len(server.wal.codes) for server in pair.world.clusters[SOURCE].servers)
    pair.world.stop_writers()
    create_table(pair.world, TARGET, pair.world.clusters[SOURCE].tables[ORDERS])
    pair.add_peer()
    pair.call(SOURCE, "peer.enable", id="f")
    pair.wait(10)
    shipped = sum(queue.ops_shipped or 0 for queue in pair.queues())
    orders = pair.world.number_of(ORDERS)
    wals = [server.wal for server in pair.world.clusters[SOURCE].servers]
    assert 0 < shipped == sum(1 for wal in wals for code in wal.codes if code >> 45 == orders) <= older


def test_edits_written_before_the_scope_never_ship() -> None:
    pair = Pair(busy=False)
    create_table(pair.world, TARGET, pair.world.clusters[SOURCE].tables[ORDERS])
    pair.add_peer()
    pair.wait(5)
    pair.world.stop_writers()
    pair.scope()
    pair.call(SOURCE, "peer.enable", id="f")
    pair.wait(30)
    assert sum(queue.ops_shipped or 0 for queue in pair.queues()) == 0
    assert pair.world.clusters[TARGET].tables[ORDERS].rows.over == {}


def test_while_an_alter_runs_some_regions_still_stamp_the_old_scope() -> None:
    pair = Pair()
    seen: list[set[int]] = []
    table = pair.world.clusters[SOURCE].tables[ORDERS]
    due = pair.world.now_ms + 1000
    pair.world.at(due, lambda: seen.append({region.scopes for region in table.regions}))
    pair.scope()
    assert seen == [{0, 3}]
    assert {region.scopes for region in table.regions} == {3}


def test_a_missing_target_table_stalls_this_peer_and_no_other() -> None:
    pair = Pair()
    pair.add_peer()
    pair.scope()
    pair.call(SOURCE, "peer.enable", id="f")
    pair.wait(12)
    first, backup = pair.queues(), pair.queues("dr_backup")
    pair.wait(12)
    second = pair.queues()
    assert all(queue.running and queue.ops_shipped == 0 for queue in second)
    assert all(queue.lag_ms > 20_000 for queue in second)
    assert all(b.lag_ms - a.lag_ms == 12_000 for a, b in zip(first, second, strict=True))
    pair.wait(12)
    assert [q.edits_read for q in second] == [q.edits_read for q in pair.queues()], "EditsRead stands"
    later = pair.queues("dr_backup")
    assert all((b.ops_shipped or 0) > (a.ops_shipped or 0) for a, b in zip(backup, later, strict=True))
    assert all(queue.lag_ms == 0 for queue in later)
    create_table(pair.world, TARGET, pair.world.clusters[SOURCE].tables[ORDERS])
    pair.wait(30)
    assert all(queue.lag_ms == 0 and (queue.ops_shipped or 0) > 0 for queue in pair.queues())


def test_a_missing_target_family_stalls_the_peer() -> None:
    pair = busy_peer()
    pair.call(TARGET, "table.delete_families", table=ORDERS, families=["m"])
    pair.wait(30)
    assert all(queue.lag_ms > 15_000 for queue in pair.queues())


def test_a_frozen_target_makes_lag_climb_and_a_thawed_one_lets_it_fall() -> None:
    pair = busy_peer()
    pair.world.fault(TARGET, "frozen")
    pair.wait(40)
    assert all(queue.lag_ms > 30_000 and queue.size <= 2 for queue in pair.queues())
    pair.world.heal(TARGET, "frozen")
    pair.wait(40)
    assert all(queue.lag_ms == 0 for queue in pair.queues())


def canary_delay(pair: Pair) -> float:
    """Seconds until a canary of this moment is on the target."""
    begun = pair.clock.now()
    stamp = f"c{int(begun)}"
    rows = [row.row_hex for row in pair.call(SOURCE, "canary.write", table=ORDERS, family="d", id=stamp).items]
    assert len(rows) == 3
    for _ in range(800):
        found = pair.call(TARGET, "canary.read", table=ORDERS, rows=rows).items
        if all(row.present for row in found):
            return pair.clock.now() - begun
        pair.wait(0.5)
    raise AssertionError("the canary never arrived")


def test_the_reader_of_2_6_wakes_late_after_quiet_minutes_while_every_metric_is_healthy() -> None:
    quiet = Pair(source_version="2.6.1", busy=False)
    quiet.cross()
    quiet.stop_and_drain(10)
    assert canary_delay(quiet) <= 6
    quiet.wait(302)
    queues = quiet.queues()
    assert all(queue.running and queue.size == 1 and queue.lag_ms == 0 for queue in queues)
    assert 6 < canary_delay(quiet) < 30
    quiet.wait(3600)
    assert 10 < canary_delay(quiet) < 100


def test_the_reader_of_2_4_does_not_back_off() -> None:
    quiet = Pair(source_version="2.4.17", busy=False)
    quiet.cross()
    quiet.stop_and_drain(900)
    assert canary_delay(quiet) <= 2


def test_toggling_the_peer_wakes_the_reader() -> None:
    quiet = Pair(source_version="2.6.1", busy=False)
    quiet.cross()
    quiet.stop_and_drain(1800)
    quiet.call(SOURCE, "peer.disable", id="f")
    quiet.call(SOURCE, "peer.enable", id="f")
    assert canary_delay(quiet) <= 6


def test_load_is_as_old_as_the_last_heartbeat() -> None:
    pair = busy_peer()
    first = pair.call(SOURCE, "replication.load", max=10)
    pair.wait(0.5)
    pair.wait(0.4)
    assert {load.reported_ms for load in pair.call(SOURCE, "replication.load", max=10).items} & {
        load.reported_ms for load in first.items
    }
    ages = [pair.world.now_ms - load.reported_ms for load in pair.call(SOURCE, "replication.load", max=10).items]
    assert len(set(ages)) == 3, "servers do not report together"
    assert max(ages) <= 3_500


def test_write_counters_start_again_when_a_region_moves() -> None:
    pair = Pair()
    pair.wait(60)
    before = pair.call(SOURCE, "tables.writes", names=[ORDERS]).items[0]
    moved = pair.world.clusters[SOURCE].tables[ORDERS].regions[2]
    pair.world.fault(SOURCE, "region_moves", table=ORDERS, region=2, to=0)
    after = pair.call(SOURCE, "tables.writes", names=[ORDERS]).items[0]
    assert after.total < before.total
    found = next(region for region in after.regions if region.region == moved.encoded)
    assert found.writes == 0
    assert found.server.startswith("rs1.")


def test_counters_of_a_table_without_writers_stand_still() -> None:
    pair = Pair()
    pair.wait(10)
    pair.world.stop_writers()
    before = pair.call(SOURCE, "tables.writes", names=[ORDERS])
    pair.wait(60)
    assert pair.call(SOURCE, "tables.writes", names=[ORDERS]) == before
    busy = pair.call(SOURCE, "tables.writes", names=["audit:log"]).items[0].total
    pair.wait(60)
    assert pair.call(SOURCE, "tables.writes", names=["audit:log"]).items[0].total > busy


def test_a_dead_servers_queue_is_claimed_and_drained_without_loss() -> None:
    pair = busy_peer()
    pair.call(SOURCE, "peer.disable", id="f")
    pair.wait(120)
    dead = pair.world.clusters[SOURCE].servers[1].name
    pair.world.fault(SOURCE, "server_dies", server=1)
    pair.wait(10)
    identity = pair.call(SOURCE, "cluster.identity")
    assert identity.dead_servers == (dead,)
    assert len(identity.servers) == 2
    recovered = [queue for queue in pair.queues() if queue.recovered]
    assert [queue.queue_id for queue in recovered] == [f"f-{dead}"]
    assert recovered[0].size > 1
    pair.call(SOURCE, "peer.enable", id="f")
    pair.world.fault(SOURCE, "server_joins", server=1)
    pair.wait(60)
    pair.stop_and_drain()
    assert not any(queue.recovered for queue in pair.queues())
    assert not pair.differences().rows


def test_a_peer_with_bandwidth_ships_a_batch_and_then_pauses() -> None:
    pair = Pair()
    pair.cross(bandwidth=2_600_000)
    seen = []
    for _ in range(30):
        pair.wait(2)
        seen.append([(queue.ops_shipped, queue.lag_ms) for queue in pair.queues()])
    for queue in zip(*seen, strict=True):
        moves = [ops for ops, _ in queue]
        still = [len(list(group)) for _, group in itertools.groupby(moves)]
        assert len(still) >= 3 and max(still) >= 12, "64 MB take 26 s"
    assert all(lag > 60_000 for _, lag in seen[-1])


def test_an_older_put_stays_hidden_by_a_delete_marker_until_a_major_compaction() -> None:
    rows = Rows(("d",))
    rows.delete(5, 1, 100)
    rows.put(5, 1, 90, 1)
    assert not rows.exists(5)
    compacted = Rows(("d",))
    compacted.delete(5, 1, 100)
    compacted.major_compact()
    compacted.put(5, 1, 90, 1)
    assert compacted.exists(5)
