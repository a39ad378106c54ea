"""What a fold's model knows of its intensities and tables comes from training images alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from train_study import LOGISTIC, QUICK, bright, make, split

from asclepius import tables
from asclepius.audit.assignment import Assignment
from asclepius.audit.fits import check_fits, read_fits
from asclepius.balance.schema import TABLE
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import FOLDS
from asclepius.train.command import run
from asclepius.train.examples import Fold, load_fold
from asclepius.train.pack import Pack, Source
from asclepius.train.preprocess import Preprocess

METHODS = ("standardise", "scale", "nyul", "auto")
TABLED = LOGISTIC.model_copy(update={"columns": ["age", "sex"]})


def cohort(root, changed=None, seed=0):
    """Two sites, ages and sexes; `changed` gets other pixels and other table values."""
    arrays, labels = bright(60, shape=(6, 6, 1))
    random = np.random.default_rng(7)
    ages, sexes = random.integers(20, 80, 60).astype(float), random.choice(["M", "F"], 60)
    sites = np.array(["a", "b"])[np.arange(60) % 2]
    if changed is not None:
        other = np.random.default_rng(seed)
        arrays[changed] = other.integers(0, 255, arrays[changed].shape)
        ages[changed] = other.choice([np.nan, 1, 200], changed.sum())
        sexes[changed] = other.choice(["O", "M"], changed.sum())
        sites[changed] = other.choice(["a", "b", "c"], changed.sum())
    study = make(root, arrays, labels, [split(60)])
    images = tables.read(root / "images.parquet", IMAGES)
    images = images.assign(age=ages, sex=sexes, site=sites, modality="MR", scanner=sites)
    tables.write(root / "images.parquet", images, IMAGES)
    return study


def fitted(study, train, model=TABLED):
    given = study.arguments()
    source = Source(*(given[name] for name in ("images", "folds", "task", "stores", "tables")))
    pack = Pack(model, given["augment"], train, source, given["state"])
    return pack._prepared(0)[1]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**31), normalise=st.sampled_from(METHODS), harmonise=st.sampled_from(["none", "site"]))
def test_test_and_validation_images_change_nothing_that_is_fitted(tmp_path_factory, seed, normalise, harmonise):
    train = QUICK.model_copy(update={"normalise": normalise, "harmonise": harmonise})
    roles = np.array(split(60))
    plain = fitted(cohort(tmp_path_factory.mktemp("plain")), train)
    others = fitted(cohort(tmp_path_factory.mktemp("others"), roles != "train", seed), train)
    assert plain == others
    assert plain.n == (roles == "train").sum()
    mine = fitted(cohort(tmp_path_factory.mktemp("mine"), roles == "train", seed), train)
    assert plain != mine


def test_the_audit_finds_a_preprocess_fitted_to_other_images(tmp_path, monkeypatch):
    study = cohort(tmp_path)
    train = QUICK.model_copy(update={"normalise": "nyul", "harmonise": "site"})

    def audited(out):
        given = study.arguments(out=f"train/net/{out}", model=TABLED, train=train)
        run(**given)
        assert json.loads(given["fits"].read_text())["fits"]
        images, folds = tables.read(given["images"], IMAGES), tables.read(given["folds"], FOLDS)
        (finding,) = check_fits(read_fits(given["fits"]), {}, {}, Assignment.of(images, folds))
        return finding

    sound = audited("pack-0")
    assert sound.passed
    assert "normalisation (train), harmonisation (train), table columns (train)" in sound.sentence

    def leaky(images, folds, *others) -> Fold:
        """A fold whose normalisation sees the validation images as well."""
        fold = load_fold(images, folds, *others)
        seen = folds.assign(role=folds["role"].replace("validation", "train"))
        return replace(fold, real=load_fold(images, seen, *others).real)

    monkeypatch.setattr("asclepius.train.pack.load_fold", leaky)
    finding = audited("pack-1")
    assert not finding.passed
    for what in ("normalisation", "harmonisation", "table columns"):
        assert f"{what} was fitted to 48 images that are not the 36" in finding.sentence


def test_a_synthetic_example_has_the_site_its_parents_share(tmp_path):
    arrays, labels = bright()
    study = make(tmp_path, arrays, labels, [split()], synthetic=arrays[:3], synthetic_labels=("yes",) * 3)
    images = tables.read(tmp_path / "images.parquet", IMAGES).assign(site=["a", "b"] * 24)
    table = tables.read(study.tables[0], TABLE)
    table.loc[table["source"] == "synthetic", "parents"] = [
        json.dumps(["i00000", "i00002"]), json.dumps(["i00000", "i00001"]), json.dumps(["i00003"])
    ]  # fmt: skip
    tables.write(study.tables[0], table, TABLE)
    given = study.arguments()
    source = Source(*(given[name] for name in ("images", "folds", "task", "stores", "tables")))
    pack = Pack(LOGISTIC, given["augment"], QUICK, source, given["state"])
    fold = load_fold(images, tables.read(given["folds"], FOLDS), pack._pixels, study.tables[0], pack.task)
    assert fold.training.table["site"].tolist()[-3:] == ["a", None, "b"]
    assert fold.training.take(np.array([-1, 0])).table["site"].tolist()[0] == "b"


@pytest.mark.parametrize("kept", [0, 1 << 28])
def test_images_are_measured_once_if_there_is_room_and_batches_are_the_same_either_way(tmp_path, monkeypatch, kept):
    from asclepius.train import loader

    monkeypatch.setattr(loader, "MEASURED_BYTES", kept)
    study = cohort(tmp_path)
    given = study.arguments()
    source = Source(*(given[name] for name in ("images", "folds", "task", "stores", "tables")))
    train = QUICK.model_copy(update={"normalise": "nyul", "harmonise": "site"})
    fold, preprocess = Pack(LOGISTIC, given["augment"], train, source, given["state"])._prepared(0)
    measured = []
    monkeypatch.setattr(Preprocess, "measure", lambda *each, of=Preprocess.measure: measured.append(1) or of(*each))
    batches = loader.Batches(fold.training, loader.Normaliser(preprocess, 8))
    for epoch in (1, 2, 3):
        batches.start(1, epoch)
        for step, indices in enumerate(batches.indices):
            stored, table = fold.training.read(indices), fold.training.table.iloc[indices]
            expected = preprocess.transform(stored.astype(np.float32), preprocess.measure(stored, table))
            measured.pop()
            np.testing.assert_allclose(batches[step][0], expected, atol=1e-5)
    assert len(measured) == len(batches) * (1 if kept else 3)
