from __future__ import annotations

from bigtable_views import MASTER, page
from insight_views import RS1, RS2, RS3

from hbase_ferry.insight.bigtable.pages import BigtableWish
from hbase_ferry.insight.bigtable.rollout import rollout
from hbase_ferry.model.cluster import ServerFacts

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
