"""Every way to leak is found, named, and stops the study."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from audit_study import Study

from asclepius import tables
from asclepius.audit.assignment import Assignment
from asclepius.audit.findings import extended
from asclepius.audit.fits import check_later
from asclepius.audit.schema import FINDINGS
from asclepius.balance.schema import TABLE
from asclepius.errors import StudyError
from asclepius.provenance import fit_record, write_json
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import DROPPED
from asclepius.train.schema import RUNS


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("study")).split().balance().train()


@pytest.fixture
def study(made, tmp_path):
    """A sound study in a folder of its own, to spoil."""
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    copy = Study.__new__(Study)
    copy.__dict__.update(made.__dict__, folder=tmp_path)
    return copy


def refused(study) -> tuple[str, set[str]]:
    """The message, and the checks that failed."""
    with pytest.raises(StudyError) as caught:
        study.audit()
    found = study.findings
    return str(caught.value), set(found["check"][~found["passed"]])


def test_a_sound_study_passes(study, capsys):
    found = study.audit()
    assert found["passed"].all()
    empty = {"near-duplicates in one role", "copies of test images left out"}  # told although there are none
    assert (found["checked"][~found["check"].isin(empty)] > 0).all()
    assert set(found["check"]) == {
        *empty,
        "groups hold together",
        "patients in one role",
        "groups in one role",
        "pictures in one role",
        "every image accounted for",
        "each image tested once",
        "training images only",
        "synthetic images made of training images",
        "fitted to the images it may see",
        "predictions on unseen patients",
        "no prediction missing",
    }
    log = capsys.readouterr().out
    assert all(sentence in log for sentence in found["sentence"])
    assert "1 of them share an image with another patient" in log


def test_patients_crossing_folds_are_refused(study):
    """The leak test of the split: one image of a test patient of fold 1 slips into training."""
    folds = study.folds
    tested = folds[(folds["fold"] == 1) & (folds["role"] == "test")]
    folds.loc[tested.index[0], "role"] = "train"
    study.write_folds(folds)
    message, failed = refused(study)
    assert "patients in one role, fold 1: 1 of 45 patients are in more than one of" in message
    assert f"patient {tested['patient'].iloc[0]} (training and test)" in message
    assert {"patients in one role", "each image tested once", "fitted to the images it may see"} <= failed


def test_smote_before_the_split_is_refused(study):
    """The leak test of the balance: SMOTE sees the whole cohort, then the cohort is split."""
    proper = study.folds
    study.write_folds(proper.assign(role="train"))
    study.balance()
    study.write_folds(proper)
    real = [tables.read(study.balanced(fold), TABLE) for fold in study.numbers]
    for fold, table in zip(study.numbers, real, strict=True):
        train = set(proper[(proper["fold"] == fold) & (proper["role"] == "train")]["image"])
        kept = table[table["image"].isin(train) | (table["source"] == "synthetic")]
        tables.write(study.balanced(fold), kept, TABLE)
    message, failed = refused(study)
    assert failed == {"synthetic images made of training images", "fitted to the images it may see"}
    assert "as when images are made before the split" in message
    assert "smote was fitted to 90 images that are not the" in message


def test_a_copy_under_another_patient_is_found_though_the_split_names_another_group(study):
    folds = study.folds
    copies = study.images["image"].iloc[[20, 41]].tolist()
    fold = int(folds[(folds["image"] == copies[0]) & (folds["role"] == "test")]["fold"].iloc[0])
    second = folds["patient"] == study.images["patient"][41]
    folds.loc[second, "group"] = folds.loc[second, "patient"]
    folds.loc[second & (folds["fold"] == fold), "role"] = "train"
    study.write_folds(folds)
    message, failed = refused(study)
    assert "patients in one role" not in failed
    assert {"groups hold together", "pictures in one role"} <= failed
    assert f"pictures in one role, fold {fold}" in message


def test_near_duplicates_on_two_sides_are_refused(tmp_path):
    """The split did not know of them: patients in different groups look the same."""
    study = Study(tmp_path).split()
    folds = study.folds
    here = folds[folds["fold"] == 0].set_index("image")["role"]
    pair = [here.index[here == role][0] for role in ("train", "test")]
    study.images["duplicates"] = study.images["image"].map(dict.fromkeys(pair, "1"))
    tables.write(study.path("images.parquet"), study.images, IMAGES)
    study.balance().train()
    message, failed = refused(study)
    assert {"groups hold together", "near-duplicates in one role"} == failed
    assert "1 near-duplicates in more than one group" in message
    assert (
        "near-duplicates in one role, fold 0: 1 of 1 groups of pictures that look the same are in more than" in message
    )


def test_a_test_image_in_a_training_table_is_refused(study):
    table = tables.read(study.balanced(2), TABLE)
    folds = study.folds
    tested = folds[(folds["fold"] == 2) & (folds["role"] == "test")]["image"].iloc[0]
    table.loc[0, "image"] = tested
    tables.write(study.balanced(2), table, TABLE)
    message, failed = refused(study)
    assert failed == {"training images only"}
    assert "balance smote-abc fold 2" in message
    assert "1 test" in message


@pytest.mark.parametrize("parents", [None, "[]", "not JSON", '["0123456789abcdef"]'])
def test_synthetic_images_without_true_parents_are_refused(study, parents):
    table = tables.read(study.balanced(0), TABLE)
    row = table.index[table["source"] == "synthetic"][3]
    table["parents"] = table["parents"].astype(object)
    table.loc[row, "parents"] = parents
    tables.write(study.balanced(0), table, TABLE)
    message, failed = refused(study)
    assert failed == {"synthetic images made of training images"}
    assert "name no parents" in message or "1 without a role" in message


def test_synthetic_images_without_a_record_are_refused(study):
    tables.write_text(study.balanced(0, "fits.json"), '{"fold": 0, "fits": []}')
    assert "no record of what they were made from" in refused(study)[0]


@pytest.mark.parametrize(
    ("what", "roles", "words"),
    [
        ("normalisation", ["train", "validation"], "it may see train"),
        ("best epoch", ["test"], "it may see train and validation"),
        ("temperature", ["external"], "it may see train and validation"),
        ("something new", ["validation"], "it may see train"),
        ("normalisation", [], "does not say"),
    ],
)
def test_fits_to_roles_they_may_not_see_are_refused(study, what, roles, words):
    folds = study.folds
    images = folds["image"][(folds["fold"] == 0) & folds["role"].isin(roles)]
    study.write_fits([*study.fits, {"fold": 0, "seed": 1, **fit_record(what, roles, images)}])
    message, failed = refused(study)
    assert failed == {"fitted to the images it may see"}
    assert "arm net fold 0" in message
    assert words in message


@pytest.mark.parametrize("change", [1, -1])
def test_a_fit_that_saw_one_image_more_or_less_is_refused(study, change):
    folds = study.folds
    fold = folds[folds["fold"] == 0]
    train, tested = (fold["image"][fold["role"] == role].tolist() for role in ("train", "test"))
    seen = [*train, tested[0]] if change > 0 else train[:-1]
    study.write_fits([*study.fits, {"fold": 0, "seed": 1, **fit_record("normalisation", ["train"], seen)}])
    message, _ = refused(study)
    assert f"fitted to {len(seen)} images that are not the {len(train)} train images" in message


def test_predictions_on_training_images_are_refused(study):
    folds, found = study.folds, study.predictions
    trained = folds[(folds["fold"] == 0) & (folds["role"] == "train")].iloc[0]
    row = found.index[(found["fold"] == 0) & (found["role"] == "test")][0]
    found.loc[row, ["image", "patient"]] = trained["image"], trained["patient"]
    study.write_predictions(found)
    message, failed = refused(study)
    assert "predictions on unseen patients" in failed
    assert "truly: 1 train" in message


def test_validation_figures_passed_off_as_test_are_refused(study):
    found = study.predictions
    found["role"] = found["role"].replace("validation", "test")
    study.write_predictions(found)
    assert "predictions on unseen patients" in refused(study)[1]


def test_predictions_under_another_patient_are_refused(study):
    found = study.predictions
    found.loc[0, "patient"] = "P-ffffffffff"
    study.write_predictions(found)
    assert "1 prediction stand under another patient" in refused(study)[0]


@pytest.mark.parametrize("lost", ["image", "class", "fold", "all"])
def test_missing_predictions_are_refused(study, lost):
    found = study.predictions
    if lost == "image":
        keep = ~((found["seed"] == 2) & (found["fold"] == 1) & (found["image"] == found["image"][0]))
        keep &= found.index != found.index[(found["fold"] == 1) & (found["seed"] == 2)][-1]
    elif lost == "class":
        keep = (found["class"] == "a") | (found["fold"] != 2)
    else:
        keep = (found["fold"] != 2) & (lost == "fold")
    study.write_predictions(found[keep])
    message, failed = refused(study)
    assert failed == {"no prediction missing"}
    assert "arm net fold" in message


def test_images_that_vanish_or_come_twice_are_refused(study):
    folds = study.folds
    study.write_folds(folds.drop(index=folds.index[(folds["fold"] == 0) & (folds["role"] == "unlabelled")].union([0])))
    assert "1 image without a role and without a reason" in refused(study)[0]


def test_a_second_source_may_not_teach(tmp_path):
    official = [None] * 80 + ["external"] * 10
    study = Study(tmp_path, official=official).split().balance().train()
    assert study.audit()["passed"].all()
    folds = study.folds
    folds.loc[folds["role"] == "external", "role"] = "train"
    study.write_folds(folds)
    assert "10 images of the second source not kept for test" in refused(study)[0]


def test_training_copies_left_out_by_the_split_are_told(tmp_path):
    # Image 20 is the same picture as image 41, and that one is tested.
    patients = [f"P-{i:010x}" for i in range(90)]
    official = np.array(["train"] * 90, dtype=object)
    official[30:50] = "test"
    study = Study(tmp_path, patient=patients, official=official).split(method="official").balance().train()
    found = study.audit()
    sentence = found.set_index("check").loc["every image accounted for", "sentence"]
    assert sentence == "Each of 90 images has one role or a reason to be left out (1 copy)."
    told = found.set_index("check").loc["copies of test images left out", "sentence"]
    assert told == "1 copies and 0 near-copies of images kept for validation or test were left out of training."
    assert "each image tested once" not in set(found["check"])


def test_files_out_of_place_are_refused(study):
    moved = study.path("elsewhere.json")
    shutil.copy(study.trained("fits.json"), moved)
    study.trained = lambda name: moved if name == "fits.json" else study.path(f"train/net/pack-0/{name}")
    with pytest.raises(StudyError, match="does not lie in train/<arm>/pack-<p>/"):
        study.audit()


def test_the_message_carries_the_violations_but_stays_readable(study):
    study.write_predictions(study.predictions[:0])
    study.write_fits([record | {"images": "0"} for record in study.fits])
    study.write_folds(study.folds.replace({"role": {"test": "train", "train": "test"}}))
    message, _ = refused(study)
    assert message.startswith("audit: ")
    assert len(message.splitlines()) == 14
    assert "more, see this job's log" in message.splitlines()[-1]


def test_a_demonstration_goes_on_with_its_violations_on_record(tmp_path):
    naive = Study(tmp_path / "naive").split(method="naive").balance().train()
    found = naive.audit(demonstration=True)
    failed = set(found["check"][~found["passed"]])
    assert {"patients in one role", "groups in one role"} <= failed
    assert "fitted to the images it may see" not in failed
    with pytest.raises(StudyError, match="patients in one role"):
        naive.audit()


def test_images_left_out_as_copies_of_nothing_are_found(study):
    folds = study.folds
    lost = folds[(folds["fold"] == 0) & (folds["role"] == "train")].iloc[[0]]
    study.write_folds(folds.drop(index=lost.index))
    row = lost[["image", "fold"]].assign(reason="copy", sentence="-")
    tables.write(study.path("dropped.parquet"), row, DROPPED)
    message, failed = refused(study)
    assert "copies of test images left out" in failed
    assert "1 of 1 image left out as copies are no copy" in message


def generate(study, fold, roles):
    """Turn a fold's SMOTE images into those of a network trained on images of some roles."""
    table = tables.read(study.balanced(fold), TABLE)
    table["parents"] = table["parents"].where(table["source"] == "real", '["*"]')
    tables.write(study.balanced(fold), table, TABLE)
    of = study.folds[study.folds["fold"] == fold]
    record = fit_record("gan", roles, of["image"][of["role"].isin(roles)])
    tables.write_text(study.balanced(fold, "fits.json"), write_json({"fold": fold, "fits": [record]}))


def test_images_of_a_network_are_as_good_as_the_record_of_its_training(study):
    generate(study, 0, ["train"])
    found = study.audit()
    here = found[found["subject"] == "balance smote-abc fold 0"].set_index("check")["sentence"]
    assert "by a network that saw them all" in here["synthetic images made of training images"]
    assert "gan (train)" in here["fitted to the images it may see"]
    generate(study, 1, ["train", "test"])
    assert "gan was fitted to test and train images" in refused(study)[0]


def test_images_of_a_network_without_its_record_are_refused(study):
    record = study.balanced(0, "fits.json").read_text()
    generate(study, 0, ["train"])
    study.balanced(0, "fits.json").write_text(record)  # that of SMOTE
    message, failed = refused(study)
    assert failed == {"fitted to the images it may see"}
    assert "no record of what the network was trained on" in message


def test_a_star_among_other_parents_is_no_licence(study):
    table = tables.read(study.balanced(0), TABLE)
    row = table.index[table["source"] == "synthetic"][0]
    table.loc[row, "parents"] = json.dumps(["*", study.images["image"][0]])
    tables.write(study.balanced(0), table, TABLE)
    assert "synthetic images made of training images" in refused(study)[1]


@pytest.mark.parametrize("roles", [["train", "validation"], None])
def test_a_kept_model_with_preprocessing_of_other_images_is_refused(study, roles):
    of = study.folds[study.folds["fold"] == 1]
    images = None if roles is None else of["image"][of["role"].isin(roles)]
    study.write_preprocess("train/net/pack-0/models/fold-1-seed-2/preprocess.json", "scale", images)
    message, failed = refused(study)
    assert failed == {"fitted to the images it may see"}
    assert "arm net fold 1: Something saw images it must not, or does not say: the preprocessing kept with seed 2" in (
        message
    )


@pytest.mark.parametrize("what", ["normalisation", "best epoch"])
def test_a_fit_that_left_no_record_is_refused(study, what):
    study.write_fits([fit for fit in study.fits if (fit["what"], fit["fold"], fit["seed"]) != (what, 2, 1)])
    message, failed = refused(study)
    assert failed == {"fitted to the images it may see"}
    assert (
        f"arm net fold 2: Something saw images it must not, or does not say: {what} of seed 1 has no record" in message
    )


def test_a_model_without_its_preprocessing_says_what_to_do(study):
    study.path("train/net/pack-0/models/fold-0-seed-1/preprocess.json").write_text("{}")
    with pytest.raises(StudyError, match="delete train/ and run again"):
        study.audit()


def test_a_run_that_predicted_nothing_is_missed(study):
    runs = tables.read(study.trained("runs.parquet"), RUNS)
    further = runs[runs["seed"] == 2].assign(seed=3)
    tables.write(study.trained("runs.parquet"), pd.concat([runs, further]), RUNS)
    seen = [fit | {"seed": 3} for fit in study.fits if fit["seed"] == 2]
    study.write_fits([*study.fits, *seen])
    message, failed = refused(study)
    assert failed == {"no prediction missing"}
    assert "seed 3 has 0 of" in message


def test_predictions_held_against_another_label_are_refused(study):
    found = study.predictions
    found.loc[[0, 1], "target"] = 1 - found.loc[[0, 1], "target"]
    study.write_predictions(found)
    message, failed = refused(study)
    assert failed == {"predictions on unseen patients"}
    assert "2 predictions held against a label that is not the image's" in message


@pytest.mark.parametrize(("what", "roles", "passed"), [
    ("threshold", ["validation"], True),
    ("recalibration", ["validation"], True),
    ("recalibration", ["test"], False),
    ("threshold", ["test", "validation"], False),
])  # fmt: skip
def test_decisions_made_behind_the_audit_are_checked_by_the_same_rule(study, what, roles, passed):
    of = study.folds[study.folds["fold"] == 1]
    record = {"arm": "net", "fold": 1, "seed": 1, **fit_record(what, roles, of["image"][of["role"].isin(roles)])}
    found = list(check_later([record], Assignment.of(study.images, study.folds)))
    assert [(each.subject, each.passed) for each in found] == [("arm net fold 1", passed)]
    whole = extended(study.audit(), found)
    tables.write(study.path("findings.parquet"), whole, FINDINGS)
    assert whole["check"].iloc[-1] == "decisions fitted to the images it may see"
