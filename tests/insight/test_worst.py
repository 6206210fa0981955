from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from insight_views import RS1, RS2, T0, disk, identity, peer, queue, source

from hbase_ferry.insight.format import moment
from hbase_ferry.insight.worst import DefaultThresholds, worst
from hbase_ferry.migration.settings import GateSettings
from hbase_ferry.model.cluster import ClusterView, Observed, Side

GB = 1 << 30


def target(**parts: Any) -> ClusterView:
    seen = Observed(identity(cluster_id="id-target"), T0 + 600)
    fields: dict[str, Any] = {
        "identity": seen,
        "peers": Observed((), T0 + 600),
        "load": Observed((), T0 + 600),
    }
    return ClusterView(Side.TARGET, "emr6", **(fields | parts))


def calm(**parts: Any) -> list[ClusterView]:
    return [source(s, queue(), **parts) for s in range(0, 601, 3)]


def said(history: list[ClusterView], there: ClusterView | None = None, **more: Any) -> tuple[str, str]:
    headline = worst(history, there or target(), GateSettings(), **({"peer_id": "ferry"} | more))
    return headline.severity, headline.text


def test_two_healthy_sides_are_ok() -> None:
    assert said(calm()) == ("ok", "nothing is wrong that can be seen")


def test_nothing_observed_is_a_warning() -> None:
    assert said([])[0] == "warn"
    assert said(calm(), ClusterView(Side.TARGET, "emr6"))[0] == "warn"


def test_an_unreachable_side_is_the_worst_and_says_since_when() -> None:
    gone = {name: Observed(None, T0 + 480, "no answer in 15 s") for name in ("identity", "peers", "load")}
    assert said(calm(), target(**gone)) == (
        "bad",
        f"target emr6 is not reachable since {moment(T0 + 480)}: no answer in 15 s",
    )
    never = {name: Observed(None, None, "refused") for name in ("identity", "peers", "load")}
    assert "is not reachable and never was: refused" in said(calm(), target(**never))[1]


def test_a_disk_that_fills_within_the_gate_is_bad_and_a_little_later_a_warning() -> None:
    def filling(hours: int) -> list[ClusterView]:
        return [
            source(
                s,
                queue(),
                disk=Observed(disk(700 * GB + GB * s // 3600, capacity=(700 + hours) * GB), T0 + s),
            )
            for s in range(0, 601, 3)
        ]

    limits = DefaultThresholds(min_free_fraction=0.0)
    assert worst(filling(3), target(), limits).text.startswith(
        "disk of prod full in 2 h 50, growing 1.0 GB an hour"
    )
    assert worst(filling(3), target(), limits).severity == "bad"
    assert worst(filling(12), target(), limits).severity == "warn"
    assert worst(filling(30), target(), limits).severity == "ok"


def test_too_little_free_space_is_bad_without_any_growth() -> None:
    full = Observed(disk(90 * GB, capacity=100 * GB), T0 + 600)
    assert said(calm(disk=full)) == ("bad", "10 % of the disk of prod is free, less than 15 %")


def test_our_stalled_peer_is_bad_and_another_a_warning() -> None:
    stuck = [source(s, queue(size=5)) for s in range(0, 601, 3)]
    severity, text = said(stuck)
    assert severity == "bad" and text.startswith("peer ferry stalled since")
    assert said(stuck, peer_id="mine")[0] == "warn"


def test_a_peer_enabled_before_the_history_is_there_is_bad() -> None:
    assert said(calm(), hold_back=True)[0] == "bad"
    assert "ENABLED before the history" in said(calm(), hold_back=True)[1]
    held = [source(s, queue(), peers=(peer(enabled=False),)) for s in range(0, 601, 3)]
    assert said(held, hold_back=True)[0] == "ok"


def test_a_server_that_holds_nothing_back_is_bad() -> None:
    off = (peer(enabled=False),)
    held = [source(s, queue(RS1), servers=(RS1, RS2), peers=off) for s in range(0, 601, 3)]
    assert said(held, hold_back=True) == (
        "bad",
        "1 region server without a queue of peer ferry: writes there are not held back",
    )


def test_lag_above_the_gate_and_stale_values_are_warnings() -> None:
    lagging = [source(s, queue(size=3, ops_shipped=s, lag_ms=25_000)) for s in range(0, 601, 3)]
    assert said(lagging) == ("warn", "peer ferry lags 25 000 ms, more than 10 000 ms")
    assert "are 1 min 40 s old, more than 1 min" in said(calm(), now=T0 + 700)[1]


def test_a_part_that_cannot_be_read_and_a_dead_server_are_warnings() -> None:
    assert said(calm(tables=Observed(None, None, "denied")))[1] == "tables of source prod not known: denied"
    dead = Observed(identity(cluster_id="id-target", dead=(RS2,)), T0 + 600)
    assert said(calm(), target(identity=dead)) == ("warn", f"1 dead region server on target emr6: {RS2}")


@given(st.lists(st.sampled_from(["identity", "peers", "load", "disk"]), max_size=4), st.integers(0, 8))
def test_whatever_fails_there_is_one_line_and_it_is_not_ok(failed: list[str], kept: int) -> None:
    history = [source(s, queue()) for s in range(0, 3 * kept, 3)]
    broken = {name: Observed(None, None, "gone") for name in failed}
    if history:
        history[-1] = dataclasses.replace(history[-1], **broken)
    severity, text = said(history)
    assert text and "\n" not in text
    if failed or kept < 2:
        assert severity != "ok"
