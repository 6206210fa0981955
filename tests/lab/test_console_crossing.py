"""The whole crossing on real clusters from the screen: every step by keys, under live writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from by_keys import cross_by_keys
from real_crossing import RealCrossing

from lab import Lab

pytestmark = pytest.mark.lab


def test_a_table_crosses_by_keys_under_live_writes(lab: Lab, tmp_path: Path) -> None:
    crossing = RealCrossing(lab, tmp_path, "bykeys", rows=50_000)
    try:
        cross_by_keys(crossing)
        crossing.assert_crossed()
    finally:
        crossing.close()
