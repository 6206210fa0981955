"""`python -m lab up|down|status|env|stop-writer|compare`: the lab from a terminal; `make lab` calls `up`."""

from __future__ import annotations

import argparse
import shlex
import sys
import time

from lab.crossing import Lab, take_down
from lab.places import LabError, base, write_whole
from lab.workload import RATE, ROWS


def up(arguments: argparse.Namespace) -> int:
    """Start the lab, or find it running; make sure that its table is loaded and its writer writes."""
    begun = time.monotonic()
    fill = None if arguments.bare else lambda lab: _populate(lab, arguments.rows, arguments.rate)
    lab = Lab.up(say=_say, fill=fill)
    if lab.source.ssh:
        text = lab.config_yaml(transport="ssh", name="lab over ssh", peer_id="ferry_lab")
        write_whole(lab.root / "lab-ssh.yaml", text)
    _say(f"the lab is up ({time.monotonic() - begun:.0f} s, {sum(lab.rss_mb().values())} MB)")
    if lab.source.ssh is None:
        _say("ssh is missing: install openssh-server and start the lab again to rehearse the ssh transport")
    _say("try: .venv/bin/hbase-ferry console sample_configs/lab.yaml")
    return 0


def _populate(lab: Lab, rows: int, rate: int) -> None:
    work = lab.workload("orders")
    if not work.loaded:
        work.create()
        work.load(rows)
        _say(f"{work.table} is loaded: {rows} rows, 8 regions, families d and m")
    if not work.running:
        work.start(rate)
    _say(f"the writer writes {rate} rows/s into {work.table} and never stops")


def down(arguments: argparse.Namespace) -> int:
    """End the lab and delete its data; the jars stay cached."""
    ended = take_down(base(), _say)
    _say(f"the lab is down: {ended} processes ended" if ended else f"no lab ran in {base()}")
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Say what runs; exit code 1 if no complete lab does."""
    lab = Lab.attach()
    for name, megabytes in sorted(lab.rss_mb().items()):
        print(f"{name:18} {megabytes:5} MB")
    return 0


def env(arguments: argparse.Namespace) -> int:
    """Print shell lines: what a client needs to know of either cluster."""
    lab = Lab.attach()
    for cluster in lab.clusters:
        side = cluster.name.upper()
        values = {"HBASE": cluster.hbase, "ROOTDIR": cluster.rootdir, "KEY": cluster.cluster_key}
        values |= {"THRIFT": cluster.thrift, "CONF": str(cluster.conf_dir)}
        if ssh := cluster.ssh:
            options = f"-p {ssh.port} -i {ssh.key_file} -o UserKnownHostsFile={ssh.known_hosts}"
            values["SSH"] = f"ssh {options} -o IdentitiesOnly=yes {ssh.user}@{ssh.host}"
        for key, value in values.items():
            print(f"LAB_{side}_{key}={shlex.quote(value)}")
    return 0


def stop_writer(arguments: argparse.Namespace) -> int:
    """End the writer after its current batch, as clients stop before a cutover; `up` starts it again."""
    _say(f"the writer has stopped: {dict(Lab.attach().workload('orders').stop())}")
    return 0


def compare(arguments: argparse.Namespace) -> int:
    """Compare the target's table with the writer's ledger, cell by cell; exit code 1 if a cell is wrong."""
    lab = Lab.attach()
    work = lab.workload("orders")
    if work.running:
        raise LabError("the writer still writes: stop it first (python -m lab stop-writer)")
    checked = work.check(lab.target)
    print(checked)
    return 1 if checked.bad else 0


def _say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for command in (up, down, status, env, stop_writer, compare):
        added = commands.add_parser(command.__name__.replace("_", "-"), help=(command.__doc__ or "").splitlines()[0])
        added.set_defaults(command=command)
        if command is up:
            added.add_argument("--rows", type=int, default=ROWS)
            added.add_argument("--rate", type=int, default=RATE)
            added.add_argument("--bare", action="store_true", help="clusters only: no table and no writer")
    arguments = parser.parse_args()
    try:
        return int(arguments.command(arguments))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
