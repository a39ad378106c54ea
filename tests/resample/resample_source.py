"""A folder of files through cohort, de-identification and resample, as the workflow runs them."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from asclepius import keys, tables
from asclepius.cohort import command as cohort
from asclepius.cohort.schema import MANIFEST, REJECTED
from asclepius.cohort.settings import CohortSettings
from asclepius.deidentify import command as deidentify
from asclepius.deidentify.pseudonyms import Pseudonyms
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.rejects import QUARANTINE
from asclepius.resample import command as resample
from asclepius.resample.schema import INDEX
from asclepius.resample.settings import ResampleSettings


def through(
    root: Path, out: Path, *, resample_settings: dict, labels: dict | None = None, **settings
) -> SimpleNamespace:
    """What became of every file below `root`: index, store and masks by source, and what was left out by stage."""
    settings = {"source": "dicom", "path": root, "unit": "volume", "shards": 1, "max_rejected": 1.0} | settings
    cohort.run(
        settings=CohortSettings.model_validate(settings | {"labels": labels or {}}),
        key=None,
        shards=out / "shards",
        order=out / "order",
        rejected=out / "rejected",
    )
    (manifest,) = (out / "shards").glob("*.parquet")
    names = ("table", "release", "released_without", "audit", "crosswalk")
    table, release, left, audit, crosswalk = (out / name for name in names)
    deidentify.run(
        settings=DeidentifySettings(burned_in_text="keep"),
        key=None,
        shard=0,
        manifest=manifest,
        table=table,
        release=release,
        quarantine=left,
        audit=audit,
        crosswalk=crosswalk,
    )
    paths = {name: out / name for name in ("index", "store", "masks", "quarantine")}
    resample.run(settings=ResampleSettings(**resample_settings), shard=0, manifest=table, release=release, **paths)
    images = tables.read(manifest, MANIFEST)
    pseudonyms = Pseudonyms(keys.load(None))
    source = {pseudonyms.image(name): name for name in images["source"]}
    index = tables.read(paths["index"], INDEX)
    quarantine = pd.concat([tables.read(left, QUARANTINE), tables.read(paths["quarantine"], QUARANTINE)])
    return SimpleNamespace(
        images=images.set_index("source"),
        files={path for cell in images["files"] for path in json.loads(cell)},
        index=index.assign(source=index["image"].map(source)).set_index("source"),
        quarantine=quarantine.assign(source=quarantine["image"].map(source)).set_index("source"),
        rejected=tables.read(out / "rejected", REJECTED),
        store=np.load(paths["store"], mmap_mode="r"),
        masks=np.load(paths["masks"], mmap_mode="r"),
        release=release,
    )
