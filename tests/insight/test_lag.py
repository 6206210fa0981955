from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from insight_views import RS1, RS2, RS3, T0, identity, load, peer, queue, source, transcript

from hbase_ferry.insight.lag import PeerState, PeerTruth, dark_servers, judge_peer
from hbase_ferry.model.cluster import ClusterView, Observed, ReplicationQueue, Side

LONG_MAX = 2**63 - 1


def over(seconds: int, make: object, step: int = 3) -> list[ClusterView]:
    assert callable(make)
    return [make(second) for second in range(0, seconds + 1, step)]


def judged(history: list[ClusterView], peer_id: str = "ferry") -> PeerTruth:
    return judge_peer(peer_id, history)


# ---- real transcripts


def states_of(name: str, peer_id: str) -> list[tuple[str, PeerState]]:
    lines = transcript(name)
    views = [view for _, view in lines]
    return [(word, judged(views[: n + 1], peer_id).state) for n, (word, _) in enumerate(lines)]


def test_the_lab_run_is_read_as_the_operator_knew_it_to_be() -> None:
    seen = states_of("replication-load-states.jsonl", "mig1")
    assert {state for word, state in seen if word == "disabled"} == {PeerState.DISABLED}
    streaming = [state for word, state in seen if word == "streaming"]
    assert set(streaming) == {PeerState.IDLE}
    hung = [state for word, state in seen if word == "target-hung"]
    assert hung[-11:] == [PeerState.STALLED] * 11, "stalled from 12 s into the hang until its end"
    assert PeerState.STALLED not in hung[:4]


def test_a_hang_stays_stalled_when_age_of_last_shipped_falls_back_to_zero() -> None:
    views = [view for word, view in transcript("replication-load-states.jsonl") if word == "target-hung"]
    reset = [v for v in views if v.queues("mig1")[0].age_last_shipped_ms == 0]
    assert reset, "the transcript holds the window reset"
    truth = judged(views, "mig1")
    assert truth.state is PeerState.STALLED
    assert truth.lag_ms == 40_157
    assert "lag 40 157 ms, and nothing was shipped for" in truth.text


def test_a_hang_ends_when_the_target_answers_again() -> None:
    lines = transcript("replication-load-states.jsonl")
    first = next(
        n
        for n, (word, view) in enumerate(lines)
        if word == "after-cont" and view.queues("mig1")[0].lag_ms == 0
    )
    truth = judged([view for _, view in lines[: first + 1]], "mig1")
    assert truth.state is PeerState.IDLE
    assert truth.shipped_per_second is not None and truth.shipped_per_second > 500


def test_a_disabled_peer_with_a_backlog_is_never_idle_although_its_numbers_look_healthy() -> None:
    views = [view for word, view in transcript("replication-load-states.jsonl") if word == "disabled"]
    truth = judged(views, "mig1")
    assert views[-1].queues("mig1")[0].lag_ms == 0
    assert truth.state is PeerState.DISABLED
    assert truth.queued_wals == 2 and truth.lag_ms is None
    assert "holding back 2 closed WALs and the open ones of 1 server" in truth.text


def test_the_time_spent_disabled_does_not_count_as_a_stall_after_enabling() -> None:
    lines = transcript("replication-load-states.jsonl")
    enabled = [n for n, (word, _) in enumerate(lines) if word == "catching-up"]
    views = [view for _, view in lines]
    states = [judged(views[: n + 1], "mig1").state for n in enabled]
    assert states == [PeerState.UNKNOWN] * 4 + [PeerState.IDLE] * 4


def test_a_missing_target_table_stalls_its_peer_and_not_the_one_beside_it() -> None:
    views = [view for _, view in transcript("replication-load-blocked.jsonl")]
    assert judged(views, "pm").state is PeerState.STALLED
    assert judged(views, "mig1").state is PeerState.IDLE
    assert judged(views[:7], "pm").state is PeerState.UNKNOWN, "7 s are too few to call it stalled"


# ---- each lie on its own


def test_nothing_observed_is_unknown() -> None:
    assert judged([]).state is PeerState.UNKNOWN


def test_one_report_alone_is_unknown_whatever_it_says() -> None:
    assert judged([source(0, queue())]).state is PeerState.UNKNOWN


def test_lag_zero_with_waiting_wals_is_not_idle() -> None:
    truth = judged(over(12, lambda s: source(s, queue(size=4, last_shipped_ms=1))))
    assert truth.state is PeerState.STALLED
    assert truth.lag_ms is None and truth.queued_wals == 3


def test_wals_that_shrink_are_catching_up_with_a_rate() -> None:
    truth = judged(over(12, lambda s: source(s, queue(size=9 - s // 3, ops_shipped=s * 400, lag_ms=700_000))))
    assert truth.state is PeerState.CATCHING_UP
    assert truth.lag_ms == 700_000 and truth.shipped_per_second == pytest.approx(400)
    assert "4 closed WALs queued" in truth.text and "400 ops/s" in truth.text


def test_a_peer_that_ships_under_load_is_idle_and_said_to_keep_up() -> None:
    truth = judged(
        over(12, lambda s: source(s, queue(ops_shipped=s * 100, lag_ms=53, last_shipped_ms=int(T0) + s)))
    )
    assert truth.state is PeerState.IDLE
    assert "keeping up: 100 ops/s" in truth.text and truth.lag_ms == 53


def test_a_trickle_is_not_called_keeping_up_at_0_ops() -> None:
    truth = judged(over(30, lambda s: source(s, queue(ops_shipped=s // 9))))
    assert truth.state is PeerState.IDLE and truth.text.startswith("idle: no closed WAL waits on 1 server")


def test_a_counter_that_starts_again_is_a_new_source_and_no_negative_rate() -> None:
    numbers = {0: 900, 3: 1000, 6: 50, 9: 150, 12: 250}
    truth = judged(over(12, lambda s: source(s, queue(size=3, ops_shipped=numbers[s], lag_ms=9000))))
    assert truth.state is PeerState.CATCHING_UP
    assert truth.shipped_per_second == pytest.approx(300 / 12)


def test_a_new_source_object_after_a_standstill_is_progress() -> None:
    numbers = {second: 1000 if second < 24 else 50 for second in range(0, 25, 3)}
    truth = judged(over(24, lambda s: source(s, queue(size=3, ops_shipped=numbers[s]))))
    assert truth.state is PeerState.CATCHING_UP


def test_a_finished_wal_without_anything_to_ship_is_progress() -> None:
    truth = judged(over(24, lambda s: source(s, queue(size=12 - s // 3))))
    assert truth.state is PeerState.CATCHING_UP and truth.shipped_per_second == 0


def test_a_wal_that_has_just_begun_to_wait_after_a_long_quiet_is_no_stall() -> None:
    quiet = over(60, lambda s: source(s, queue()))
    assert judged([*quiet, source(63, queue(size=2))]).state is PeerState.UNKNOWN
    waiting = [source(s, queue(size=2)) for s in range(63, 76, 3)]
    assert judged([*quiet, *waiting]).state is PeerState.STALLED


THROTTLED = (
    # seconds, lag in ms, opsShipped: 2.6.1 held to 20 kB/s under 500 writes a second
    (18, 5_765, 2_256), (20, 7_770, 2_256), (24, 11_780, 2_256), (28, 15_791, 2_256), (32, 19_805, 2_256),
    (36, 23_815, 2_256), (38, 24_958, 2_937), (40, 26_962, 2_937), (44, 31_977, 2_937), (48, 31_795, 3_150),
    (50, 14_008, 4_195), (52, 15_011, 4_195), (56, 19_020, 4_195), (60, 23_030, 4_195), (66, 29_045, 4_195),
    (68, 20_402, 9_100),
)  # fmt: skip


def throttled(bandwidth: int) -> list[PeerState]:
    views = [
        source(s, queue(lag_ms=lag, ops_shipped=ops, last_shipped_ms=1), peers=(peer(bandwidth=bandwidth),))
        for s, lag, ops in ((16, 4_000, 994), *THROTTLED)
    ]
    return [judged(views[: n + 1]).state for n in range(3, len(views))]


def test_a_peer_that_pauses_under_its_bandwidth_limit_is_not_called_stalled() -> None:
    assert PeerState.STALLED in throttled(0), "without a limit it would be one"
    assert set(throttled(20_000)) == {PeerState.CATCHING_UP}


def standing(bandwidth: int, seconds: int, settings: dict[str, str] | None = None, **more: object) -> PeerTruth:
    """A peer that shipped, and then did not for so long."""
    more = {"lag_ms": 6_000, "last_shipped_ms": 1, **more}
    parts: dict[str, Any] = {"peers": (peer(bandwidth=bandwidth),)}
    if settings:
        parts["identity"] = Observed(identity(servers=(RS1,), settings=settings), T0)
    moves = [source(s, queue(ops_shipped=s, **more), **parts) for s in (0, 3)]
    return judged([*moves, *(source(s, queue(ops_shipped=3, **more), **parts) for s in range(6, seconds + 4, 3))])


def test_how_long_a_limited_peer_may_pause_is_said_and_what_nobody_can_tell_is_unknown() -> None:
    assert standing(1_000_000, 60).state is PeerState.CATCHING_UP
    assert "bandwidth limit allows for up to 1 min 7 s after a batch" in standing(1_000_000, 60).evidence[0]
    assert standing(1_000_000, 90).state is PeerState.STALLED
    assert standing(20_000, 60).state is PeerState.CATCHING_UP
    assert standing(20_000, 90).state is PeerState.UNKNOWN
    assert standing(-1, 60).state is PeerState.STALLED, "HBase takes it for none"


def test_a_limited_peer_that_shipped_nothing_since_it_started_owes_no_pause() -> None:
    assert standing(1_000_000, 30, last_shipped_ms=0).state is PeerState.STALLED


def test_the_site_s_limit_and_size_of_a_batch_count() -> None:
    site = {"replication.source.per.peer.node.bandwidth": "1000000"}
    assert standing(0, 60, site).state is PeerState.CATCHING_UP
    assert standing(0, 90, site | {"replication.source.size.capacity": "134217728"}).state is PeerState.UNKNOWN
    assert standing(0, 60, {"replication.source.per.peer.node.bandwidth": "many"}).state is PeerState.STALLED


def test_a_pause_lasts_to_its_end_although_the_limit_was_lifted() -> None:
    def view(s: int, limit: int, ops: int) -> ClusterView:
        return source(s, queue(lag_ms=6_000, ops_shipped=ops, last_shipped_ms=1), peers=(peer(bandwidth=limit),))

    held = [view(0, 1_000_000, 0), view(3, 1_000_000, 3), view(6, 1_000_000, 3)]
    assert judged([*held, *(view(s, 0, 3) for s in range(9, 40, 3))]).state is PeerState.CATCHING_UP


def test_two_reports_are_too_few_for_a_stall_however_far_apart() -> None:
    far_apart = [source(0, queue(size=4)), source(60, queue(size=4))]
    assert judged(far_apart).state is PeerState.UNKNOWN


def test_reports_that_stand_still_are_unknown_and_not_idle() -> None:
    fresh = over(6, lambda s: source(s, queue()))
    frozen = [
        dataclasses.replace(source(s), load=Observed(fresh[-1].load.value, T0 + s)) for s in range(9, 31, 3)
    ]
    truth = judged(fresh + frozen)
    assert truth.state is PeerState.UNKNOWN
    assert "no new report for 24 s" in truth.text


def test_looks_that_are_far_apart_are_not_stale_between_two_of_them() -> None:
    history = over(150, lambda s: source(s, queue(ops_shipped=s * 10)), step=50)
    truth = judge_peer("ferry", history, now=T0 + 195)
    assert truth.state is PeerState.IDLE
    assert truth.shipped_per_second == pytest.approx(10) and truth.text.endswith("(45 s old)")


def test_a_load_that_nobody_looked_at_for_a_minute_is_unknown() -> None:
    history = over(12, lambda s: source(s, queue()))
    assert judge_peer("ferry", history, now=T0 + 71).state is PeerState.IDLE
    truth = judge_peer("ferry", history, now=T0 + 90)
    assert truth.state is PeerState.UNKNOWN and "was read 1 min 18 s ago, more than 1 min" in truth.text


def test_a_region_server_without_a_queue_is_dark_and_stalls_the_peer() -> None:
    history = over(12, lambda s: source(s, queue(RS1), queue(RS2), servers=(RS1, RS2, RS3)))
    assert dark_servers(history[-1], "ferry") == (RS3,)
    truth = judged(history)
    assert truth.state is PeerState.STALLED and truth.servers == 2
    assert f"{RS3}: live, but reports no queue of peer ferry for 12 s" in truth.evidence


def test_a_region_server_that_has_just_come_is_not_yet_called_stalled() -> None:
    history = over(12, lambda s: source(s, queue(RS1)))
    history.append(source(15, queue(RS1), servers=(RS1, RS2)))
    assert judged(history).state is PeerState.UNKNOWN


def test_every_server_is_dark_while_the_load_is_not_observed() -> None:
    view = source(0, queue(RS1), servers=(RS1, RS2), load=Observed(None, None, "deadline"))
    assert dark_servers(view, "ferry") == (RS1, RS2)
    assert dark_servers(ClusterView(Side.SOURCE, "prod"), "ferry") != ()


def test_without_the_identity_the_heartbeats_say_who_lives() -> None:
    history = over(
        12, lambda s: source(s, queue(RS1), servers=(RS1, RS2), identity=Observed(None, None, "gone"))
    )
    assert dark_servers(history[-1], "ferry") == (RS2,)
    assert judged(history).state is PeerState.STALLED
    whole = over(12, lambda s: source(s, queue(RS1), identity=Observed(None, None, "gone")))
    assert judged(whole).state is PeerState.IDLE


def test_many_dark_servers_are_counted_and_not_all_named() -> None:
    many = tuple(f"rs{n},16020,1" for n in range(2000))
    history = over(12, lambda s: source(s, queue(many[0]), servers=many))
    truth = judged(history)
    assert truth.state is PeerState.STALLED and len(truth.evidence) == 6
    assert truth.evidence[-1] == "and 1 995 more"


def test_a_source_that_is_not_running_is_stalled_after_a_while_and_unknown_before() -> None:
    history = over(12, lambda s: source(s, queue(running=False)))
    assert judged(history[:3]).state is PeerState.UNKNOWN
    assert judged(history).state is PeerState.STALLED
    assert "isRunning=false" in judged(history).text


def test_a_recovered_queue_is_a_backlog_even_with_one_wal() -> None:
    recovered = "ferry-rs9,16020,7"

    def view(second: int) -> ClusterView:
        return source(second, queue(), queue(queue_id=recovered, recovered=True, size=1))

    truth = judged(over(12, view))
    assert truth.state is PeerState.STALLED and truth.queued_wals == 1
    assert recovered in truth.text


def test_the_worst_queue_speaks_for_the_peer() -> None:
    def view(second: int) -> ClusterView:
        return source(second, queue(RS1, ops_shipped=second * 10), queue(RS2, lag_ms=20_000 + second * 1000))

    truth = judged(over(15, view))
    assert truth.state is PeerState.STALLED
    assert "on 1 of 2 servers" in truth.text and truth.evidence[0].startswith(RS2)


def test_a_peer_that_does_not_exist_is_unknown_and_says_so() -> None:
    truth = judged([source(0, queue(), peers=())])
    assert truth.state is PeerState.UNKNOWN and "does not exist on prod" in truth.text


@pytest.mark.parametrize("part", ["peers", "load"])
def test_a_part_that_could_not_be_read_makes_the_peer_unknown_and_names_its_age(part: str) -> None:
    history = over(12, lambda s: source(s, queue()))
    old = getattr(history[-1], part)
    failed = dataclasses.replace(
        source(20, queue()), **{part: Observed(old.value, old.at, "no answer in 15 s")}
    )
    truth = judged([*history, failed])
    assert truth.state is PeerState.UNKNOWN
    assert "no answer in 15 s" in truth.text and "last seen 8 s ago" in truth.text


# ---- differences between the lines


def old_queue(**changes: object) -> ReplicationQueue:
    """A 1.x source: no counters, no state, one entry for all queues."""
    blank = dict.fromkeys(("recovered", "running", "next_to_ship_ms", "edits_read", "ops_shipped"))
    return queue(has_edits_since_restart=None, **(blank | changes))


def test_on_1x_a_lag_of_191_seconds_with_everything_shipped_is_idle_without_a_lag() -> None:
    history = over(12, lambda s: source(s, old_queue(lag_ms=191_000, last_shipped_ms=5), version="1.4.14"))
    truth = judged(history)
    assert truth.state is PeerState.IDLE and truth.lag_ms is None
    assert "only a canary row proves a drain" in truth.text and "no lag of an open WAL" in truth.text


def test_on_1x_waiting_wals_and_no_newer_shipment_are_a_stall() -> None:
    history = over(
        12, lambda s: source(s, old_queue(size=3, lag_ms=60_000, last_shipped_ms=5), version="1.4.14")
    )
    assert judged(history).state is PeerState.STALLED


def test_on_1x_a_newer_shipment_is_progress() -> None:
    history = over(
        12, lambda s: source(s, old_queue(size=3, lag_ms=60_000, last_shipped_ms=5 + s), version="1.4.14")
    )
    truth = judged(history)
    assert truth.state is PeerState.CATCHING_UP and truth.shipped_per_second is None


@pytest.mark.parametrize("lag", [LONG_MAX, 1_795_216_000_000, -1])
def test_an_impossible_lag_is_not_shown(lag: int) -> None:
    history = over(12, lambda s: source(s, old_queue(size=3, lag_ms=lag), version="2.2.7"))
    assert judged(history).lag_ms is None


def test_an_idle_2_6_is_said_to_be_unproven() -> None:
    history = over(12, lambda s: source(s, queue(last_shipped_ms=int((T0 - 600) * 1000)), version="2.6.1"))
    truth = judged(history)
    assert truth.state is PeerState.IDLE
    assert "last shipment 10 min ago; only a canary row proves a drain" in truth.text
    assert "may sleep up to 5 min" in truth.text


def test_a_sleeping_2_6_reader_is_not_called_stalled_before_it_must_have_woken() -> None:
    shipped = int((T0 - 300) * 1000)

    def view(second: int) -> ClusterView:
        return source(second, queue(size=2, last_shipped_ms=shipped), version="2.6.1")

    assert judged(over(24, view)).state is PeerState.UNKNOWN
    assert judged(over(45, view)).state is PeerState.STALLED
    assert (
        judged([dataclasses.replace(v, identity=source(0).identity) for v in over(24, view)]).state
        is PeerState.STALLED
    )


def test_a_batch_in_flight_is_not_sleep() -> None:
    shipped = int((T0 - 300) * 1000)

    def view(second: int) -> ClusterView:
        return source(
            second, queue(size=2, last_shipped_ms=shipped, lag_ms=1000 * second + 1), version="2.6.1"
        )

    assert judged(over(12, view)).state is PeerState.STALLED


def test_multiwal_groups_are_not_a_backlog() -> None:
    from insight_views import identity

    def view(second: int) -> ClusterView:
        settings_ = {"hbase.wal.provider": "multiwal", "hbase.wal.regiongrouping.numgroups": "3"}
        known = Observed(identity(servers=(RS1,), settings=settings_), T0 + second)
        return source(second, queue(size=3), identity=known)

    truth = judged(over(12, view))
    assert truth.state is PeerState.IDLE and truth.queued_wals == 0


# ---- whatever comes


QUEUES = st.builds(
    ReplicationQueue,
    server=st.sampled_from([RS1, RS2]),
    peer=st.sampled_from(["ferry", "other"]),
    queue_id=st.sampled_from(["ferry", "ferry-dead", "other"]),
    recovered=st.sampled_from([None, True, False]),
    running=st.sampled_from([None, True, False]),
    size=st.integers(-1, 5),
    age_last_shipped_ms=st.integers(-1, LONG_MAX),
    last_shipped_ms=st.integers(-1, LONG_MAX),
    next_to_ship_ms=st.none() | st.integers(0, LONG_MAX),
    lag_ms=st.integers(-1, LONG_MAX),
    edits_read=st.none() | st.integers(0, 1000),
    ops_shipped=st.none() | st.integers(0, 1000),
    has_edits_since_restart=st.none() | st.booleans(),
)


@st.composite
def any_view(draw: st.DrawFn) -> ClusterView:
    at = T0 + draw(st.integers(-50, 5000))
    error = draw(st.none() | st.just("gone"))
    queues = draw(st.lists(QUEUES, max_size=4))
    enabled = draw(st.booleans())
    base = source(
        at - T0,
        peers=draw(st.sampled_from([(), (peer(enabled=enabled),)])),
        version=draw(st.text(max_size=6)),
    )
    reported = load(draw(st.integers(0, 10**6)), *queues)
    part = draw(st.sampled_from([Observed(), Observed(reported, at), Observed(reported, at, error)]))
    peers = draw(st.sampled_from([base.peers, Observed(), Observed(base.peers.value, at, "gone")]))
    return dataclasses.replace(
        base, load=part, peers=peers, identity=draw(st.sampled_from([base.identity, Observed()]))
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(any_view(), max_size=5))
def test_no_history_whatsoever_breaks_the_judgement(history: list[ClusterView]) -> None:
    truth = judged(history)
    assert truth.text and "\n" not in truth.text
    assert truth.lag_ms is None or 0 <= truth.lag_ms < 10**9
    assert truth.queued_wals is None or truth.queued_wals >= 0
    assert truth.shipped_per_second is None or truth.shipped_per_second >= 0
    if history and history[-1].load.current is None:
        assert truth.state is PeerState.UNKNOWN
    newest = history[-1].peer("ferry") if history else None
    if truth.state in (PeerState.IDLE, PeerState.CATCHING_UP):
        assert newest is not None and newest.enabled


@settings(max_examples=100, deadline=None)
@given(st.lists(QUEUES, min_size=1, max_size=4))
def test_a_disabled_peer_is_disabled_whatever_its_numbers_say(queues: list[ReplicationQueue]) -> None:
    history = over(9, lambda s: source(s, *queues, peers=(peer(enabled=False),)))
    assert judged(history).state is PeerState.DISABLED
