"""Ways across that the demo does not take: through a staging folder, and from a source of another line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hbase_ferry.cluster.simulator.embedded import CUSTOMERS, demo_settings, embedded_pair
from hbase_ferry.errors import StepFailed
from hbase_ferry.migration.core import StepState
from hbase_ferry.migration.service import MigrationService
from hbase_ferry.migration.settings import ExportSettings
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import EventKind
from migration.embedded import ORDERS, Crossing, run

STAGING = ExportSettings(staging_source="hdfs://prod-bj/staging/", staging_target="hdfs://emr6/landing")


def assert_all_there(crossing: Crossing, service: MigrationService) -> None:
    view = service.observe()
    assert [s.step.id for s in service.status(view) if s.state is not StepState.DONE] == []
    for table in crossing.settings.tables:
        assert crossing.differences(table.name) == 0
    for side in Side:
        assert not [s.name for s in view.side(side).snapshots.current or () if s.name.startswith("ferry-")]


def started(service: MigrationService) -> list[tuple[str, list[str]]]:
    """(side, argv) of every job that was started, in order."""
    sent = [e.data for e in service.events() if e.kind is EventKind.INTENT and e.data["method"] == "job.start"]
    return [(str(d["side"]), list(d["params"]["argv"])) for d in sent]  # type: ignore[index,call-overload,arg-type]


def test_two_tables_cross_through_a_staging_folder_although_a_copy_failed(tmp_path: Path) -> None:
    """Nothing is lost, and neither folder keeps its copy of the history."""
    crossing = Crossing(tmp_path, dataclasses.replace(demo_settings(tables=(ORDERS, CUSTOMERS)), export=STAGING))
    service = crossing.service()
    run(service, "release-splits")
    with pytest.raises(StepFailed, match="exit code 1"):
        for event in service.execute(f"export:{ORDERS}"):
            if event.kind is EventKind.PROGRESS and "copy-1-1 is running" in event.text:
                crossing.world.jobs.fail(Side.SOURCE, "00c0de-copy-1-1")
    run(service)
    assert_all_there(crossing, service)
    copies = [argv for side, argv in started(service) if side == "source" and "distcp" in argv]
    assert [argv[-1].rsplit("_", 1)[1] for argv in copies] == ["orders", "orders", "customers"]
    read = {argv[argv.index("-copy-from") + 1] for side, argv in started(service) if "-copy-from" in argv}
    assert read == {f"hdfs://emr6/landing/ferry-00c0de/ferry-00c0de-shop_{t}" for t in ("orders", "customers")}
    assert [uri for uri in crossing.world.areas if "/staging" in uri or "/landing" in uri] == []


def test_jindo_distcp_is_given_its_own_options(tmp_path: Path) -> None:
    export = dataclasses.replace(STAGING, copy_tool=("hadoop", "jar", "/opt/jindo-distcp-4.6.jar"))
    crossing = Crossing(tmp_path, dataclasses.replace(demo_settings(), export=export))
    service = crossing.service()
    run(service, f"restore:{ORDERS}")
    copy = next(argv for _, argv in started(service) if "jar" in argv)
    assert copy[3:7] == ["--src", "hdfs://prod-bj/staging/ferry-00c0de/ferry-00c0de-shop_orders",
                         "--dest", "hdfs://emr6/landing/ferry-00c0de/ferry-00c0de-shop_orders"]  # fmt: skip


@pytest.mark.parametrize("version", ["1.4.14", "3.0.0"])
def test_a_source_of_another_line_crosses(tmp_path: Path, version: str) -> None:
    """1.4: the peer is added enabled and disabled at once, the scope is still 0 then; no split switch is held."""
    crossing = Crossing(tmp_path)
    crossing.world = embedded_pair(7, crossing.clock, source_version=version)
    service = crossing.service()
    run(service)
    assert_all_there(crossing, service)
