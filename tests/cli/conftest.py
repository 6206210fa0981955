"""Every command of one test meets the same embedded pair."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.pair import TO_BIGTABLE, Pair

from hbase_ferry import wiring
from hbase_ferry.cluster.simulator.embedded_bigtable import embedded_bigtable
from hbase_ferry.migration.settings import Settings


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    return met(Pair(tmp_path), tmp_path, monkeypatch)


@pytest.fixture
def to_bigtable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """The source and a simulated instance."""
    return met(Pair(tmp_path, TO_BIGTABLE, embedded_bigtable), tmp_path, monkeypatch)


def met(made: Pair, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Has every command meet this pair."""
    build: Callable[..., wiring.Ferry] = wiring.build

    def on_the_pair(settings: Settings, **chosen: Any) -> wiring.Ferry:
        return build(settings, **{"clock": made.clock, "world": made.world, **chosen})

    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setattr(wiring, "build", on_the_pair)
    return made
