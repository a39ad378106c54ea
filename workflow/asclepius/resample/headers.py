"""The light part of a planned study: what the headers of a shard's images say of geometry."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import tables
from asclepius.deidentify.schema import MANIFEST
from asclepius.errors import Rejected, StudyError
from asclepius.resample.geometry import Grid, canonical
from asclepius.resample.read import Container
from asclepius.resample.schema import FIXED_TEST, GEOMETRY
from asclepius.resample.settings import ResampleSettings


def run(*, settings: ResampleSettings, shard: int, manifest: Path, release: Path, geometry: Path) -> None:
    """List shape and spacing of a shard's images, as they will be turned; no pixel is decoded.

    An image whose header cannot be read is listed without a shape: the resample stage says why.

    Raises:
        StudyError: the container is missing or damaged.
    """
    table = tables.read(manifest, MANIFEST)
    rows = []
    with Container(release, settings) as container:
        for row in table.itertuples(index=False):
            rows.append({"image": row.image, "fixed_test": row.official in FIXED_TEST} | _of(row, container))
    tables.write(geometry, pd.DataFrame(rows) if rows else GEOMETRY.empty(), GEOMETRY)
    print(f"shard {shard}: geometry of {sum(row['shape'] is not None for row in rows)} of {len(rows)} images")


def _of(row, container: Container) -> dict:
    try:
        grid = upright(container.grid(row))
    except (StudyError, MemoryError):
        raise
    except Exception as error:  # libraries fail on damaged files in many ways
        reason = error.reason if isinstance(error, Rejected) else type(error).__name__
        print(f"{row.image}: no geometry ({reason})")
        return {"flat": False, "shape": None, "spacing": None}
    spacing = json.dumps([round(step, 6) for step in grid.spacing]) if grid.scaled else None
    return {"flat": grid.flat, "shape": json.dumps(list(grid.shape)), "spacing": spacing}


def upright(grid: Grid) -> Grid:
    """The grid of an image once it is turned as it will be stored."""
    return canonical(np.broadcast_to(np.uint8(0), (*grid.shape, 1)), grid)[1]
