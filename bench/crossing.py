"""A small crossing through the service, against its actions done one by one in JVMs started for each.

First the whole plan runs on the lab through the service, with every look, gate, proof and wait. Then the same actions,
as the journal has them, are sent again for a table like the first one: each in an agent started fresh for it, each
job in the foreground. That second way looks at nothing and waits for nothing; an operator looks at least once after
each command, so a third figure adds one read in a one-shot JVM after each. Jobs take the same time in all.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import median
from bench.servers import one_shot, opened, the_lab
from hbase_ferry.errors import FerryError
from hbase_ferry.migration.config import parse
from hbase_ferry.migration.settings import Settings
from hbase_ferry.model.cluster import Side
from hbase_ferry.model.event import EventKind
from hbase_ferry.model.view import View
from hbase_ferry.wiring import build
from lab import Lab

ROWS = 10_000
REGIONS = 4


@dataclass(frozen=True)
class Sent:
    """One action of the plan, as the journal's intent has it."""

    side: Side
    method: str
    params: dict[str, Any]


def run() -> None:
    """Prints both ways, in total and outside the jobs."""
    lab = the_lab()
    names = [f"bench{secrets.token_hex(3)}" for _ in range(2)]
    settings = _settings(lab, names[0])
    ids: dict[Side, str] = {}
    try:
        for name in names:
            work = lab.workload(name)
            work.create(REGIONS)
            work.load(ROWS)
        sent, run_id, total, in_jobs = through_service(settings, ids)
        print(f"{len(sent)} actions, {sum(each.method == 'job.start' for each in sent)} of them jobs; {ROWS} rows")
        again = _renamed(sent, {names[0]: names[1], run_id: secrets.token_hex(3)})
        each, alone = one_by_one(settings, again, ids)
        look = median([one_shot(settings.source, "peers.list", {"max": 100})[0] for _ in range(3)])
        _print(total, in_jobs, sum(each) + alone, alone, look * len(sent))
    finally:
        _tidy(settings, names)
        for folder in (Path(settings.journal).parent, *(lab.root / "workload" / name for name in names)):
            shutil.rmtree(folder, ignore_errors=True)


def _print(total: float, in_jobs: float, single: float, alone: float, looks: float) -> None:
    print(f"\n{'':44}{'total':>9}{'in jobs':>10}{'outside':>10}{'ratio outside':>15}{'ratio total':>13}")
    outside = total - in_jobs
    for name, whole, jobs in (
        ("through the service, looks and proofs included", total, in_jobs),
        ("one-shot JVMs, looking at nothing", single, alone),
        ("one-shot JVMs, one look after each action", single + looks, alone),
    ):
        ratios = f"{(whole - jobs) / outside:>14.2f}x{whole / total:>12.2f}x"
        print(f"{name:44}{whole:>7.1f} s{jobs:>8.1f} s{whole - jobs:>8.1f} s{ratios}")


def _settings(lab: Lab, name: str) -> Settings:
    folder = tempfile.mkdtemp(prefix="hbase-ferry-bench-")
    text = lab.config_yaml(tables=[f"lab:{name}"], name=name, peer_id=f"ferry_{name}",
                           journal=str(Path(folder) / "journal"))  # fmt: skip
    return parse(text, f"{name}.yaml")


def through_service(settings: Settings, ids: dict[Side, str]) -> tuple[list[Sent], str, float, float]:
    """The whole plan. Returns what was sent, the run's id, seconds in total and seconds in which a job ran."""
    ferry = build(settings, acting=True)
    begun = time.monotonic()
    try:
        for step in ferry.service.plan.steps:
            for _ in ferry.service.execute(step.id, ferry.service.preview(step.id).confirmation.expected):
                pass
        total = time.monotonic() - begun
        view = ferry.service.view
        intents = [event for event in ferry.service.events() if event.kind is EventKind.INTENT]
    finally:
        ferry.close()
    for side in Side:
        identity = view.side(side).identity.value
        ids[side] = identity.cluster_id if identity else ""
    sent = [_sent(dict(event.data)) for event in intents]
    return sent, ferry.service.run_id, total, _in_jobs(view)


def _sent(data: dict[str, Any]) -> Sent:
    return Sent(Side(data["side"]), str(data["method"]), dict(data["params"]))


def _in_jobs(view: View) -> float:
    """Seconds in which at least one job ran."""
    spans = sorted((job.started_ms, job.ended_ms) for job in view.jobs.values() if job.started_ms and job.ended_ms)
    covered, until = 0.0, 0
    for start, end in spans:
        covered += max(0, end - max(start, until))
        until = max(until, end)
    return covered / 1000


def _renamed(sent: Sequence[Sent], names: dict[str, str]) -> list[Sent]:
    """The same actions for another table of the same shape, under another run id."""
    text = json.dumps([each.params for each in sent])
    for old, new in names.items():
        text = text.replace(old, new)
    return [Sent(each.side, each.method, params) for each, params in zip(sent, json.loads(text), strict=True)]


def one_by_one(settings: Settings, sent: Sequence[Sent], ids: dict[Side, str]) -> tuple[list[float], float]:
    """Seconds of each action in a JVM of its own, and of all jobs in the foreground."""
    took, jobs = [], 0.0
    for action in sent:
        side = settings.side(action.side)
        if action.method == "job.start":
            begun = time.monotonic()
            environment = os.environ | dict(side.env) | action.params["env"]
            done = subprocess.run(action.params["argv"], env=environment, capture_output=True, text=True, check=False)
            jobs += time.monotonic() - begun
            if done.returncode:
                print(f"  {action.params['id']} ended with {done.returncode}: {done.stderr[-300:]}")
            continue
        begun = time.monotonic()
        try:
            one_shot(side, action.method, action.params, action.side, ids[action.side])
        except FerryError as error:
            print(f"  {action.method} on {side.name}: {error}")
        took.append(time.monotonic() - begun)
    return took, jobs


def _tidy(settings: Settings, names: Sequence[str]) -> None:
    """Takes the benchmark's tables, peers and snapshots off both clusters, whatever happened before."""
    tables = [f"lab:{name}" for name in names]
    for side in Side:
        cluster = opened(settings.side(side), side)
        try:
            cluster.pin(cluster.call("cluster.identity", {"settings": []}).cluster_id)
            for peer in cluster.call("peers.list", {"max": 100}).items:
                if peer.id in [f"ferry_{name}" for name in names]:
                    cluster.call("peer.remove", {"id": peer.id})
            for snapshot in cluster.call("snapshots.list", {"max": 1000}).items:
                if snapshot.table in tables:
                    cluster.call("snapshot.delete", {"name": snapshot.name})
            for table in cluster.call("tables.list", {"max": 10, "names": [*tables]}).items:
                if table.enabled:
                    cluster.call("table.disable", {"table": table.name})
                cluster.call("table.drop", {"table": table.name})
        finally:
            cluster.close()
