"""Whether a peer that only tries again loops without a pause or is slow, from rises alone, and what that silences."""

from __future__ import annotations

from bigtable_views import instance, look, metrics, page, there
from insight_views import RS1, RS2, queue

from hbase_ferry.insight.bigtable.rates import retries
from hbase_ferry.insight.bigtable.stalls import causes
from hbase_ferry.model.cluster import ClusterView


def looks(*tried: int, read: int = 2_000, step: float = 1) -> list[ClusterView]:
    return [look(n * step, page(n * step, metrics(tried=each, read=read))) for n, each in enumerate(tried)]


def pace(history: list[ClusterView]) -> list[str]:
    return [one.pace for one in retries(history, "ferry")]


def names(history: list[ClusterView]) -> set[str]:
    return {cause.name for cause in causes("ferry", history, instance(there()))}


def test_the_first_moment_of_a_loop_is_no_slow_retry_and_its_second_rise_tells_a_loop() -> None:
    assert pace(looks(2_000, 2_480)) == ["unclear"]
    assert names(looks(2_000, 2_480)) == set()
    assert pace(looks(2_000, 2_480, 3_310)) == ["loop"]


def test_a_loop_that_starves_on_a_busy_machine_is_still_a_loop() -> None:
    assert pace(looks(2_000, 2_012, 2_138, 2_324)) == ["loop"]


def test_few_entries_once_a_timeout_are_slow_from_the_first_rise() -> None:
    assert pace(looks(2_000, 2_003, step=10)) == ["slow"]


def test_a_batch_seen_once_and_then_twice_between_looks_is_slow() -> None:
    assert pace(looks(2_000, 2_700, 4_100, step=15)) == ["slow"]


def test_two_queues_that_try_their_own_batches_once_a_timeout_are_slow() -> None:
    def both(seconds: float, first: int, second: int) -> ClusterView:
        orphan = {key.replace(".ferry.", ".ferry-rs9,16020,1."): n for key, n in metrics(tried=second, read=90).items()}
        return look(seconds, page(seconds, metrics(tried=first, read=1_700) | orphan))

    history = [both(0, 1_700, 90), both(10, 3_400, 180), both(20, 5_100, 270)]
    assert pace(history) == ["slow"]


def test_a_loop_that_ended_just_now_may_still_show_and_its_remedy_says_so() -> None:
    found = causes("ferry", looks(10, 12_000, 24_500, read=11), instance(there()))
    assert "created there within 10 s, look again" in next(c for c in found if c.name == "permanent error").remedy


def test_a_peer_is_not_called_slow_where_one_server_ships_and_another_only_retries() -> None:
    def two(n: int, tried: int) -> ClusterView:
        shipping = metrics(tried=50 * (n + 1), read=50 * (n + 1), shippedOps=50 * (n + 1))
        stuck = metrics(tried=tried, read=11)
        pages = (page(n * 5, shipping), page(n * 5, stuck, server=RS2))
        return look(n * 5, *pages, queues=[queue(RS1, ops_shipped=50 * n), queue(RS2, lag_ms=n * 5_000)])

    history = [two(n, 12_000 * n + 10) for n in range(4)]
    assert names(history) == {"permanent error"}
    assert "slow target" in names([two(n, 11) for n in range(4)])
