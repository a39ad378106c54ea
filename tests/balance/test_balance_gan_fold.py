"""The balance stage with method gan: what it writes, what it says of it, and what it leaves behind."""

import json

import keras
import numpy as np
import pytest
from balance_fold import Study
from PIL import Image

from asclepius.balance.gan import features
from asclepius.errors import StudyError
from asclepius.provenance import digest

LABELS = (["a"] * 4 + ["b"] * 2 + ["c"]) * 20
GAN = {"steps": 2, "filters": 4, "batch_size": 8}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Study, table and folder of a balanced fold of three classes."""
    folder = tmp_path_factory.mktemp("gan")
    study = Study(folder, LABELS, ("a", "b", "c"), "multiclass")
    with pytest.MonkeyPatch.context() as quick:
        quick.setattr(features, "STEPS", (5, 5))
        return study, *study.balance(method="gan", gan=GAN, ratio=0.75)


def test_smaller_classes_get_the_images_asked_for(written):
    study, table, out = written
    assert table["label"].value_counts().to_dict() == {"a": 64, "b": 48, "c": 48}
    made = table[table["source"] == "synthetic"]
    assert made["parents"].unique().tolist() == ['["*"]']
    synthetic = np.load(out / "synthetic.npy")
    assert synthetic.shape == (len(made), 6, 5, 1)
    assert synthetic.dtype == study.pixels.dtype
    train = study.pixels[study.training()]
    assert train.min() <= synthetic.min() < synthetic.max() <= train.max()


def test_every_training_image_is_on_record_as_seen(written):
    study, _, out = written
    tokens = study.images["image"][study.training()]
    fits = json.loads((out / "fits.json").read_text())
    assert fits == {"fold": 0, "fits": [{"what": "gan", "roles": ["train"], "images": digest(tokens), "n": 112}]}
    assert json.loads((out / "recipe.json").read_text())["settings"]["gan"]["steps"] == 2


def test_quality_is_told_class_by_class(written):
    study, _, out = written
    found = json.loads((out / "generated" / "quality.json").read_text())
    assert found["steps"] == 2
    assert list(found["classes"]) == ["a", "b", "c"]
    for name, used in (("a", 0), ("b", 16), ("c", 32)):
        each = found["classes"][name]
        assert each["used"] == used
        assert set(each["copies"]["nearest"]) == {"pixels", "features"}
        tokens = {token for token, *_ in each["copies"]["resembled"]}
        assert tokens <= set(study.images["image"][study.training()])
    measures = {"kid", "fid", "precision", "recall", "density", "coverage", "spacing"}
    assert set(found["classes"]["a"]["compared"]) == measures
    assert found["classes"]["c"]["compared"] == {}  # 16 images
    assert "Too few" in found["classes"]["c"]["warnings"][-1]


def test_the_samples_are_a_picture_and_the_generator_draws_again(written):
    _, _, out = written
    picture = np.asarray(Image.open(out / "generated" / "samples.png"))
    assert picture.ndim == 3
    assert len(np.unique(picture)) > 20
    network = keras.saving.load_model(out / "generated" / "generator.keras", safe_mode=True)
    latent, label = network.inputs
    drawn = network([np.zeros((1, latent.shape[1])), np.eye(3)[:1]])
    assert drawn.shape == (1, 6, 5, 1)
    assert label.shape[1] == 3


def test_nothing_unfinished_stays(written):
    study, _, _ = written
    assert not (study.folder / "state").exists()


def test_even_classes_ask_for_no_network(tmp_path, monkeypatch):
    from asclepius.balance.gan import fold

    monkeypatch.setattr(fold, "train", None)
    table, out = Study(tmp_path, ["a", "b"] * 20).balance(method="gan")
    assert (table["source"] == "real").all()
    assert json.loads((out / "fits.json").read_text())["fits"] == []
    assert list((out / "generated").iterdir()) == []


def test_several_labels_per_image_are_refused(tmp_path):
    with pytest.raises(StudyError, match="gan does not suit several labels per image: it draws images of one class"):
        Study(tmp_path, ["a|b", "a", "b"] * 10, kind="multilabel").balance(method="gan")
