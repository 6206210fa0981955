"""The way back: the qualifiers of both directions are compared on every server, and keep the switch closed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hbase_ferry.insight.bigtable import library
from hbase_ferry.insight.bigtable.wayback import way_back
from hbase_ferry.migration.bigtable.settings import WayBackSettings
from hbase_ferry.migration.core import Gate
from hbase_ferry.model.cluster import ServerFacts, Side
from migration.embedded import Crossing, bigtable_settings, run

READY = {library.BIDIRECTIONAL: "true", library.HBASE_QUALIFIER: "FROM_HBASE", library.CBT_QUALIFIER: "FROM_CBT"}


def server(name: str = "rs1,16020,1", error: str = "", **changes: str | None) -> ServerFacts:
    """A region server's page; `changes`: hbase, cbt or both ways, None: not set there."""
    named = {"hbase": library.HBASE_QUALIFIER, "cbt": library.CBT_QUALIFIER, "ways": library.BIDIRECTIONAL}
    settings = READY | {named[key]: value for key, value in changes.items()}
    kept = {key: value for key, value in settings.items() if value is not None}
    return ServerFacts(name, "region server", 0, {} if error else kept, error=error)


@pytest.mark.parametrize(
    ("servers", "ok", "said"),
    [
        ([server(), server("rs2,16020,1")], True, "2 region servers and the stream back use the same qualifiers"),
        ([server(), server("rs2,16020,1", cbt="OTHER")], False, "rs2,16020,1 runs with"),
        ([server(hbase=None)], False, "=SOURCE_HBASE, the stream back with FROM_HBASE: it would loop"),
        ([server(ways=None)], False, f"does not run with {library.BIDIRECTIONAL}=true"),
        ([server(), server("rs2,16020,1", error="timeout")], None, "the qualifiers of rs2,16020,1 were not seen"),
        ([], None, "the qualifiers of the region servers were not seen"),
    ],
)
def test_every_server_has_to_know_both_marks_of_the_stream_back(
    servers: list[ServerFacts], ok: bool | None, said: str
) -> None:
    found = way_back(servers, "FROM_HBASE", "FROM_CBT")
    assert found.ok is ok and said in found.text


def gates(crossing: Crossing, step: str, **settings: str) -> list[Gate]:
    """The gate before that step, with servers that run with these settings."""
    service = crossing.service()
    pages = crossing.world.clusters[Side.SOURCE].pages
    pages.settings.update(settings)
    crossing.clock.sleep(30)
    service.observe()
    return [gate for gate in service.preview(step).gates if gate.name == "way-back"]


@pytest.mark.parametrize("step", ["stop-writers", "switch"])
def test_the_cutover_stays_closed_where_a_stream_back_would_loop_and_only_where_one_is_wanted(
    tmp_path: Path, step: str
) -> None:
    wanted = bigtable_settings(way_back=WayBackSettings("FROM_HBASE", "FROM_CBT"))
    crossing = Crossing(tmp_path, wanted)
    (closed,) = gates(crossing, step)
    assert closed.open is False and closed.waivable and not closed.warning
    (fits,) = gates(crossing, step, **READY)
    assert fits.open is True
    crossing.settings = dataclasses.replace(wanted, target=bigtable_settings().target)
    assert not gates(crossing, step)


def test_the_preflight_warns_of_it_long_before_and_goes_on(tmp_path: Path) -> None:
    crossing = Crossing(tmp_path, bigtable_settings(way_back=WayBackSettings("FROM_HBASE", "FROM_CBT")))
    service = crossing.service()
    run(service, "preflight")
    (warned,) = (g for g in service.preview("preflight").gates if g.name == "preflight.bt.way-back")
    assert warned.open is False and warned.warning and "keeps stop-writers and switch closed" in warned.text
    assert service.view.proof("preflight", "migration") is not None
