from __future__ import annotations

import dataclasses

import pytest
from bigtable_views import MASTER, instance, look, page
from insight_views import RS1, RS2, RS3, T0

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.checks import TableWish, of_servers
from hbase_ferry.insight.bigtable.pages import BigtableWish
from hbase_ferry.insight.bigtable.rollout import rollout
from hbase_ferry.model.cluster import ServerFacts
from hbase_ferry.model.view import View

WISH = BigtableWish("lab-project", "lab-instance", "migration-single")


def master(*jars: str) -> ServerFacts:
    return page(0, server=MASTER, role="master", jars=jars)


JAR = "bigtable-hbase-2.x-replication-2.20.0.jar"


def test_masters_come_first_then_region_servers_one_at_a_time() -> None:
    found = rollout((page(0, server=RS2, project=""), page(0, server=RS1, jars=()), master()), WISH)
    assert [lack.server for lack in found.lacking] == [MASTER, RS1, RS2]
    assert found.next == MASTER
    assert found.sentences[-1].startswith(f"next: restart {MASTER} (master); masters come first, standby ones too")
    after = rollout((page(0, server=RS2, project=""), page(0, server=RS1, jars=()), master(JAR)), WISH)
    assert after.next == RS1
    assert "one region server at a time" in after.sentences[-1]


def test_what_each_server_lacks_is_said_key_by_key() -> None:
    (lack,) = rollout((page(0, project="", jars=()),), WISH).lacking
    assert lack.what == ("no jar bigtable-hbase…", "google.bigtable.project.id is not set, not lab-project")


def test_a_server_with_the_keys_of_another_app_profile_lacks_them() -> None:
    (lack,) = rollout((page(0),), BigtableWish("lab-project", "lab-instance", "batch")).lacking
    assert lack.what == ("google.bigtable.app_profile.id is migration-single, not batch",)


def test_with_library_and_keys_everywhere_it_is_complete_and_nothing_is_next() -> None:
    found = rollout((master(JAR), page(0, server=RS1), page(0, server=RS2)), WISH)
    assert found.complete and found.next == ""
    assert found.sentences == ("3 of 3 servers run with the library and its keys",)


def test_a_server_that_cannot_be_read_is_neither_ready_nor_next() -> None:
    found = rollout((master(JAR), page(0, server=RS1), page(0, server=RS3, error="refused")), WISH)
    assert found.unknown == (RS3,) and not found.complete and found.next == ""
    assert found.sentences[1] == f"{RS3}: its pages could not be read, so nothing is known of it"


def test_no_server_at_all_is_not_complete() -> None:
    assert not rollout((), WISH).complete


OLD = JAR.replace("2.x", "1.x")
EMULATED = dataclasses.replace(WISH, emulator="127.0.0.1:8086")


@pytest.mark.parametrize(("site", "jar", "wish", "says"), [
    ({}, JAR, WISH, ""),
    ({library.KEY_FILE: ""}, JAR, WISH, f"{library.KEY_FILE} is not set, and others have credentials"),
    ({library.KEY_FILE: "/opt/key.json"}, JAR, WISH, ""),
    ({library.NULL_CREDENTIAL: "true"}, JAR, WISH, f"{library.NULL_CREDENTIAL} is true"),
    ({library.PROJECT: "other"}, JAR, WISH, f"{library.PROJECT} is other"),
    ({library.DRY_RUN: "true"}, JAR, WISH, f"{library.DRY_RUN} is true"),
    ({library.ABORT: "false"}, JAR, WISH, f"{library.ABORT} is false"),
    ({library.BULK_LOADS: "true"}, JAR, WISH, f"{library.BULK_LOADS} is true"),
    ({library.EMULATOR: "127.0.0.1:1"}, JAR, WISH, f"{library.EMULATOR} is 127.0.0.1:1, not unset"),
    ({library.EMULATOR: "127.0.0.1:1"}, JAR, EMULATED, ""),
    ({library.KEY_FILE: "", library.NULL_CREDENTIAL: "true"}, JAR, EMULATED, ""),
    ({library.ENDPOINT_HOST: "proxy.corp"}, JAR, WISH, f"{library.ENDPOINT_HOST} is proxy.corp"),
    ({library.ENDPOINT_HOST: "bigtable-shop.p.googleapis.com"}, JAR, WISH, ""),
    ({library.ENDPOINT_HOST: "proxy.corp"}, JAR, EMULATED, f"{library.ENDPOINT_HOST} is proxy.corp"),
    ({}, OLD, WISH, f"{OLD} is for HBase 1.x"),
    ({}, "hbase-server-2.6.4.jar", WISH, "no jar bigtable-hbase…"),
])  # fmt: skip
@pytest.mark.parametrize("role", ["region server", "master"])
def test_a_server_is_ready_exactly_where_no_check_blocks_on_it(
    role: str, site: dict[str, str], jar: str, wish: BigtableWish, says: str
) -> None:
    own = page(0, server=RS1 if role == "region server" else MASTER, role=role, jars=(jar,))
    own = dataclasses.replace(own, settings={k: v for k, v in {**own.settings, **site}.items() if v})
    others = [facts for facts in (master(JAR), page(0, server=RS1), page(0, server=RS2)) if facts.server != own.server]
    pages = (own, *others)
    seen = View(T0, look(0, *pages), instance())
    blocked = [f for f in of_servers(seen, (TableWish("orders"),), "ferry", wish) if f.severity == "block"]
    found = rollout(pages, wish, 2)
    assert [lack.server for lack in found.lacking] == ([own.server] if blocked else [])
    if role == "region server":
        assert bool(says) == bool(blocked) and says in "; ".join(found.sentences)


def test_the_line_of_a_jar_is_not_judged_where_the_line_of_hbase_is_not_known() -> None:
    assert rollout((master(OLD), page(0, jars=(OLD,))), WISH).complete
    assert rollout((master(OLD), page(0, jars=(OLD,))), WISH, 1).complete
