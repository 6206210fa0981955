"""Fixtures for tests on real servers, and what happens where there are none.

A machine without Java, Maven or the jars skips them and says so in words at the end of the run; with `CI` set that is
a failure. Matrix tests run only where `-m matrix` asks for them (make test-matrix), slow ones where `-m slow` does.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from lab.bigtable import JAR_VARIABLE
from lab.standalone import standalone as run_standalone

from lab import BigtableLab, Lab, Standalone, Unavailable

AnyLab = TypeVar("AnyLab", Lab, BigtableLab)
ON_DEMAND = ("matrix", "slow")
_absent: set[str] = set()

for _jar in sorted(Path(__file__).parents[2].glob("shared/lab/bigtable/bigtable-hbase-2.x-replication-*.jar")):
    os.environ.setdefault(JAR_VARIABLE, str(_jar))


def _without_servers(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"no real servers, and this is CI: {why}", pytrace=False)
    _absent.add(why)
    pytest.skip(f"no real servers: {why}")


def _running(kind: type[AnyLab]) -> Iterator[AnyLab]:
    if os.environ.get("HBASE_FERRY_LAB_ATTACH"):
        yield kind.attach()
        return
    try:
        running = kind.up(owned=True)
    except Unavailable as error:
        _without_servers(str(error))
    try:
        yield running
    finally:
        running.down()


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Two real clusters of this session, empty at its start; see `lab.Lab`. Give each test its own names.

    HBASE_FERRY_LAB_ATTACH=1 takes the lab of `make lab` instead and leaves it running.
    """
    yield from _running(Lab)


@pytest.fixture(scope="session")
def lab_with_ssh(lab: Lab) -> Lab:
    """The same lab, where its edge nodes can be logged in to; without openssh-server skipped as loudly."""
    if lab.source.ssh is None:
        _without_servers("openssh-server is not installed")
    return lab


@pytest.fixture(scope="session")
def bigtable_lab() -> Iterator[BigtableLab]:
    """A real source with Google's replication endpoint, and a Bigtable emulator, of this session; see `BigtableLab`.

    Give each test its own tables and peers, and leave the servers as they were. HBASE_FERRY_LAB_ATTACH=1 takes the lab
    of `make lab-bigtable` instead and leaves it running.
    """
    yield from _running(BigtableLab)


@pytest.fixture(scope="session")
def standalone() -> Iterator[Callable[[str], Standalone]]:
    """`standalone("2.4.18")`: a server of that line, started once a session."""
    servers: dict[str, Standalone] = {}
    with contextlib.ExitStack() as stack:

        def get(version: str) -> Standalone:
            if version not in servers:
                try:
                    servers[version] = stack.enter_context(run_standalone(version))
                except Unavailable as error:
                    _without_servers(str(error))
            return servers[version]

        yield get


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the matrix and what is slow, unless it was asked for."""
    asked = config.getoption("markexpr") or ""
    unasked = [marker for marker in ON_DEMAND if marker not in asked]
    left = [item for item in items if any(item.get_closest_marker(marker) for marker in unasked)]
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that the tests on real servers did not run."""
    if _absent:
        terminalreporter.section("TESTS ON REAL HBASE SERVERS WERE SKIPPED", sep="!", red=True, bold=True)
        for why in sorted(_absent):
            terminalreporter.line(why)
