from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from bigtable_views import JAR, MASTER, bigtable_peer, instance, look, metrics, page, there
from hypothesis import given
from hypothesis import strategies as st
from insight_views import RS1, RS2, T0, disk, family, queue, table

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.checks import BigtableWish, preflight
from hbase_ferry.insight.checks.base import Finding, TableWish
from hbase_ferry.model.cluster import PARTS, ClusterView, Observed, Peer, ServerFacts, Side
from hbase_ferry.model.view import View

WISH = BigtableWish("lab-project", "lab-instance", "migration-single")
ORDERS = (TableWish("orders"),)
NEVER_OK = {"bt.limits", "bt.reach", "bt.bulk-loads"}
EMULATED = dataclasses.replace(WISH, emulator="127.0.0.1:8086")


def master(**settings: str) -> ServerFacts:
    return page(0, server=MASTER, role="master", **settings)


def servers(**settings: str) -> tuple[ServerFacts, ...]:
    return (master(), page(0, server=RS1, **settings), page(0, server=RS2))


def view(pages: Sequence[ServerFacts] | None = None, *, target: ClusterView | None = None, **on_source: Any) -> View:
    parts: dict[str, Any] = {"snapshots": Observed((), T0), "disk": Observed(disk(10 << 30), T0)}
    peers = on_source.pop("peers", ())
    source = look(0, *(servers() if pages is None else pages), **(parts | on_source))
    source = dataclasses.replace(source, peers=Observed(tuple(peers), T0))
    if not peers:
        load = tuple(dataclasses.replace(each, queues=()) for each in source.load.value or ())
        source = dataclasses.replace(source, load=Observed(load, T0))
    return View(T0, source, target or instance())


def checked(looked: View, wish: BigtableWish = WISH, tables: Sequence[TableWish] = ORDERS) -> dict[str, Finding]:
    found = preflight(looked, tables, "ferry", wish)
    assert len({finding.check for finding in found}) == len(found), "check names are unique"
    return {finding.check: finding for finding in found}


def one(check: str, looked: View, wish: BigtableWish = WISH, tables: Sequence[TableWish] = ORDERS) -> tuple[str, str]:
    found = checked(looked, wish, tables)[check]
    return found.severity, found.text


def settled(where: str, **site: str) -> tuple[ServerFacts, ...]:
    """The servers, one of which runs with these settings instead; `__` stands for a point, empty: not set."""
    named = {key.replace("__", "."): value for key, value in site.items()}
    changed = (
        {k: v for k, v in {**facts.settings, **named}.items() if v} if facts.server == where else facts.settings
        for facts in servers()
    )
    return tuple(dataclasses.replace(facts, settings=one) for facts, one in zip(servers(), changed, strict=True))


def told(**settings: str) -> View:
    """An instance that says only this of itself; `__` stands for a point."""
    return view(target=instance(settings={key.replace("__", "."): value for key, value in settings.items()}))


def test_a_source_and_an_instance_on_which_nothing_is_wrong_pass_every_check_that_can_be_answered() -> None:
    found = checked(view())
    assert len(found) >= 30
    assert {name for name, finding in found.items() if finding.severity != "ok"} == NEVER_OK


def test_with_nothing_observed_only_names_and_wishes_are_judged() -> None:
    blank = View(T0, ClusterView(Side.SOURCE, "prod"), ClusterView(Side.TARGET, "lab-instance"))
    found = checked(blank)
    assert {n for n, f in found.items() if f.severity == "ok"} == {"peer-id", "bt.namespaces", "bt.dry-run"}
    assert {n for n, f in found.items() if f.severity == "block"} == set()


@given(st.lists(st.sampled_from(PARTS), max_size=4), st.lists(st.sampled_from(("identity", "tables")), max_size=2))
def test_losing_parts_never_turns_a_check_better_and_never_breaks_one(here: list[str], away: list[str]) -> None:
    good = view((page(0, server=RS1, abort="false"), master()))
    gone: Observed[Any] = Observed(None, None, "denied")
    source = dataclasses.replace(good.source, **dict.fromkeys(here, gone))
    lost = View(T0, source, dataclasses.replace(good.target, **dict.fromkeys(away, gone)))
    before, after = checked(good), checked(lost)
    assert set(before) == set(after)
    order = ("ok", "warn", "unknown", "block")
    for name, finding in after.items():
        if finding.severity in ("ok", "warn"):
            assert order.index(finding.severity) >= order.index(before[name].severity), name


def test_checks_of_an_hbase_target_are_not_asked() -> None:
    found = checked(view())
    assert not {"identities", "cleaner-trap", "ports", "peers-of-target", "target-space", "namespaces"} & set(found)
    assert {"servers", "source-tables", "source-space", "leftover-queues", "durability"} <= set(found)


# ---- the servers' pages


def test_a_server_without_the_library_blocks_and_is_named_with_what_follows() -> None:
    bare = (master(), page(0, server=RS1, jars=()), page(0, server=RS2))
    severity, text = one("bt.library", view(bare))
    assert severity == "block"
    assert text.startswith(f"{RS1}: no replication library bigtable-hbase") and "never starts" in text
    no_master = (page(0, server=MASTER, role="master", jars=()), page(0, server=RS1), page(0, server=RS2))
    assert "the master then refuses the peer" in one("bt.library", view(no_master))[1]


def test_the_plain_client_and_the_core_alone_are_not_the_library() -> None:
    jars = ("bigtable-hbase-2.x-hadoop-2.15.6.jar", "bigtable-hbase-replication-core-1.11.0.jar")
    severity, text = one("bt.library", view((master(), page(0, server=RS1, jars=jars))))
    assert severity == "block" and "which does not hold the endpoint" in text


def test_a_library_of_another_name_is_taken_by_its_beginning() -> None:
    pages = tuple(dataclasses.replace(facts, jars=("cbt-replication-2x.jar",)) for facts in servers())
    assert one("bt.library", view(pages), dataclasses.replace(WISH, library="cbt-repl"))[0] == "ok"
    assert one("bt.library", view(pages))[0] == "block"


def test_the_jar_of_the_other_hbase_line_blocks() -> None:
    old = "bigtable-hbase-1.x-replication-2.20.0.jar"
    pages = tuple(dataclasses.replace(facts, jars=(old,)) for facts in servers())
    assert one("bt.library-line", view(pages))[0] == "block"
    assert one("bt.library-line", view(pages, version="1.7.2"))[0] == "ok"
    assert one("bt.library-line", view(version="1.7.2"))[0] == "block"
    two = tuple(dataclasses.replace(facts, jars=(JAR, JAR.replace("2.20.0", "2.15.0"))) for facts in servers())
    assert one("bt.library-line", view(two))[0] == "warn"


@pytest.mark.parametrize(("settings", "says"), [
    ({"project": ""}, "google.bigtable.project.id is not set and should be lab-project"),
    ({"project": "other"}, "google.bigtable.project.id is other and should be lab-project"),
    ({"enable_dry_run": "true"}, "nothing would be sent"),
    ({"host": "127.0.0.1:8086"}, "it would ship to an emulator"),
])  # fmt: skip
def test_a_key_that_differs_on_one_region_server_blocks(settings: dict[str, str], says: str) -> None:
    named = {library.EMULATOR: settings.pop("host")} if "host" in settings else {}
    pages = list(servers(**settings))
    pages[1] = dataclasses.replace(pages[1], settings={**pages[1].settings, **named})
    severity, text = one("bt.site-keys", view(pages))
    assert severity == "block" and text.startswith(f"{RS1}: ") and says in text


def test_a_master_without_the_keys_is_worth_a_warning_only() -> None:
    assert one("bt.site-keys", view((master(project=""), page(0), page(0, server=RS2))))[0] == "warn"


def test_servers_that_say_the_same_are_named_together() -> None:
    pages = (master(), *(page(0, server=f"rs{n},16020,1", project="") for n in range(6)))
    text = one("bt.site-keys", view(pages))[1]
    assert text.count("google.bigtable.project.id") == 1 and "and 3 more: " in text


def test_a_server_whose_pages_cannot_be_read_is_unknown_and_so_is_one_nobody_asked() -> None:
    shut = (master(), page(0, server=RS1), page(0, server=RS2, error="connection refused"))
    found = checked(view(shut))
    for name in ("bt.library", "bt.site-keys", "bt.abort", "bt.bulk-loads", "bt.credentials"):
        assert found[name].severity == "unknown" and "connection refused" in found[name].text
    said = (
        page(0, server=f"rs{n},16020,1", error=f"the pages of rs{n},16020,1 could not be read: timed out")
        for n in (1, 2)
    )
    assert one("bt.abort", view((master(), *said)))[1] == f"{RS1}, {RS2}: its pages could not be read (timed out)"
    few = view((master(), page(0, server=RS1)))
    who = dataclasses.replace(few.source.identity.value, servers=(RS1, RS2))  # type: ignore[type-var]
    some = dataclasses.replace(few, source=dataclasses.replace(few.source, identity=Observed(who, T0)))
    assert one("bt.library", some) == ("unknown", f"{RS2}: its pages were not read")
    assert one("bt.library", view((page(0, server=RS1),)))[1] == "the master: its pages were not read"


@pytest.mark.parametrize(("settings", "severity"), [
    ({"keyfile": ""}, "block"), ({"value": "(set)"}, "warn"), ({"enable": "true"}, "block"), ({}, "ok"),
])  # fmt: skip
def test_credentials_are_judged_by_the_key_the_library_takes_first(settings: dict[str, str], severity: str) -> None:
    named = {"keyfile": library.KEY_FILE, "value": f"?{library.JSON_VALUE}", "enable": library.NULL_CREDENTIAL}
    site = {named[key]: value for key, value in settings.items()}
    pages = list(servers())
    merged = {k: v for k, v in {**pages[1].settings, **site}.items() if v}
    pages[1] = dataclasses.replace(pages[1], settings=merged)
    assert one("bt.credentials", view(pages))[0] == severity


def test_a_key_in_the_configuration_itself_is_said_to_end_up_in_the_log() -> None:
    pages = list(servers())
    pages[1] = dataclasses.replace(pages[1], settings={**pages[1].settings, f"?{library.JSON_VALUE}": "(set)"})
    assert "writes it to the log" in one("bt.credentials", view(pages))[1]


def test_an_emulator_needs_its_address_and_no_credentials() -> None:
    assert one("bt.credentials", view(settled(RS1, google__bigtable__auth__json__keyfile="")), EMULATED)[0] == "ok"
    severity, text = one("bt.site-keys", view(), EMULATED)
    assert severity == "warn" and "BIGTABLE_EMULATOR_HOST" in text


def test_a_server_without_the_key_file_that_others_have_blocks_and_none_anywhere_is_a_warning() -> None:
    bare = settled(RS1, google__bigtable__auth__json__keyfile="")
    severity, text = one("bt.credentials", view(bare))
    assert severity == "block"
    assert text.startswith(f"{RS1}: {library.KEY_FILE} is not set, and {RS2} has credentials")
    everywhere = tuple(page(0, server=server, keyfile="") for server in (RS1, RS2))
    severity, text = one("bt.credentials", view((master(), *everywhere)))
    assert severity == "warn" and "application default" in text
    assert one("bt.credentials", view((master(keyfile=""), *servers()[1:])))[0] == "ok", "a master never connects"


def test_a_key_file_under_another_path_is_a_warning_that_names_both() -> None:
    severity, text = one("bt.credentials", view(settled(RS1, google__bigtable__auth__json__keyfile="/opt/key.json")))
    assert severity == "warn"
    assert f"{RS1}: the key file is /opt/key.json, and elsewhere /etc/hbase/key.json" in text


@pytest.mark.parametrize(("host", "wish", "severity", "says"), [
    ("bigtable.googleapis.com", WISH, "ok", ""),
    ("proxy.corp", WISH, "block", "which is not the service"),
    ("bigtable.googleapis.com.evil.org", WISH, "block", "which is not the service"),
    ("bigtable-shop.p.googleapis.com", WISH, "warn", "another way into the service"),
    ("bigtable.googleapis.com", EMULATED, "block", "it ships there, not to 127.0.0.1:8086"),
    ("127.0.0.1", EMULATED, "warn", "to which port is not seen"),
])  # fmt: skip
def test_an_endpoint_host_that_leads_elsewhere_is_named(
    host: str, wish: BigtableWish, severity: str, says: str
) -> None:
    site = {library.ENDPOINT_HOST: host} | ({library.EMULATOR: wish.emulator} if wish.emulator else {})
    pages = tuple(dataclasses.replace(f, settings={**f.settings, **site}) for f in servers())
    found, text = one("bt.site-keys", view(pages), wish)
    assert found == severity and says in text and (severity == "ok" or library.ENDPOINT_HOST in text)
    assert one("bt.site-keys", view((pages[0], *servers()[1:])), wish)[0] in ("ok", "warn"), "a master never connects"


@pytest.mark.parametrize(("address", "severity"), [
    ("127.0.0.1:8086", "ok"), ("localhost:8086", "ok"), ("127.0.0.1:9999", "warn"), ("bt-emulator:8086", "warn"),
])  # fmt: skip
def test_servers_that_ship_to_another_emulator_are_named(address: str, severity: str) -> None:
    site = {library.EMULATOR: address}
    pages = tuple(dataclasses.replace(f, settings={**f.settings, **site}) for f in servers())
    found, text = one("bt.site-keys", view(pages), EMULATED)
    assert found == severity
    assert severity == "ok" or f"is {address}, and this migration's is 127.0.0.1:8086" in text


def test_bulk_loads_that_are_not_replicated_are_a_warning_with_what_to_do() -> None:
    severity, text = one("bt.bulk-loads", view())
    assert severity == "warn"
    assert "Make none into these tables from add-peer until the switch, or copy the table again" in text


def test_the_way_back_is_compared_in_the_preflight_where_one_is_wanted() -> None:
    assert "bt.way-back" not in checked(view())
    wish = dataclasses.replace(WISH, way_back=("FROM_HBASE", "FROM_CBT"))
    severity, text = one("bt.way-back", view(), wish)
    assert severity == "warn", "the gate before the switch may be accepted"
    assert text.startswith(f"{RS1}, {RS2}: does not run with {library.BIDIRECTIONAL}=true") and "restart" in text
    fits = {library.BIDIRECTIONAL: "true", library.HBASE_QUALIFIER: "FROM_HBASE", library.CBT_QUALIFIER: "FROM_CBT"}
    pages = tuple(dataclasses.replace(f, settings={**f.settings, **fits}) for f in servers())
    assert one("bt.way-back", view(pages), wish)[0] == "ok"
    half = (*pages[:2], dataclasses.replace(pages[2], settings={**pages[2].settings, library.CBT_QUALIFIER: "X"}))
    assert one("bt.way-back", view(half), wish)[1].startswith(f"{RS2}: runs with {library.CBT_QUALIFIER}=X")
    assert one("bt.way-back", view((*pages[:2], page(0, server=RS2, error="refused"))), wish)[0] == "unknown"


def test_settings_that_hurt_block() -> None:
    assert one("bt.abort", view(servers(abort="false")))[0] == "block"
    assert one("bt.bulk-loads", view(servers(bulkload="true")))[0] == "block"
    assert one("bt.peer-config", view(servers(base_config="a=b")))[0] == "warn"
    assert one("bt.deletefamily", view(servers(threshold="1000")))[0] == "warn"
    assert one("bt.deletefamily", view(servers(threshold="900000")))[0] == "ok"


def test_an_adapter_that_the_library_never_reads_is_said() -> None:
    pages = list(servers())
    pages[1] = dataclasses.replace(pages[1], settings={**pages[1].settings, library.CUSTOM_ADAPTER: "a.B"})
    assert one("bt.adapter", view(pages))[0] == "warn"


# ---- the source


@pytest.mark.parametrize(("version", "severity"), [
    ("2.3.7", "ok"), ("2.4.0", "block"), ("2.4.8", "block"), ("2.4", "block"), ("2.4.9", "ok"), ("2.6.4-hadoop3", "ok"),
    ("1.3.6", "warn"), ("1.4.14", "ok"), ("3.0.0-beta-1", "warn"), ("cdh", "unknown"),
])  # fmt: skip
def test_lines_that_refuse_the_peer_are_refused(version: str, severity: str) -> None:
    assert one("bt.hbase-line", view(version=version))[0] == severity


def test_a_namespaced_table_is_refused_with_the_way_out() -> None:
    wishes = (TableWish("shop:orders"),)
    severity, text = one("bt.namespaces", view(tables=[table("shop:orders")]), tables=wishes)
    assert severity == "block" and "clone_snapshot to orders" in text
    assert one("bt.names", view(tables=[table("shop:orders")]), tables=wishes)[0] == "ok", "said once"


def test_names_bigtable_refuses_block_by_table_and_by_family() -> None:
    long = table("x" * 51, families=[family("f" * 65)])
    severity, text = one("bt.names", view(tables=[long]), tables=(TableWish(long.name),))
    assert severity == "block" and "51 characters" in text and "65 characters" in text
    assert one("bt.names", view(tables=[]), tables=ORDERS)[0] == "unknown"


def test_a_peer_of_ours_is_known_by_its_endpoint_and_has_no_config() -> None:
    assert one("peer-free", view(peers=[bigtable_peer(enabled=False)]))[0] == "ok"
    hbase = bigtable_peer(endpoint="")
    assert one("peer-free", view(peers=[hbase])) == (
        "block", "prod already has a peer ferry that is not ours: its endpoint is that of HBase"
    )  # fmt: skip
    assert one("peer-free", view(peers=[bigtable_peer(config={library.DRY_RUN: "true"})]))[0] == "block"


def test_another_bigtable_peer_is_a_warning_and_with_other_keys_a_block() -> None:
    alike = bigtable_peer("other", table_cfs={"elsewhere": ()})
    assert one("bt.other-peers", view(peers=[alike]))[0] == "warn"
    unlike = dataclasses.replace(alike, config={library.PROJECT: "another"})
    severity, text = one("bt.other-peers", view(peers=[unlike]))
    assert severity == "block" and "started first" in text
    hbase = bigtable_peer("dr", endpoint="", table_cfs={"elsewhere": ()})
    assert one("bt.other-peers", view(peers=[hbase]))[0] == "ok"


def test_a_dry_run_says_where_to_look_for_the_keys_and_blocks_once_such_a_peer_fails() -> None:
    wish = dataclasses.replace(WISH, dry_run=True)
    severity, text = one("bt.dry-run", view(), wish)
    assert severity == "warn" and "core-site.xml" in text
    trial: Peer = bigtable_peer("trial", config={library.DRY_RUN: "true"}, table_cfs={})
    broken = view(peers=[trial], queues=[queue(RS1, "trial", running=False)])
    assert one("bt.dry-run", broken, wish)[0] == "block"
    assert one("bt.dry-run", view(peers=[trial], queues=[queue(RS1, "trial")]), wish)[0] == "warn"


def test_a_table_that_skips_its_wal_blocks() -> None:
    assert one("durability", view(tables=[table(durability="SKIP_WAL")]))[0] == "block"


# ---- the instance


def test_multi_cluster_routing_blocks_with_what_it_does_to_the_order() -> None:
    severity, text = one("bt.routing", view(), dataclasses.replace(WISH, app_profile=""))
    assert severity == "block" and "app profile default routes to several clusters" in text and "order" in text


def test_a_profile_that_does_not_exist_blocks_and_the_others_are_named() -> None:
    severity, text = one("bt.routing", view(), dataclasses.replace(WISH, app_profile="typo"))
    assert severity == "block" and "it has default, migration-single" in text


@pytest.mark.parametrize(("check", "what"), [
    ("bt.instance", "instance"), ("bt.clusters", "clusters"), ("bt.routing", "profiles"),
    ("bt.permissions", "permissions"),
])  # fmt: skip
def test_what_the_instance_does_not_say_is_unknown_with_its_reason(check: str, what: str) -> None:
    reason: Mapping[str, str] = {f"unknown__{what}": "501 unimplemented"}
    severity, text = one(check, told(**reason))
    assert severity == "unknown" and "501 unimplemented" in text
    assert one(check, told())[0] == "unknown"


def test_states_of_instance_and_clusters_are_judged_by_whether_they_serve() -> None:
    assert one("bt.instance", told(instance__state="CREATING"))[0] == "block"
    routed = {"profile__migration-single__routing": "single:c1"}
    assert one("bt.clusters", told(cluster__c1__state="DISABLED", cluster__c2__state="READY", **routed))[0] == "block"
    assert one("bt.clusters", told(cluster__c1__state="READY", cluster__c2__state="DISABLED", **routed))[0] == "warn"
    assert one("bt.clusters", told(cluster__c1__state="RESIZING", **routed))[0] == "ok"
    assert one("bt.clusters", told(cluster__c1__state="CREATING"))[0] == "block"


def test_a_permission_that_lacks_blocks_by_name() -> None:
    settings = {"permission.bigtable.tables.create": "missing", "permission.bigtable.tables.get": "granted"}
    severity, text = one("bt.permissions", view(target=instance(settings=settings)))
    assert severity == "block" and text.endswith("bigtable.tables.create")


def test_tables_that_are_there_already_are_right_only_if_empty_which_is_not_visible() -> None:
    severity, text = one("bt.target-tables", view(target=instance(there())))
    assert severity == "warn" and "right if empty, which is not visible here" in text


def test_counters_of_a_live_peer_change_no_check() -> None:
    live = (master(), page(0, metrics(), server=RS1), page(0, server=RS2))
    assert {n: f.severity for n, f in checked(view(live)).items()} == {
        n: f.severity for n, f in checked(view()).items()
    }
