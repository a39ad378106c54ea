"""One small cohort, written once."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from asclepius.phantom.command import run
from asclepius.phantom.settings import PhantomSettings

SMALL = PhantomSettings(patients=24, prevalence=0.25, second_visits=0.2, matrix=64, seed=3)


@dataclass
class Cohort:
    """A cohort on disk: series UID to files in the order of their names, each with its header and pixels."""

    folder: Path
    settings: PhantomSettings
    rows: list[dict[str, str]]
    series: dict[str, list[tuple[Path, pydicom.Dataset]]]

    def heights(self, uid: str) -> list[float]:
        return sorted({float(header.ImagePositionPatient[2]) for _, header in self.series[uid]})

    def intact(self) -> list[dict[str, str]]:
        """Rows of the label table whose series have no fault."""
        kept = []
        for row in self.rows:
            files = self.series[row["SeriesInstanceUID"]]
            gaps = {
                round(b - a, 2)
                for a, b in zip(*(self.heights(row["SeriesInstanceUID"])[i:] for i in (0, 1)), strict=False)
            }
            sizes = {path.stat().st_size for path, _ in files}
            folders = {path.parent for path, _ in files}
            whole = max(sizes) - min(sizes) < 100 and len(gaps) == 1 and len(folders) == 1
            if whole and files[0][1].BurnedInAnnotation == "NO":
                kept.append(row)
        return kept


@pytest.fixture(scope="session")
def cohort(tmp_path_factory) -> Cohort:
    folder = tmp_path_factory.mktemp("phantom") / "out"
    run(settings=SMALL, out=folder)
    with open(folder / "labels.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    series: dict[str, list] = {}
    for path in sorted((folder / "images").rglob("*.dcm")):
        header = pydicom.dcmread(path)
        series.setdefault(str(header.SeriesInstanceUID), []).append((path, header))
    return Cohort(folder, SMALL, rows, series)


@pytest.fixture(scope="session")
def identifiers(cohort) -> dict[str, list[str]]:
    return json.loads((cohort.folder / "identifiers.json").read_text(encoding="utf-8"))
