"""Every command of one test meets the same embedded pair."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.pair import Pair

from hbase_ferry import wiring
from hbase_ferry.migration.settings import Settings


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    made = Pair(tmp_path)
    build: Callable[..., wiring.Ferry] = wiring.build

    def on_the_pair(settings: Settings, **chosen: Any) -> wiring.Ferry:
        return build(settings, **{"clock": made.clock, "world": made.world, **chosen})

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(wiring, "build", on_the_pair)
    return made
