"""The whole crossing on real clusters under live writes: through the service, locally and over SSH."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_crossing import RealCrossing

from hbase_ferry.model.cluster import Side
from lab import Lab

pytestmark = pytest.mark.lab


def test_a_table_crosses_under_live_writes_and_every_row_of_the_ledger_is_there(lab: Lab, tmp_path: Path) -> None:
    crossing = RealCrossing(lab, tmp_path, "service", rows=200_000)
    try:
        crossing.run()
        crossing.assert_crossed()
        assert int(str(crossing.written["puts"])) > 5_000
    finally:
        crossing.close()


def test_one_family_crosses_over_ssh_under_live_writes(lab_with_ssh: Lab, tmp_path: Path) -> None:
    crossing = RealCrossing(lab_with_ssh, tmp_path, "overssh", rows=20_000, transport="ssh", families=("d",))
    try:
        crossing.run()
        crossing.assert_crossed()
        target = crossing.ferry.service.view.side(Side.TARGET).table(crossing.table)
        assert target is not None and [family.name for family in target.families] == ["d"]
    finally:
        crossing.close()
