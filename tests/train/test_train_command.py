import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from train_study import LOGISTIC, NET, QUICK, bright, make, split

from asclepius import tables
from asclepius.augment.settings import AugmentSettings
from asclepius.errors import StudyError
from asclepius.provenance import digest
from asclepius.task import Task
from asclepius.train.command import run
from asclepius.train.preprocess import Preprocess
from asclepius.train.schema import HISTORY, PREDICTIONS, RUNS

LIGHT = AugmentSettings(flip=["x"], rotate=[-10, 10], shift=[-0.1, 0.1], noise=[0, 0.1])


def read(given):
    return (
        tables.read(given["predictions"], PREDICTIONS),
        tables.read(given["history"], HISTORY),
        tables.read(given["table"], RUNS),
    )


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Two folds, two seeds, fitted once for several tests."""
    arrays, labels = bright()
    study = make(tmp_path_factory.mktemp("study"), arrays, labels, [split(fold=0), split(fold=1)])
    given = study.arguments(runs=["0:1", "0:2", "1:1"], augment=LIGHT)
    run(**given)
    return study, given


def test_a_pack_of_networks_writes_all_it_promised(packed):
    study, given = packed
    predictions, history, table = read(given)
    assert set(predictions["role"]) == {"validation", "test"}
    assert predictions.groupby(["fold", "seed"]).ngroups == 3
    sums = predictions.groupby(["image", "fold", "seed"])["probability"].sum()
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    assert predictions.groupby(["image", "fold", "seed"])["target"].sum().eq(1).all()
    assert set(history["metric"]) == {"loss", "val_loss", "val_auc", "val_accuracy", "learning_rate", "seconds"}
    assert sorted(set(history["epoch"])) == [1, 2]
    assert table["epochs"].eq(2).all()
    for row in table.itertuples():
        assert (study.root / row.model).name == "model.keras"
        assert Preprocess.read(study.root / row.preprocess).task.classes == ("no", "yes")
    assert not given["state"].exists()


def test_a_saved_network_gives_the_predictions_that_were_written(packed):
    import keras

    study, given = packed
    predictions, _, table = read(given)
    model = keras.models.load_model(study.root / table["model"][0])
    some, stored, preprocess = stored_cases(study, given, predictions, table)
    np.testing.assert_allclose(model.predict_on_batch(preprocess.apply(stored))[:, 1], some["probability"], atol=1e-6)


def stored_cases(study, given, predictions, table):
    """Five predictions of the first run with their stored images and preprocessing."""
    images = pd.read_parquet(given["images"]).set_index("image")
    wanted = (predictions["class"] == "yes") & (predictions["fold"] == 0) & (predictions["seed"] == 1)
    some = predictions[wanted].iloc[:5]
    stored = np.stack([np.load(study.stores[r.shard])[r.row] for r in images.loc[some["image"]].itertuples()])
    return some, stored, Preprocess.read(study.root / table["preprocess"][0])


def test_fits_name_the_images_the_audit_will_expect(packed):
    study, network = packed
    logistic = study.arguments(out="logistic", model=LOGISTIC)
    run(**logistic)
    for given, whats in (
        (network, ["normalisation", "best epoch"] * 3),
        (logistic, ["normalisation", "feature standardisation"]),
    ):
        fits = json.loads(given["fits"].read_text())["fits"]
        assert [fit["what"] for fit in fits] == whats
        folds = pd.read_parquet(given["folds"])
        for fit in fits:
            chosen = folds[(folds["fold"] == fit["fold"]) & folds["role"].isin(fit["roles"])]
            assert fit["images"] == digest(chosen["image"])


def test_equal_runs_give_equal_bytes_and_another_seed_others(packed):
    study, given = packed
    again = study.arguments(out="again", augment=LIGHT, runs=["0:1"])
    run(**again)
    name = "fold-0-seed-1/model.keras"
    assert (given["models"] / name).read_bytes() == (again["models"] / name).read_bytes()
    before, after = read(given)[0].query("fold == 0"), read(again)[0]["probability"].to_numpy()
    np.testing.assert_array_equal(before.query("seed == 1")["probability"], after)
    assert not np.array_equal(before.query("seed == 2")["probability"], after)


def test_equal_logistic_fits_give_equal_files(study):
    first, second = (study.arguments(out=name, model=LOGISTIC) for name in "ab")
    for given in (first, second):
        run(**given)
    name = "fold-0-seed-1/model.skops"
    assert (first["models"] / name).read_bytes() == (second["models"] / name).read_bytes()


def test_logistic_learns_and_never_imports_keras(study):
    given = study.arguments(model=LOGISTIC)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from train_study import *; import pickle;"
        "from asclepius.train.command import run; run(**pickle.load(open(sys.argv[2], 'rb')));"
        "assert 'keras' not in sys.modules"
    )
    (study.root / "given").write_bytes(pickle.dumps(given))
    subprocess.run([sys.executable, "-c", code, __file__.rsplit("/", 1)[0], study.root / "given"], check=True)
    _, history, table = read(given)
    validation = history.set_index("metric")["value"]
    assert validation["val_auc"] > 0.9
    assert table["model"][0].endswith("model.skops")
    assert sorted(set(history["epoch"])) == [0]


def test_the_saved_logistic_model_gives_its_predictions(study):
    from asclepius.train import classical

    given = study.arguments(model=LOGISTIC)
    run(**given)
    predictions, _, table = read(given)
    pipeline = classical.read(study.root / table["model"][0])
    some, stored, preprocess = stored_cases(study, given, predictions, table)
    found = classical.predict(pipeline, classical.pooled(preprocess.apply(stored)), preprocess.task)
    np.testing.assert_allclose(found[:, 1], some["probability"], atol=1e-6)


@pytest.mark.parametrize("model", [NET, LOGISTIC])
def test_multi_label_probabilities_are_independent(tmp_path, model):
    arrays, labels = bright()
    several = [
        ("a|b" if i % 2 else "a") if label == "yes" else ("b" if i % 2 else "") for i, label in enumerate(labels)
    ]
    given = make(tmp_path, arrays, several, [split()], Task("multilabel", ("a", "b"))).arguments(model=model)
    run(**given)
    predictions, _, _ = read(given)
    assert predictions.groupby("image")["target"].sum().max() == 2
    assert not np.allclose(predictions.groupby("image")["probability"].sum(), 1, atol=1e-3)


def test_volumes_and_external_images(tmp_path):
    arrays, labels = bright(shape=(6, 8, 8, 1))
    roles = ["external" if i < 6 else role for i, role in enumerate(split())]
    given = make(tmp_path, arrays, labels, [roles]).arguments(augment=AugmentSettings(flip=["z"], rotate=5))
    run(**given)
    predictions, _, _ = read(given)
    assert (predictions["role"] == "external").sum() == 12


@pytest.mark.parametrize("model", [NET, LOGISTIC])
def test_weights_and_synthetic_examples_reach_the_fit(tmp_path, model):
    arrays, labels = bright()
    copies = np.flatnonzero(np.array(labels) == "yes")[:9]
    both = {
        "synthetic": arrays[copies].astype(np.float32) + 0.5,
        "synthetic_labels": ("yes",) * 9,
        "weights": {"yes": 20.0},
    }
    shares = {}
    for name, extra in {"plain": {}, "both": both}.items():
        given = make(tmp_path / name, arrays, labels, [split()], **extra).arguments(model=model)
        run(**given)
        predictions, _, table = read(given)
        shares[name] = predictions[predictions["class"] == "yes"]["probability"].mean()
        assert table["examples"][0] == 30 + 9 * (name == "both")
    assert shares["both"] > shares["plain"] + 0.01


def test_the_loss_of_an_epoch_is_the_mean_over_all_examples(study):
    model = NET.model_copy(update={"normalisation": "none", "dropout": 0.0})
    losses = []
    for size in (8, 30):
        train = QUICK.model_copy(update={"epochs": 1, "learning_rate": 1e-12, "batch_size": size})
        given = study.arguments(out=str(size), model=model, train=train)
        run(**given)
        losses.append(read(given)[1].set_index("metric")["value"]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_patience_stops_and_best_keeps_the_best_epoch(tmp_path):
    arrays, labels = bright()
    other = {"yes": "no", "no": "yes"}  # what is learnt from training is wrong on validation: its loss rises
    labels = [other[label] if role == "validation" else label for label, role in zip(labels, split(), strict=True)]
    study = make(tmp_path, arrays, labels, [split()])
    train = QUICK.model_copy(update={"epochs": 8, "patience": 2, "learning_rate": 0.1, "schedule": "constant"})
    given = study.arguments(train=train)
    run(**given)
    _, history, table = read(given)
    losses = history[history["metric"] == "val_loss"].sort_values("epoch")["value"].to_numpy()
    assert len(losses) < 8
    assert table["best_epoch"][0] == losses.argmin() + 1 == len(losses) - 2
    predictions = read(given)[0].query("role == 'validation' and target == 1")
    assert -np.log(predictions["probability"]).mean() == pytest.approx(losses.min(), rel=1e-3)


def test_keep_last_needs_no_validation_images(tmp_path):
    arrays, labels = bright()
    roles = ["train" if role == "validation" else role for role in split()]
    study = make(tmp_path, arrays, labels, [roles])
    with pytest.raises(StudyError, match=r"fold 0: no validation images .* train.keep: last"):
        run(**study.arguments())
    given = study.arguments(train=QUICK.model_copy(update={"keep": "last"}))
    run(**given)
    assert read(given)[2]["best_epoch"][0] == 2


def test_what_is_wrong_is_said(study):
    with pytest.raises(StudyError, match="runs: '0-1' is not fold:seed"):
        run(**study.arguments(runs=["0-1"]))
    with pytest.raises(StudyError, match="tables: none of fold 7"):
        run(**study.arguments(runs=["7:1"]))
    recipe = study.tables[0].parent / "recipe.json"
    recipe.write_text(recipe.read_text().replace("crossentropy", "hinge"))
    with pytest.raises(StudyError, match="loss 'hinge' is unknown"):
        run(**study.arguments())


def test_a_class_without_training_images_is_refused(tmp_path):
    arrays, labels = bright()
    roles = ["test" if label == "yes" else role for label, role in zip(labels, split(), strict=True)]
    with pytest.raises(StudyError, match="fold 0: no training image of class 'yes'"):
        run(**make(tmp_path, arrays, labels, [roles]).arguments())
