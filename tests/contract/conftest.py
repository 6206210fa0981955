"""One backend at a time for each suite, and a table of what each compared at the end of the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from backends import ANSWERED, Backend, real, simulated
from lab.standalone import ALWAYS, MATRIX, Standalone

LAB = "lab 2.6"
_outcomes: dict[str, dict[tuple[str, str], str]] = {}
"by suite (the module's TITLE): (check, backend) -> what came out"

BACKENDS = [
    pytest.param("simulator", id="simulator"),
    pytest.param(LAB, id="2.6", marks=pytest.mark.lab),
    *(pytest.param(version, id=version, marks=pytest.mark.lab) for version in reversed(ALWAYS)),
    *(pytest.param(version, id=version, marks=[pytest.mark.lab, pytest.mark.matrix]) for version in MATRIX),
]


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    made = simulated() if request.param == "simulator" else _real(request)
    ANSWERED[made.name] = made.seen
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
        suite = _outcomes.setdefault(item.module.TITLE, {})  # type: ignore[attr-defined]
        if suite.get((check, name)) != "DIFFERS":
            suite[check, name] = word


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    written: list[str] = []
    for title, outcomes in _outcomes.items():
        lines = list(_table(outcomes))
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.line(line)
        written += lines
    if written and (path := os.environ.get("HBASE_FERRY_CONTRACT_REPORT")):
        with open(path, "w") as file:
            file.write("\n".join(written) + "\n")


def _table(outcomes: dict[tuple[str, str], str]) -> Iterator[str]:
    names = list(dict.fromkeys(name for _, name in outcomes))
    checks = list(dict.fromkeys(check for check, _ in outcomes))
    width = max(len(check) for check in checks)
    yield f"{'':{width}}  " + "".join(f"{name:>14}" for name in names)
    for check in checks:
        yield f"{check:{width}}  " + "".join(f"{outcomes.get((check, name), '-'):>14}" for name in names)
    answered = ", ".join(f"{name} {len(ANSWERED[name])}" for name in names if name in ANSWERED)
    yield f"wire methods answered: {answered}"
