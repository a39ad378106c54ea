"""Runs the folder command on a folder, in process, with a key that never changes."""

from dataclasses import dataclass
from pathlib import Path

import pytest

KEY = "5a" * 32 + "\n"


@dataclass(frozen=True)
class Result:
    out: Path
    restricted: Path
    released: int
    quarantined: int


def deidentified(source: Path, root: Path, preset: str = "research", jobs: int = 1) -> Result:
    """De-identify `source` to `root`/out; quarantine, audit and crosswalk go to `root`/restricted."""
    folder = pytest.importorskip("asclepius.deidentify.folder", reason="the folder command is not there")
    if not hasattr(folder, "deidentify_folder"):
        pytest.skip("the folder command is not there")
    from asclepius.deidentify.settings import DeidentifySettings

    root.mkdir(parents=True, exist_ok=True)
    key, out, restricted = root / "master.key", root / "out", root / "restricted"
    key.write_text(KEY, encoding="ascii")
    key.chmod(0o600)
    settings = DeidentifySettings(preset=preset)
    summary = folder.deidentify_folder(source, out, key=key, restricted=restricted, settings=settings, jobs=jobs)
    return Result(out, restricted, summary.released, summary.quarantined)
