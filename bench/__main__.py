"""`python -m bench [NAME ...]`: every benchmark, or those named. `make bench` calls it."""

from __future__ import annotations

import argparse
import importlib
import sys

from bench import machine

BENCHMARKS = {
    "console_pty": "the console from outside, on a pseudo terminal, against a bare Textual program",
    "view_size": "CPU of one poll with 10, 100 and 1,000 region servers",
    "agent": "one read through the running agent against a one-shot JVM",
    "crossing": "a small crossing through the service against one-shot JVMs",
    "verify": "the comparison of HBase with Bigtable against a plain reading of each side",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(BENCHMARKS)}; none: all of them")
    chosen = parser.parse_args().names or list(BENCHMARKS)
    if unknown := [name for name in chosen if name not in BENCHMARKS]:
        parser.error(f"no benchmark is called {', '.join(unknown)}")
    machine.introduce()
    skipped = []
    for name in chosen:
        print(f"\n## {name}: {BENCHMARKS[name]}\n{machine.load_line()}", flush=True)
        try:
            importlib.import_module(f"bench.{name}").run()
        except machine.Skipped as reason:
            skipped.append(name)
            print(f"SKIPPED: {reason}")
        print(f"({machine.load_line()} at its end)", flush=True)
    return 1 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
