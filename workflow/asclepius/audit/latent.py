"""Checks of examples that the train stage made in a network's embedding: they too have parents."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from asclepius import tables
from asclepius.audit.assignment import Assignment
from asclepius.audit.examples import check_table
from asclepius.audit.findings import Finding
from asclepius.audit.places import arm_of
from asclepius.balance.schema import TABLE
from asclepius.train.schema import EMBEDDED, EXAMPLES


def check_latent(fits: Path, assignment: Assignment) -> Iterator[Finding]:
    """The checks of a training table, for each run of a pack whose last layers were fitted to synthetic embeddings.

    Args:
        fits: fits.json; the examples lie beside the models of the same pack.

    Raises:
        StudyError: a run recorded such a fit and its examples are gone.
    """
    for record in json.loads(Path(fits).read_text(encoding="utf-8"))["fits"]:
        if record["what"].endswith(EMBEDDED):
            fold, seed = record["fold"], record["seed"]
            path = Path(fits).parent / "models" / f"fold-{fold}-seed-{seed}" / EXAMPLES
            for finding in check_table(tables.read(path, TABLE), "", fold, assignment):
                yield replace(finding, subject=f"arm {arm_of(fits)} fold {fold} seed {seed}")
