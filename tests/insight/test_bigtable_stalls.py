from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from bigtable_views import JAR, bigtable_peer, instance, look, metrics, page, there
from insight_views import RS1, RS2, RS3, T0, family, load, queue, table

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.rates import Rate, rates, retries, spin_cost
from hbase_ferry.insight.bigtable.stalls import causes
from hbase_ferry.insight.bigtable.startup import ladder_seconds, not_started, seen_for, since
from hbase_ferry.insight.stalls import Cause
from hbase_ferry.model.cluster import ClusterView, Observed, Peer, ReplicationQueue, Table

ORDERS = there("orders")


def named(history: Sequence[ClusterView], target: ClusterView | None = None) -> dict[str, Cause]:
    found = causes("ferry", history, instance(ORDERS) if target is None else target)
    assert all(cause.evidence and cause.remedy for cause in found)
    return {cause.name: cause for cause in reversed(found)}


def looks(*values: dict[str, int], step: float = 10, **more: object) -> list[ClusterView]:
    return [look(n * step, page(n * step, each), **more) for n, each in enumerate(values)]  # type: ignore[arg-type]


def spinning(step: float = 10, count: int = 2, **more: object) -> list[ClusterView]:
    """A loop without a pause: one entry read, 1,200 attempts a second, nothing shipped."""
    values = [metrics(tried=10 + int(n * step * 1200), read=11, **{library.SHIPPED: 10}) for n in range(1, count + 1)]
    return looks(*values, step=step, **more)


def retrying() -> list[ClusterView]:
    return looks(metrics(tried=12, read=11), metrics(tried=13, read=11), metrics(tried=15, read=11))


# ---- rates


def test_rates_are_per_second_and_per_server() -> None:
    history = looks(
        metrics(tried=100, read=100, shippedOps=1_000), metrics(tried=400, read=400, shippedOps=7_000), step=30
    )
    assert rates(history, "ferry") == (Rate(RS1, 10.0, 200.0, 30.0),)


def test_one_look_is_no_rate_and_nothing_moved_within_the_cache_s_time_is_no_standstill() -> None:
    assert rates(looks(metrics()), "ferry")[0].eligible is None
    still = rates(looks(metrics(), metrics(), step=3), "ferry")[0]
    assert (still.eligible, still.shipped) == (None, None)
    longer = rates(looks(metrics(), metrics(), step=11), "ferry")[0]
    assert (longer.eligible, longer.shipped) == (0.0, 0.0)


def test_a_server_that_cannot_be_read_has_no_rate_and_the_history_before_the_window_counts_no_more() -> None:
    history = [
        look(n * 20, page(n * 20, metrics(shippedOps=n * 20)), page(n * 20, server=RS2, error="x")) for n in range(9)
    ]
    (only,) = rates(history, "ferry")
    assert (only.server, only.seconds, only.shipped) == (RS1, 20.0, 1.0)


def test_a_restarted_server_and_a_removed_peer_have_no_rate() -> None:
    history = [look(0, page(0, metrics())), look(12, page(12, metrics(shippedOps=99), server="rs1,16020,2"))]
    assert rates(history, "ferry")[0].shipped is None
    left = {key: value for key, value in metrics().items() if "bigtable" in key}
    assert rates(looks(left, left, step=20), "ferry")[0].eligible is None
    assert rates([], "ferry") == ()


def test_a_large_batch_on_its_way_is_no_retry() -> None:
    history = looks(metrics(tried=10, read=10), metrics(tried=25_010, read=25_010), step=10)
    assert retries(history, "ferry") == ()


def test_a_loop_is_seen_from_its_second_page_and_ends_with_the_first_shipment() -> None:
    (seen,) = retries(spinning(step=3), "ferry")
    assert seen.spinning and seen.per_second == pytest.approx(360)
    healed = [*spinning(), look(20, page(20, metrics(tried=24_011, read=11, shippedOps=11)))]
    assert retries(healed, "ferry") == ()


def test_a_large_batch_tried_once_a_timeout_is_no_loop_and_one_rise_of_it_tells_nothing() -> None:
    batch = [metrics(tried=5_000 * n, read=5_000) for n in (1, 2, 3)]
    assert [one.pace for one in retries(looks(*batch[:2]), "ferry")] == ["unclear"]
    assert [one.pace for one in retries(looks(*batch), "ferry")] == ["slow"]
    assert set(named(looks(*batch[:2]))) == set(), "nothing is named before it is known"
    assert set(named(looks(*batch))) == {"target hung"}
    loop = [metrics(tried=tried, read=50_000) for tried in (51_000, 63_000, 75_100)]
    assert [one.pace for one in retries(looks(*loop), "ferry")] == ["loop"]


def test_the_cost_of_the_loop_is_said_in_log_and_cores() -> None:
    assert spin_cost(1_200) == "36.0 GB of log an hour and about one core"
    assert spin_cost(300) == "9.0 GB of log an hour and about 25 % of a core"


# ---- schema


def test_a_healthy_peer_has_no_cause() -> None:
    assert named(looks(metrics(shippedOps=1), metrics(shippedOps=50), step=20)) == {}


def test_a_missing_table_is_named_with_the_loop_and_what_it_costs() -> None:
    first = causes("ferry", spinning(), instance())[0]
    assert first.name == "table missing"
    assert "lab-instance has no table orders" in first.evidence
    assert "1 200 entries/s again and again and ships nothing" in first.evidence
    assert "up to 36.0 GB of log an hour and about one core" in first.evidence
    assert "permanent error" not in named(spinning(), instance())


def test_a_missing_family_is_named_and_one_the_peer_does_not_ship_is_not() -> None:
    two = table(families=[family("d"), family("meta"), family("local", scope=0)])
    found = named(spinning(tables=[two]), instance(there("orders", "d")))
    assert "lacks family meta" in found["family missing"].evidence
    cut = spinning(tables=[two], peers=(bigtable_peer(table_cfs={"orders": ("d",)}),))
    assert "family missing" not in named(cut, instance(there("orders", "d")))


def test_a_disabled_peer_s_tables_may_not_be_there_yet() -> None:
    history = looks(metrics(), metrics(), peers=(bigtable_peer(enabled=False),))
    assert named(history, instance()) == {}


def test_tables_nobody_asked_about_and_an_instance_not_seen_accuse_nobody() -> None:
    other = bigtable_peer(table_cfs={"elsewhere": ()})
    assert "table missing" not in named(looks(metrics(), peers=(other,)), instance())
    unseen = instance(tables=Observed(None, None, None))
    assert "table missing" not in named(looks(metrics()), unseen)


def test_a_namespaced_table_and_an_illegal_name_are_causes_of_their_own() -> None:
    bad = bigtable_peer(table_cfs={"shop:orders": (), "x" * 60: ()})
    found = named(looks(metrics(), peers=(bad,)))
    assert "lies in a namespace" in found["namespaced table"].evidence
    assert "60 characters" in found["illegal name"].evidence
    both: list[Table] = [table("shop:orders")]
    assert "table missing" not in named(looks(metrics(), tables=both, peers=(bad,)), instance())


# ---- target


def test_a_loop_with_every_table_there_is_a_permanent_error_with_what_may_be_behind_it() -> None:
    cause = named(spinning())["permanent error"]
    assert "tables and families are there" in cause.evidence
    assert "roles/bigtable.user" in cause.remedy and "100 000 cells" in cause.remedy


def test_slow_retries_are_a_target_that_does_not_answer() -> None:
    found = named(retrying())
    assert set(found) == {"target hung"}
    assert "once a client timeout (10 min)" in found["target hung"].evidence


def test_the_client_timeout_is_the_one_the_servers_run_with() -> None:
    timeout = {library.MUTATE_TIMEOUT: "10000"}
    quick = [
        dataclasses.replace(view, servers=Observed(tuple(
            dataclasses.replace(f, settings={**f.settings, **timeout}) for f in view.servers.value or ()), T0))
        for view in retrying()
    ]  # fmt: skip
    assert "once a client timeout (10 s)" in named(quick)["target hung"].evidence


def test_a_call_that_hangs_within_its_own_retries_moves_nothing_at_all_and_only_the_lag_grows() -> None:
    late = [look(n * 15, page(n * 15, metrics()), queues=[queue(lag_ms=15_000 * n)]) for n in range(3)]
    assert "lag 30 000 ms" in named(late)["target hung"].evidence
    idle = [look(n * 15, page(n * 15, metrics())) for n in range(3)]
    assert named(idle) == {}


def pausing(limit: int, *others: ReplicationQueue) -> list[ClusterView]:
    def one(n: int) -> ReplicationQueue:
        return queue(lag_ms=15_000 * n, last_shipped_ms=1)

    peers = (bigtable_peer(bandwidth=limit),)
    return [look(n * 15, page(n * 15, metrics()), queues=[one(n), *others], peers=peers) for n in range(3)]


def test_a_peer_that_may_only_pause_under_its_bandwidth_limit_has_no_hung_target() -> None:
    assert set(named(pausing(20_000))) == {"bandwidth limit"}
    assert set(named(pausing(50_000_000))) == {"target hung"}
    other = queue("rs2,16020,1", running=False)
    assert "target hung" not in named(pausing(20_000, other)), "another server's trouble is no answer that lacks"


def test_a_target_that_does_not_answer_us_either_comes_first() -> None:
    gone = instance(ORDERS, identity=Observed(None, None, "503 failed to connect"))
    assert causes("ferry", retrying(), gone)[0] == Cause(
        "target unreachable",
        "lab-instance does not answer hbase-ferry either: 503 failed to connect",
        "look at the instance's clusters and at the way there; the library goes on by itself once they answer",
    )


GONE: Observed[object] = Observed(None, None, "permission denied listing tables")


def test_a_loop_is_told_although_hbase_ferry_cannot_see_the_target_and_nothing_goes_on_by_itself() -> None:
    first, *others = causes("ferry", spinning(), instance(ORDERS, identity=GONE, tables=GONE))
    assert first.name == "permanent error"
    assert "whether its tables and families are there is not seen" in first.evidence
    assert first.remedy.startswith("look whether they are there")
    assert [cause.name for cause in others] == ["target not seen"]
    assert not any("by itself" in cause.remedy for cause in (first, *others))
    assert "tables and families are there" in named(spinning(), instance(ORDERS, identity=GONE))[
        "permanent error"].evidence  # fmt: skip


def shipping(lag_ms: int = 0) -> list[ClusterView]:
    values = [metrics(tried=n * 100, read=n * 100, shippedOps=n * 100) for n in range(1, 5)]
    return [look(n * 10, page(n * 10, v), queues=[queue(lag_ms=lag_ms)]) for n, v in enumerate(values)]


def test_of_a_peer_that_ships_only_hbase_ferry_s_own_trouble_is_said() -> None:
    (only,) = named(shipping(), instance(ORDERS, identity=GONE)).values()
    assert only.name == "target not seen"
    assert only.evidence.endswith("permission denied listing tables; peer ferry ships")
    before = Observed(instance().identity.value, T0 - 30, "late")
    assert set(named(shipping(300), instance(ORDERS, identity=before))) == {"target not seen"}


def test_what_was_shipped_before_the_target_went_away_does_not_speak_for_it() -> None:
    just_now = Observed(instance().identity.value, T0 + 25, "late")
    assert set(named(shipping(), instance(ORDERS, identity=just_now))) == {"target unreachable"}
    assert set(named(shipping(300), instance(ORDERS, identity=GONE))) == {"target unreachable"}
    late = Observed(instance().identity.value, T0 - 30, "late")
    assert "target unreachable" in named(shipping(9_000), instance(ORDERS, identity=late))


def test_of_a_peer_that_tries_nothing_it_is_not_said_that_the_library_has_no_answer_either() -> None:
    cause = named(looks(metrics(), metrics()), instance(ORDERS, identity=GONE))["target unreachable"]
    assert "does not answer hbase-ferry:" in cause.evidence


def test_a_cluster_that_does_not_serve_is_named() -> None:
    settings = {"instance.state": "READY", "cluster.c1.state": "DISABLED", "cluster.c2.state": "READY"}
    found = named(looks(metrics()), instance(ORDERS, settings=settings))
    assert found["target not ready"].evidence == "cluster c1 of lab-instance is DISABLED"
    routed = settings | {"profile.migration-single.routing": "single:c2"}
    assert "target not ready" not in named(looks(metrics()), instance(ORDERS, settings=routed))
    resizing = {"instance.state": "READY", "cluster.c1.state": "RESIZING"}
    assert "target not ready" not in named(looks(metrics()), instance(ORDERS, settings=resizing))


def behind(lags: Sequence[int], shipped: Sequence[int]) -> list[ClusterView]:
    """Looks ten seconds apart."""
    return [
        look(
            n * 10,
            page(n * 10, metrics(shippedOps=each, tried=9 + n, read=9 + n)),
            queues=[queue(lag_ms=lag, ops_shipped=each)],
        )
        for n, (lag, each) in enumerate(zip(lags, shipped, strict=True))
    ]


def test_a_peer_that_ships_and_still_falls_behind_has_a_slow_target() -> None:
    late = behind([0, 6_000, 12_000, 18_000], [0, 1_000, 2_000, 3_000])
    assert "lag 0 ms, then 18 000 ms" in named(late)["slow target"].evidence
    assert named(behind([4_000] * 4, [0, 1_000, 2_000, 3_000])) == {}


def test_a_peer_that_shipped_until_it_stopped_has_no_slow_target() -> None:
    assert "slow target" not in named(behind([0, 0, 6_000, 16_000], [1_000, 2_000, 2_100, 2_100]))


def test_a_bulk_load_marker_never_heals() -> None:
    values = [metrics(tried=n * 9000, read=3, sizeOfHFileRefsQueue=1) for n in (1, 2)]
    found = named(looks(*values))
    assert "METAFAMILY" in found["bulk load marker"].evidence and "never heals" in found["bulk load marker"].remedy
    assert "permanent error" not in found


def test_incompatible_mutations_met_during_a_stall_are_said_not_to_cause_it() -> None:
    values = [metrics(tried=n * 9000, read=3, bigtableIncompatibleMutations=n) for n in (1, 2)]
    assert "do not stall it by themselves" in named(looks(*values))["incompatible mutations"].evidence


# ---- the endpoint that never starts


def stopped(seconds: float, *, version: str = "2.6.4", peer: Peer | None = None, **settings: str) -> ClusterView:
    values = {"source.ferry.isInitializing": 1, "source.ferry.shippedOps": 0}
    facts = page(seconds, values, **settings)
    return look(seconds, facts, queues=[queue(running=False)], version=version, peers=(peer or bigtable_peer(),))


def test_the_ladder_lasts_twelve_and_a_half_hours_by_default_and_follows_the_settings() -> None:
    assert ladder_seconds(page(0)) == 45_150.0
    assert ladder_seconds(page(0, maxretriesmultiplier="3", sleepforretries="300")) == pytest.approx(1.8)
    assert ladder_seconds(page(0, maxretriesmultiplier="many")) == 45_150.0


def test_an_endpoint_that_never_started_counts_down_to_the_abort() -> None:
    history = [stopped(n * 60) for n in range(6)]
    cause = named(history)["endpoint not started"]
    assert "for 5 min or more on 1 region server: rs1,16020,1" in cause.evidence
    assert "abort in 12 h 27 at the latest" in cause.remedy
    assert "lag 0 means nothing" in cause.evidence


def test_an_endpoint_that_may_be_about_to_start_is_not_accused() -> None:
    for seen in ([stopped(0)], [stopped(0), stopped(5)]):
        (cause,) = named(seen).values()
        assert cause.evidence.endswith("it may be about to: one that can start does so within seconds")
    assert "about to" not in named([stopped(0), stopped(11)])["endpoint not started"].evidence
    assert "about to" not in named([stopped(0, project="")])["endpoint not started"].evidence, "it cannot"


def test_the_countdown_begins_again_after_a_look_that_showed_it_running() -> None:
    history = [stopped(0), look(60, page(60, metrics())), stopped(120), stopped(180)]
    assert seen_for(history, "ferry", RS1) == 60.0
    assert seen_for([look(0, page(0, metrics()))], "ferry", RS1) == 0.0


def test_the_countdown_goes_on_from_the_moment_on_record_long_after_the_history_forgot_it() -> None:
    history = [stopped(n * 3) for n in range(60)]
    recorded = {RS1: str(int(T0 - 36_000))}
    assert seen_for(history, "ferry", RS1, recorded) == 36_177.0
    (cause,) = (c for c in causes("ferry", history, instance(ORDERS), recorded) if c.name == "endpoint not started")
    assert "for 10 h 02 or more" in cause.evidence and "abort in 2 h 29 at the latest" in cause.remedy


def test_a_moment_on_record_from_before_the_endpoint_was_seen_to_run_counts_no_more() -> None:
    history = [look(0, page(0, metrics())), stopped(60), stopped(120)]
    assert seen_for(history, "ferry", RS1, {RS1: str(int(T0 - 500))}) == 60.0
    assert seen_for(history, "ferry", RS1, {RS1: "soon"}) == 60.0
    assert seen_for([look(0, page(0, metrics()))], "ferry", RS1, {RS1: str(int(T0 - 500))}) == 0.0


def test_the_first_moment_is_put_on_record_once_and_taken_back_once_it_runs() -> None:
    first = since({}, stopped(0), "ferry")
    assert first == {RS1: str(int(T0))}
    assert since(first, stopped(90), "ferry") is None
    assert since(first, look(120, page(120, metrics())), "ferry") == {}
    assert since({}, look(120, page(120, metrics())), "ferry") is None


def test_the_moment_stays_while_nothing_is_seen_and_goes_with_the_peer_and_with_the_server() -> None:
    first = {RS1: str(int(T0))}
    mute = look(9, page(9, error="refused"), queues=[queue(running=None)])
    blind = dataclasses.replace(mute, load=Observed(None, None, "late"))
    nothing = dataclasses.replace(blind, servers=Observed(None, None, "late"))
    assert [since(first, view, "ferry") for view in (mute, blind, nothing)] == [None] * 3
    assert since(first, look(9, page(9), peers=[bigtable_peer("other")]), "ferry") == {}
    again = dataclasses.replace(queue("rs1,16020,2"), running=False)
    assert since(first, look(9, page(9, server="rs1,16020,2"), queues=[again]), "ferry") == {
        "rs1,16020,2": str(int(T0 + 9))
    }


def test_a_server_whose_page_is_not_read_any_more_counts_down_with_the_settings_it_had() -> None:
    mute = look(60, page(60, error="timeout"), queues=[queue(running=False)])
    short = named([stopped(0, maxretriesmultiplier="20"), mute])["endpoint not started"].remedy
    assert "abort in 2 min 30 s at the latest" in short
    never = named([mute])["endpoint not started"].remedy
    assert "the retry settings of these region servers are not known" in never and "at the latest" not in never


def test_servers_that_end_otherwise_have_a_sentence_each() -> None:
    initializing = {"source.ferry.isInitializing": 1}
    pages = [
        page(0, initializing, maxretriesmultiplier="20"),
        page(0, initializing, server=RS2, abort="false"),
        page(0, server=RS3, error="timeout"),
    ]
    both = look(0, *pages, queues=[queue(server, running=False) for server in (RS1, RS2, RS3)])
    remedy = named([both])["endpoint not started"].remedy
    assert f"unless it starts, {RS1} aborts in 3 min 30 s at the latest" in remedy, "removing the peer harms the others"
    assert f"abort is false on {RS2}" in remedy and f"the retry settings of {RS3} are not known" in remedy


def test_at_the_end_of_the_ladder_the_abort_may_come_at_any_moment() -> None:
    history = [stopped(n * 60, maxretriesmultiplier="3") for n in range(2)]
    assert "abort at any moment" in named(history)["endpoint not started"].remedy


def test_with_abort_switched_off_removing_the_peer_is_what_kills_the_server() -> None:
    remedy = named([stopped(0, abort="false")])["endpoint not started"].remedy
    assert "set it true and restart before the peer is removed" in remedy
    assert "at the latest" not in remedy


def test_hbase_1_does_not_try_again_and_lines_before_2_4_do_not_abort() -> None:
    assert "1.x does not try again" in named([stopped(0, version="1.7.2")])["endpoint not started"].remedy
    middle = named([stopped(0, version="2.2.7")])["endpoint not started"].remedy
    assert "it is tried again" in middle and "abort" not in middle


def test_initializing_below_zero_is_not_started_either() -> None:
    view = look(0, page(0, {"source.ferry.isInitializing": -7}))
    assert not_started(view, "ferry") == (RS1,)
    assert not_started(look(0, page(0, metrics())), "ferry") == ()


def test_missing_keys_a_missing_jar_and_a_config_are_named_as_reasons() -> None:
    assert "runs without google.bigtable.project.id" in named([stopped(0, project="")])["site keys missing"].evidence
    bare = dataclasses.replace(
        stopped(0), servers=Observed((page(0, {"source.ferry.isInitializing": 1}, jars=()),), T0)
    )
    assert "no jar of the library" in named([bare])["library missing"].evidence
    assert "it is tried again" in named([bare])["endpoint not started"].remedy, "a class is looked for without end"
    told = named([stopped(0, peer=bigtable_peer(config={library.DRY_RUN: "true"}))])["per-peer CONFIG"]
    assert "core-site.xml" in told.remedy and "cannot be told from here" in told.evidence
    assert "adds a CONFIG to every peer" in named([stopped(0, base_config="a=b")])["per-peer CONFIG"].evidence


def test_a_server_without_the_key_file_that_others_have_is_named() -> None:
    def with_other(seconds: float, **other: str) -> ClusterView:
        seen = stopped(seconds, keyfile="")
        pages = (*(seen.servers.value or ()), page(seconds, metrics(), server="rs2,16020,1", **other))
        return dataclasses.replace(seen, servers=Observed(pages, T0 + seconds))

    cause = named([with_other(0), with_other(11)])["key file"]
    assert cause.evidence == f"no key file on {RS1}; other region servers have one"
    assert library.KEY_FILE in cause.remedy
    assert "key file" not in named([with_other(0, keyfile=""), with_other(11, keyfile="")]), "none has one"
    assert "key file" not in named([with_other(0)]), "it may be about to start"


def test_a_server_with_keys_and_jar_is_not_accused_of_lacking_them() -> None:
    assert set(named([stopped(0), stopped(11)])) == {"endpoint not started", "key file"}
    assert "key file" not in named([stopped(0, project="")])


# ---- the connection


def test_a_second_bigtable_peer_with_other_keys_shares_the_first_one_s_connection() -> None:
    other = bigtable_peer("other", config={library.INSTANCE: "elsewhere"})
    evidence = named(looks(metrics(), peers=(bigtable_peer(), other)))["shared connection"].evidence
    assert "peer other" in evidence and library.INSTANCE in evidence and "started first" in evidence
    alike = bigtable_peer("other", config={library.INSTANCE: "lab-instance"})
    assert "shared connection" not in named(looks(metrics(), peers=(bigtable_peer(), alike)))


def test_a_stall_after_failed_starts_may_be_a_connection_with_old_keys() -> None:
    both = (bigtable_peer(), bigtable_peer("bad"))
    before = [look(n, page(n, {"source.bad.isInitializing": 1}), peers=both) for n in (-30, -15, 0)]
    assert "leaked connection" in named([*before, *_later(spinning())])
    assert "leaked connection" not in named(_later(spinning()))
    assert "leaked connection" not in named([*before[1:], *_later(spinning())]), "it only took its time"
    restarted = [look(n * 10, page(n * 10, metrics(tried=n * 12_000, read=11), server="rs1,16020,2")) for n in (3, 4)]
    assert "leaked connection" not in named([*before, *restarted])
    on_record = causes("ferry", _later(spinning()), instance(ORDERS), failed=[RS1, "rs1,16020,2"])
    told = next(cause.evidence for cause in on_record if cause.name == "leaked connection")
    assert f"failed to start on {RS1} before" in told


def _later(history: list[ClusterView]) -> list[ClusterView]:
    return [
        look(n * 10 + 10, page(n * 10 + 10, dict((v.servers.value or ())[0].metrics))) for n, v in enumerate(history)
    ]


# ---- ways to diverge


def test_a_profile_that_routes_to_several_clusters_is_named() -> None:
    multi = {"instance.state": "READY", "profile.migration-single.routing": "multi"}
    assert (
        "migration-single"
        in named(looks(metrics()), instance(ORDERS, settings=multi))["multi-cluster routing"].evidence
    )


def test_a_server_without_an_app_profile_uses_the_default_one() -> None:
    facts = page(0, metrics(), id="")
    bare = dataclasses.replace(facts, settings={k: v for k, v in facts.settings.items() if k != library.APP_PROFILE})
    assert "app profile default" in named([look(0, bare)])["multi-cluster routing"].evidence


def test_dropped_mutations_diverge_and_those_of_a_removed_peer_do_not_count() -> None:
    assert (
        "dropped 3 mutations"
        in named(looks(metrics(bigtableDroppedIncompatibleMutations=3)))["dropped mutations"].evidence
    )
    left = {k: v for k, v in metrics(bigtableDroppedIncompatibleMutations=3).items() if "bigtable" in k}
    assert named(looks(left)) == {}


def test_queues_of_dead_servers_and_servers_without_a_queue_are_gaps() -> None:
    orphan = queue(queue_id="ferry-rs9,16020,1", recovered=True)
    assert "rs9" in named([look(0, page(0, metrics()), queues=[queue(), orphan])])["replication gap"].evidence
    dark = look(0, page(0, metrics()), page(0, server=RS2), queues=[queue()])
    dark = dataclasses.replace(dark, load=Observed(load(T0, queue(), servers=(RS1, RS2)), T0))
    assert f"without a queue of peer ferry: {RS2}" in named([dark])["replication gap"].evidence


def test_servers_get_a_few_heartbeats_to_show_the_queue_of_a_new_peer() -> None:
    def dark(seconds: float, **more: object) -> ClusterView:
        seen = look(seconds, page(seconds), **more)  # type: ignore[arg-type]
        return dataclasses.replace(seen, load=Observed(load(T0 + seconds, servers=(RS1,)), T0 + seconds))

    before, after = dark(0, peers=[bigtable_peer("other")]), dark(3)
    assert named([before, after]) == {}
    assert "without a queue" in named([before, after, dark(10)])["replication gap"].evidence
    held = look(0, page(0), queues=[queue()])
    assert named([held, dark(3)]) == {}
    assert "without a queue" in named([held, dark(3), dark(10)])["replication gap"].evidence


def test_one_rise_after_a_wait_for_an_answer_is_a_hung_target_and_no_riddle() -> None:
    """With a timeout longer than the window no look ever shows two rises."""
    tried = (5_000, 5_000, 5_000, 10_000)
    history = [
        look(n * 12, page(n * 12, metrics(tried=each, read=5_000)), queues=[queue(lag_ms=12_000 * n)])
        for n, each in enumerate(tried)
    ]
    assert [one.pace for one in retries(history, "ferry")] == ["unclear"]
    assert set(named(history)) == {"target hung"}
    rested = [dataclasses.replace(seen, load=Observed(load(T0, queue()), seen.load.at)) for seen in history[:3]]
    idle = [*rested, history[-1]]
    assert named(idle) == {}, "the first rise of a loop that begins after a rest looks the same"


def test_no_history_and_no_such_peer_have_no_cause() -> None:
    assert causes("ferry", [], instance()) == ()
    assert causes("nobody", looks(metrics()), instance()) == ()


def test_the_jar_of_the_builders_is_a_published_name() -> None:
    assert JAR.startswith(library.LIBRARY)
