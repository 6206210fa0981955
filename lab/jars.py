"""Class paths from Maven Central, compiled helpers and one binary, each made once and kept by the hash of its making.

Invariant: a folder in the cache is whole. It is made beside its place and renamed; one maker at a time holds the
cache's lock, because Maven 3's local repository is not safe for parallel use. Called by the labs and `standalone`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

from lab.places import FolderLock, LabError, Unavailable, base, remove

_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_WAIT_SECONDS = 900.0


def missing_tools() -> tuple[str, ...]:
    """What this machine lacks for any lab, in words for people; empty: nothing."""
    needs = {"java": "a Java 17 runtime", "javac": "a Java 17 compiler", "mvn": "Maven"}
    return tuple(f"{what} ({tool})" for tool, what in needs.items() if shutil.which(tool) is None)


def require_tools() -> None:
    """Raises Unavailable, naming what is missing."""
    if missing := missing_tools():
        raise Unavailable(f"the lab needs {' and '.join(missing)}, which this machine lacks")


def class_path(pom: Path, exclude: str = "") -> Path:
    """The folder with every jar `pom` asks for. Downloads them once. `exclude`: artifact ids, comma separated.

    Raises Unavailable with the end of Maven's own words where the registry does not answer.
    """
    key = hashlib.sha256(pom.read_bytes() + exclude.encode()).hexdigest()[:16]

    def make(draft: Path) -> None:
        shutil.copy(pom, draft / "pom.xml")
        argv = ["mvn", "-B", "-q", "-f", str(draft / "pom.xml"), _COPY, "-DincludeScope=runtime"]
        argv += [f"-DoutputDirectory={draft / 'lib'}"] + ([f"-DexcludeArtifactIds={exclude}"] if exclude else [])
        try:
            _run(argv, f"Maven could not fetch the jars of {pom.name}")
        except LabError as error:
            raise Unavailable(str(error)) from error

    return _cached(f"{pom.stem}-{key}", make) / "lib"


def compiled(sources: tuple[Path, ...], jars: Path) -> Path:
    """A jar of the compiled Java sources against the class path `jars`."""
    text = b"".join(source.read_bytes() for source in sources) + jars.parent.name.encode()

    def make(draft: Path) -> None:
        (draft / "classes").mkdir()
        argv = ["javac", "-nowarn", "-cp", f"{jars}/*", "-d", str(draft / "classes"), *map(str, sources)]
        _run(argv, "javac refused the lab's own sources")
        _run(["jar", "cf", str(draft / "lab.jar"), "-C", str(draft / "classes"), "."], "jar failed")

    return _cached(f"java-{hashlib.sha256(text).hexdigest()[:16]}", make) / "lab.jar"


def unpacked(folder: Path, entry: str) -> Path:
    """The file `entry` of the only jar in `folder` that has it, made executable. Raises Unavailable."""
    key = hashlib.sha256(f"{folder.parent.name} {entry}".encode()).hexdigest()[:16]

    def make(draft: Path) -> None:
        for jar in sorted(folder.glob("*.jar")):
            with zipfile.ZipFile(jar) as archive:
                if entry in archive.namelist():
                    (draft / Path(entry).name).write_bytes(archive.read(entry))
                    (draft / Path(entry).name).chmod(0o755)
                    return
        raise Unavailable(f"no jar in {folder} has {entry}: there is no such program for this machine")

    return _cached(f"{Path(entry).name}-{key}", make) / Path(entry).name


def _cached(name: str, make: Callable[[Path], None]) -> Path:
    cache = base() / "cache"
    place = cache / name
    if place.is_dir():
        return place
    lock = FolderLock(cache)
    lock.acquire(_WAIT_SECONDS)
    try:
        if not place.is_dir():
            for left in cache.glob(".draft-*"):
                remove(left)
            draft = cache / f".draft-{os.getpid()}"
            draft.mkdir()
            make(draft)
            draft.rename(place)
        return place
    finally:
        lock.release()


def _run(argv: list[str], what: str) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise LabError(f"{what} (exit code {done.returncode}):\n{tail}")
