"""The plan prints the commands of Google's page, put right where the page is wrong, for both lines of HBase."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from hbase_ferry import wiring
from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.embedded_bigtable import BIGTABLE, demo_bigtable_settings, embedded_bigtable

START = 1_800_000_000.0
CLASS = "com.google.cloud.bigtable.hbase{}_x.replication.HbaseToCloudBigtableReplicationEndpoint"
TABLES = "TABLE_CFS => { 'orders' => [] }"
DRY_RUN = "CONFIG => { 'google.bigtable.replication.enable_dry_run' => 'true' }"


def printed(version: str, *, dry_run: bool = True) -> dict[str, list[str]]:
    """Step -> the commands of the plan on a simulated cluster of that version."""
    settings = demo_bigtable_settings(bigtable=replace(BIGTABLE, dry_run=dry_run))
    clock = SteppingClock(START)
    ferry = wiring.build(settings, clock=clock, world=embedded_bigtable(7, clock, source_version=version))
    view = ferry.service.observe()
    found = {s.id: [e.action.command for e in s.effects(view)] for s in ferry.service.plan.steps}
    ferry.close()
    return found


def test_the_peer_of_2_x_is_born_disabled_with_its_own_class_and_no_config() -> None:
    assert printed("2.4.17")["add-peer"] == [
        f"add_peer 'ferry_orders', ENDPOINT_CLASSNAME => '{CLASS.format(2)}', {TABLES}, STATE => \"DISABLED\""
    ]


def test_the_peer_of_1_x_has_the_other_class_and_is_disabled_at_once() -> None:
    added = f"add_peer 'ferry_orders', ENDPOINT_CLASSNAME => '{CLASS.format(1)}', {TABLES}"
    assert printed("1.4.13")["add-peer"][0] == f"{added}; disable_peer 'ferry_orders'"


@pytest.mark.parametrize(("version", "line"), [("1.4.13", 1), ("2.4.17", 2), ("2.6.4", 2)])
def test_the_dry_run_has_a_config_and_an_id_of_its_own_and_is_removed(version: str, line: int) -> None:
    plan = printed(version)
    assert plan["dry-run"][0].startswith(f"add_peer 'ferry_orders_dry', ENDPOINT_CLASSNAME => '{CLASS.format(line)}'")
    assert DRY_RUN in plan["dry-run"][0] and plan["dry-run"][1] == "enable_peer 'ferry_orders_dry'"
    assert plan["dry-run-remove"] == ["remove_peer 'ferry_orders_dry'"]
    assert list(plan).index("dry-run-remove") < list(plan).index("add-peer")


@pytest.mark.parametrize("version", ["1.4.13", "2.4.17"])
def test_the_rest_of_the_page_is_there_in_its_order_and_delete_peer_is_not(version: str) -> None:
    plan = printed(version, dry_run=False)
    lines = [line for commands in plan.values() for line in commands]
    wanted = ("cbt .* createtable orders", "add_peer", "alter 'orders', .*REPLICATION_SCOPE => 1", "enable_peer",
              "disable_peer", "remove_peer")  # fmt: skip
    places = [next(n for n, line in enumerate(lines) if re.match(word, line)) for word in wanted[:4]]
    assert places == sorted(places)
    assert plan["disable-peer"] == ["disable_peer 'ferry_orders'"]
    assert plan["remove-peer"] == ["remove_peer 'ferry_orders'"]
    assert not [line for line in lines if "delete_peer" in line or "enable_table_replication" in line]


def test_without_a_look_the_plan_says_for_which_line_it_prints() -> None:
    settings = demo_bigtable_settings()
    clock = SteppingClock(START)
    ferry = wiring.build(settings, clock=clock, world=embedded_bigtable(7, clock))
    action = ferry.service.plan.step("add-peer").effects(ferry.service.view)[0].action
    ferry.close()
    assert action.unknown == ("the HBase line of prod-bj, shown as for 2.x",)


def test_the_schema_translator_is_named_for_who_prefers_it() -> None:
    clock = SteppingClock(START)
    ferry = wiring.build(demo_bigtable_settings(), clock=clock, world=embedded_bigtable(7, clock))
    said = ferry.service.plan.step("table:orders").says(ferry.service.observe())
    ferry.close()
    assert "-Dgoogle.bigtable.table.filter=orders" in said[0] and "gate target.foreign.orders" in said[0]
