"""The gather of a planned study: one grid for all shards."""

import json
from pathlib import Path

from asclepius import tables
from asclepius.provenance import fit_record, write_json
from asclepius.resample import plan as plans
from asclepius.resample import target as targets
from asclepius.resample.schema import GEOMETRY
from asclepius.resample.settings import ResampleSettings

WHAT = "geometry of the stored grid"


def run(*, settings: ResampleSettings, geometry: list[Path], plan: Path, fits: Path) -> None:
    """Plan size and spacing, unless a person has edited the plan that is there.

    Args:
        geometry: what the headers say, a table per shard.
        plan: read if it exists, and written.
        fits: written: which images were looked at, for the audit.

    Raises:
        StudyError: no image to plan from, or the plan that is there cannot be read.
    """
    found = tables.concat([tables.read(path, GEOMETRY) for path in geometry], GEOMETRY)
    seen = found[~found["fixed_test"]]
    known = seen[seen["shape"].notna()].copy()
    known["shape"] = known["shape"].map(json.loads)
    known["spacing"] = known["spacing"].map(json.loads, na_action="ignore")
    new = plans.planned(known, settings)
    text = new.text()
    if plan.exists():
        target, edited = targets.read(plan)
        if edited:
            text = plan.read_text(encoding="utf-8")
            print(f"{plan} was edited and is kept: size {target.size}, spacing {target.spacing}")
            print(f"planned anew it would be: size {new.size}, spacing {new.spacing}; delete the file to have that")
    tables.write_text(plan, text)
    record = fit_record(WHAT, ["geometry only"], seen["image"])
    tables.write_text(fits, write_json({"fits": [record]}))
    print(text)
