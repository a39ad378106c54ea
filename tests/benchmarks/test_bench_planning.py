"""Planning a cohort of a million images."""

import time

import numpy as np
import pytest
import yaml

pytestmark = pytest.mark.bench
ROWS = 10**6


def test_a_million_images_are_planned_in_seconds(workflow_in, tmp_path):
    generator = np.random.default_rng(0)
    arrays = {}
    for part, count in {"train": ROWS - 200_000, "val": 100_000, "test": 100_000}.items():
        arrays[f"{part}_images"] = generator.integers(0, 255, (count, 2, 2), dtype=np.uint8)
        arrays[f"{part}_labels"] = generator.integers(0, 2, (count, 1), dtype=np.uint8)
    np.savez(tmp_path / "million.npz", **arrays)
    values = {
        "study": "million",
        "cohort": {"source": "medmnist", "path": "million.npz", "shards": 512},
        "split": {"method": "official"},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(values))
    run = workflow_in(tmp_path)
    start = time.monotonic()
    run("--until", "cohort", study=tmp_path / "study.yaml")
    scanned = time.monotonic() - start
    start = time.monotonic()
    done = run("--dry-run", "--quiet", study=tmp_path / "study.yaml")
    planned = time.monotonic() - start
    print(f"\nscan of {ROWS:,} rows {scanned:.1f} s; planning {planned:.1f} s\n{done.stdout[-300:]}")
    assert planned < 15
