"""Google's Beam pipelines on this machine: their jar, Beam's DirectRunner, and the settings that use both.

The jars lie in the cache by the hash of lab/poms/bigtable-beam.xml: 376 MB, so that only the slow tests ask for them.
Called by those.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab import jars
from lab.places import HERE

HEAP = "-Xmx1200m"


def backfill(folder: Path, engine: str = "import") -> dict[str, Any]:
    """The key `backfill` of a Bigtable target whose pipelines run here, with their files below `folder`.

    Raises Unavailable.
    """
    library = jars.class_path(HERE / "poms" / "bigtable-beam.xml")
    jar = next(library.glob("bigtable-beam-import-*-shaded.jar"))
    return {
        "engine": engine,
        "jar": str(jar),
        "extra_jars": [str(other) for other in sorted(library.glob("*.jar")) if other != jar],
        "java": ["java", HEAP],
        "runner": "DirectRunner",
        "export_dir": f"file://{folder / 'export'}",
        "temp_dir": f"file://{folder / 'temp'}",
        "options": {"targetParallelism": "2"},
    }
