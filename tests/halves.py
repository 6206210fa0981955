"""`make test`: every test, in two halves side by side: those on real servers, and all others.

The first half mostly waits for servers, and begins with what minds a busy machine least; the other is over long before
it. What the other printed is shown when it ends. Exit code 0: both passed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


ON_SERVERS = ["tests/contract", "tests/lab"]


def main(options: list[str]) -> int:
    """Runs both halves with the same pytest options."""
    begun = time.monotonic()
    pytest = [sys.executable, "-m", "pytest", f"--rootdir={ROOT}", *options]
    with tempfile.TemporaryFile("w+") as printed:
        beside = subprocess.Popen(
            [*pytest, *(f"--ignore={path}" for path in ON_SERVERS)], cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            first = subprocess.run([*pytest, *ON_SERVERS], cwd=ROOT, check=False).returncode
            second = beside.wait()
        finally:
            beside.terminate()
        printed.seek(0)
        print(printed.read())
    words = {True: "passed", False: "FAILED"}
    seconds = time.monotonic() - begun
    print(f"on servers: {words[first == 0]}, all others: {words[second == 0]}, {seconds:.0f} s", flush=True)
    return first or second


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
