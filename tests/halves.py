"""`make test`: every test, in two halves side by side. Both mostly wait for servers: together they take little longer
than one.

The first half has the pair of HBase clusters and the standalone servers, the second the Bigtable lab and all that needs
no server; what it printed is shown when it ends. Exit code 0: both passed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def first_half() -> list[str]:
    """Paths below ROOT."""
    on_clusters = (p for p in (ROOT / "tests" / "lab").glob("test_*.py") if "bigtable" not in p.name)
    return [str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "contract", *sorted(on_clusters))]


def main(options: list[str]) -> int:
    """Runs both halves with the same pytest options."""
    begun, mine = time.monotonic(), first_half()
    pytest = [sys.executable, "-m", "pytest", f"--rootdir={ROOT}", *options]
    with tempfile.TemporaryFile("w+") as printed:
        beside = subprocess.Popen(
            [*pytest, *(f"--ignore={path}" for path in mine)], cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            first = subprocess.run([*pytest, *mine], cwd=ROOT, check=False).returncode
            second = beside.wait()
        finally:
            beside.terminate()
        printed.seek(0)
        print(printed.read())
    words = {True: "passed", False: "FAILED"}
    seconds = time.monotonic() - begun
    print(f"first half {words[first == 0]}, second half {words[second == 0]}, {seconds:.0f} s", flush=True)
    return first or second


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
