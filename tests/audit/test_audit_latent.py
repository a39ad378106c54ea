"""Examples that the train stage made in an embedding are looked at like those of the balance stage."""

import json

import pytest
from audit_study import Study

from asclepius import tables
from asclepius.balance.schema import TABLE
from asclepius.errors import StudyError
from asclepius.provenance import fit_record


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The arm's last layers were fitted to embeddings in fold 0, seed 1."""
    made = Study(tmp_path_factory.mktemp("study")).split().balance().train()
    folds = made.folds
    train = folds[(folds["fold"] == 0) & (folds["role"] == "train")]["image"]
    record = {"fold": 0, "seed": 1, **fit_record("latent_smote in the embedding", ["train"], train)}
    made.write_fits([*made.fits, record])
    return made


def write(study, parents=None):
    path = study.trained("models/fold-0-seed-1/examples.parquet")
    examples = tables.read(study.balanced(0), TABLE)
    if parents:
        examples.loc[examples["source"] == "synthetic", "parents"] = json.dumps(parents)
    tables.write(path, examples, TABLE)


def test_their_parents_are_checked(study):
    write(study)
    found = study.audit()
    mine = found[found["subject"] == "arm net fold 0 seed 1"]
    assert set(mine["check"]) == {"training images only", "synthetic images made of training images"}
    assert mine["passed"].all()
    folds = study.folds
    seen = folds[(folds["fold"] == 0) & (folds["role"] == "validation")]["image"].iloc[0]
    write(study, [seen, seen])
    with pytest.raises(StudyError, match=r"arm net fold 0 seed 1: Of .* not training images of this fold"):
        study.audit()


def test_a_fit_without_its_examples_stops_the_study(study):
    study.trained("models/fold-0-seed-1/examples.parquet").unlink(missing_ok=True)
    with pytest.raises(StudyError, match=r"examples\.parquet: no such file"):
        study.audit()
