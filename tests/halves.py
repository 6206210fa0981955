"""`make test`: every test, in two halves side by side: those on real servers, and all others.

The first half mostly waits for servers, so that together they take little longer than it does alone. What the other
half printed is shown when it ends. Exit code 0: both passed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ON_SERVERS = ("tests/lab", "tests/contract")


def main(options: list[str]) -> int:
    """Runs both halves with the same pytest options."""
    begun = time.monotonic()
    pytest = [sys.executable, "-m", "pytest", *options]
    others = [f"--ignore={folder}" for folder in ON_SERVERS]
    with tempfile.TemporaryFile("w+") as printed:
        beside = subprocess.Popen([*pytest, *others], stdout=printed, stderr=subprocess.STDOUT)
        try:
            here = subprocess.run([*pytest, *ON_SERVERS], check=False).returncode
            there = beside.wait()
        finally:
            beside.terminate()
        printed.seek(0)
        print(printed.read())
    words = {True: "passed", False: "FAILED"}
    print(
        f"on real servers: {words[here == 0]}; all others: {words[there == 0]}; {time.monotonic() - begun:.0f} s",
        flush=True,
    )
    return here or there


if __name__ == "__main__":
    sys.exit(main([f"--rootdir={Path(__file__).resolve().parents[1]}", *sys.argv[1:]]))
