"""The command line on the embedded pair: one world and one clock for all commands of a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from hbase_ferry import wiring
from hbase_ferry.cli import main as cli
from hbase_ferry.cluster.simulator.clock import SteppingClock
from hbase_ferry.cluster.simulator.embedded import embedded_pair
from hbase_ferry.cluster.simulator.world import World

CONFIG = """
name: orders-to-emr6
source: {name: prod-bj, transport: simulated}
target: {name: emr6, transport: simulated}
tables: ["shop:orders"]
peer_id: ferry_orders
poll_seconds: 1
"""


TO_BIGTABLE = """
name: orders-to-bigtable
source: {name: prod-bj, transport: simulated}
target:
  name: bt-prod
  transport: simulated
  bigtable: {project: shop-prod, instance: shop-bigtable, app_profile: ferry}
tables: [customers]
peer_id: ferry_customers
poll_seconds: 1
"""


class Pair:
    """A configuration file, a world that outlives each command, and the commands."""

    def __init__(
        self, folder: Path, settings: str = CONFIG, world: Callable[..., World] = embedded_pair
    ) -> None:
        self.clock = SteppingClock(wiring.DEMO_START)
        self.world = world(seed=7, clock=self.clock)
        self.journal = folder / "ferry.journal"
        self.config = folder / "ferry.yaml"
        self.config.write_text(settings + f"journal: {self.journal}\n")

    def run(self, *words: str) -> Result:
        """One command line; `CONFIG` stands for the configuration file."""
        filled = [str(self.config) if word == "CONFIG" else word for word in words]
        return CliRunner().invoke(cli.app, filled, prog_name="hbase-ferry")

    def json(self, *words: str) -> Any:
        """The one JSON document that the command prints."""
        return json.loads(self.run(*words, "--json").stdout)

    def parsed(self, text: str) -> list[dict[str, Any]]:
        """Each line of `text` as JSON."""
        return [json.loads(line) for line in text.splitlines()]

    def events(self) -> list[dict[str, Any]]:
        """What the journal holds."""
        return self.parsed(self.run("journal", "CONFIG", "--json").stdout)

    def states(self) -> dict[str, str]:
        """Step id -> state."""
        return {step["id"]: step["state"] for step in self.json("status", "CONFIG")["steps"]}
