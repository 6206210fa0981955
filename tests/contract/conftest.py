"""One backend at a time for the whole suite, and a table of what was compared at the end of the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from backends import Backend, real, simulated
from lab.standalone import ALWAYS, MATRIX, Standalone

LAB = "lab 2.6"
_outcomes: dict[tuple[str, str], str] = {}
_checks: dict[str, None] = {}
_methods: dict[str, set[str]] = {}

BACKENDS = [
    pytest.param("simulator", id="simulator"),
    pytest.param(LAB, id="2.6", marks=pytest.mark.lab),
    *(pytest.param(version, id=version, marks=pytest.mark.lab) for version in reversed(ALWAYS)),
    *(pytest.param(version, id=version, marks=[pytest.mark.lab, pytest.mark.matrix]) for version in MATRIX),
]


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    made = simulated() if request.param == "simulator" else _real(request)
    _methods[made.name] = made.seen
    yield made
    made.cluster.close()


def _real(request: pytest.FixtureRequest) -> Backend:
    lab = request.getfixturevalue("lab")
    if request.param == LAB:
        return real(LAB, lab.source, lab.target.cluster_key)
    standalone: Callable[[str], Standalone] = request.getfixturevalue("standalone")
    return real(request.param, standalone(request.param), lab.target.cluster_key)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    callspec = getattr(item, "callspec", None)
    if callspec is None or "backend" not in callspec.params:
        return
    if report.when == "call" or report.outcome != "passed":
        name = str(callspec.params["backend"])
        check = item.originalname.removeprefix("test_").replace("_", " ")  # type: ignore[attr-defined]
        word = {"passed": "same", "failed": "DIFFERS", "skipped": "n/a"}[report.outcome]
        _checks[check] = None
        if _outcomes.get((check, name)) != "DIFFERS":
            _outcomes[check, name] = word


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _outcomes:
        return
    names = list(dict.fromkeys(name for _, name in _outcomes))
    width = max(len(check) for check in _checks)
    lines = [f"{'':{width}}  " + "".join(f"{name:>14}" for name in names)]
    for check in _checks:
        lines.append(f"{check:{width}}  " + "".join(f"{_outcomes.get((check, name), '-'):>14}" for name in names))
    lines.append("wire methods answered: " + ", ".join(f"{name} {len(seen)}" for name, seen in _methods.items()))
    terminalreporter.section("the wire, compared")
    for line in lines:
        terminalreporter.line(line)
    if path := os.environ.get("HBASE_FERRY_CONTRACT_REPORT"):
        with open(path, "w") as file:
            file.write("\n".join(lines) + "\n")
