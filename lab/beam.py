"""Google's offline tools on this machine: the Beam pipelines with Beam's DirectRunner, and the schema translator.

The jars lie in the cache by the hash of their pom: the pipelines' take 376 MB, so that only the slow tests ask for
them. Called by those.
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


def translator() -> Path:
    """The jar of Google's schema translator, with all it needs inside. Raises Unavailable."""
    return next(jars.class_path(HERE / "poms" / "bigtable-tools.xml").glob("*.jar"))
