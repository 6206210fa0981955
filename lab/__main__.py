"""`python -m lab up|down|status|env|stop-writer|compare [--bigtable]`: a lab from a terminal; `make lab` calls `up`.

Without `--bigtable` it is the lab of two clusters; `down` and `status` are then about both kinds.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable

from lab.bigtable import SAMPLE_PORT, BigtableLab, compare_cells
from lab.cluster import Cluster
from lab.crossing import Lab
from lab.places import LabError, base, write_whole
from lab.workload import RATE, ROWS, Workload


def up(arguments: argparse.Namespace) -> int:
    """Start the lab, or find it running; make sure that its table is loaded and its writer writes."""
    begun = time.monotonic()
    lab, config = _up_bigtable(arguments) if arguments.bigtable else (_up(arguments), "sample_configs/lab.yaml")
    _say(f"the lab is up ({time.monotonic() - begun:.0f} s, {sum(lab.rss_mb().values())} MB)")
    _say(f"try: .venv/bin/hbase-ferry console {config}")
    return 0


def _up(arguments: argparse.Namespace) -> Lab:
    fill = None if arguments.bare else _filling(arguments)
    lab = Lab.up(say=_say, fill=fill)
    if lab.source.ssh:
        text = lab.config_yaml(transport="ssh", name="lab over ssh", peer_id="ferry_lab")
        write_whole(lab.root / "lab-ssh.yaml", text)
    else:
        _say("ssh is missing: install openssh-server and start the lab again to rehearse the ssh transport")
    return lab


def _up_bigtable(arguments: argparse.Namespace) -> tuple[BigtableLab, str]:
    """The lab, and the configuration that fits it: the sample, unless its port was taken."""
    fill = None if arguments.bare else _filling(arguments)
    lab = BigtableLab.up(say=_say, fill=fill, keys=arguments.keys, emulator_port=SAMPLE_PORT)
    transport = "ssh" if lab.source.ssh else "local"
    text = lab.config_yaml(transport=transport, name="lab to bigtable", peer_id="ferry_lab")
    write_whole(lab.root / "lab-bigtable.yaml", text)
    as_sample = lab.emulator.port == SAMPLE_PORT
    return lab, "sample_configs/lab-bigtable.yaml" if as_sample else str(lab.root / "lab-bigtable.yaml")


def _filling(arguments: argparse.Namespace) -> Callable[[Lab | BigtableLab], None]:
    return lambda lab: _populate(lab.workload(), arguments.rows, arguments.rate)


def _populate(work: Workload, rows: int, rate: int) -> None:
    if not work.loaded:
        work.create()
        work.load(rows)
        _say(f"{work.table} is loaded: {rows} rows, 8 regions, families d and m")
    if not work.running:
        work.start(rate)
    _say(f"the writer writes {rate} rows/s into {work.table} and never stops")


def down(arguments: argparse.Namespace) -> int:
    """End the lab, without --bigtable both kinds, and delete its data; the jars stay cached."""
    ended = 0 if arguments.bigtable else Lab.take_down(_say)
    ended += BigtableLab.take_down(_say)
    _say(f"the lab is down: {ended} processes ended" if ended else f"no lab ran in {base()}")
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Say what runs; exit code 1 if no complete lab does."""
    found, absent = 0, []
    for kind in (BigtableLab,) if arguments.bigtable else (Lab, BigtableLab):
        try:
            lab = kind.attach()
        except LabError as error:
            absent.append(str(error))
            continue
        found += 1
        print(f"{lab.root}:")
        for name, megabytes in sorted(lab.rss_mb().items()):
            print(f"{name:18} {megabytes:5} MB")
    if not found:
        raise LabError("\n".join(absent))
    return 0


def env(arguments: argparse.Namespace) -> int:
    """Print shell lines: what a client needs to know of every cluster."""
    if arguments.bigtable:
        lab = BigtableLab.attach()
        _print_env(lab.source)
        print("\n".join(f"{name}={shlex.quote(value)}" for name, value in lab.emulator.env.items()))
        return 0
    for cluster in Lab.attach().clusters:
        _print_env(cluster)
    return 0


def _print_env(cluster: Cluster) -> None:
    side = cluster.name.upper()
    values = {"HBASE": cluster.hbase, "ROOTDIR": cluster.rootdir, "KEY": cluster.cluster_key}
    values |= {"THRIFT": cluster.thrift, "CONF": str(cluster.conf_dir)}
    if ssh := cluster.ssh:
        options = f"-p {ssh.port} -i {ssh.key_file} -o UserKnownHostsFile={ssh.known_hosts}"
        values["SSH"] = f"ssh {options} -o IdentitiesOnly=yes {ssh.user}@{ssh.host}"
    for key, value in values.items():
        print(f"LAB_{side}_{key}={shlex.quote(value)}")


def stop_writer(arguments: argparse.Namespace) -> int:
    """End the writer after its current batch, as clients stop before a cutover; `up` starts it again."""
    lab = BigtableLab.attach() if arguments.bigtable else Lab.attach()
    _say(f"the writer has stopped: {dict(lab.workload().stop())}")
    return 0


def compare(arguments: argparse.Namespace) -> int:
    """Compare the target's table with what was written, cell by cell; exit code 1 if a cell is wrong."""
    if arguments.bigtable:
        return _compare_bigtable()
    lab = Lab.attach()
    work = lab.workload()
    _refuse_writer(work)
    checked = work.check(lab.target)
    print(checked)
    return 1 if checked.bad else 0


def _compare_bigtable() -> int:
    lab = BigtableLab.attach()
    work = lab.workload()
    _refuse_writer(work)
    compared = compare_cells(lab, work.table)
    print(compared)
    return 1 if compared.differences else 0


def _refuse_writer(work: Workload) -> None:
    if work.running:
        raise LabError("the writer still writes: stop it first (python -m lab stop-writer)")


def _say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for command in (up, down, status, env, stop_writer, compare):
        added = commands.add_parser(command.__name__.replace("_", "-"), help=(command.__doc__ or "").splitlines()[0])
        added.set_defaults(command=command)
        added.add_argument("--bigtable", action="store_true", help="the lab of HBase and a Bigtable emulator")
        if command is up:
            added.add_argument("--keys", default="", help="where google.bigtable.* stands: core-site, hbase-site, none")
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
