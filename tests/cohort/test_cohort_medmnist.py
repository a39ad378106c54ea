import numpy as np
import pytest

from asclepius.cohort.settings import CohortSettings
from asclepius.cohort.sources import read
from asclepius.errors import StudyError


def test_rows_keep_official_split_and_order(cohort, npz, tmp_path):
    path = npz(tmp_path / "set.npz", train=[0, 1, 1], val=[0], test=[1, 0])
    found = cohort(source="medmnist", path=path, labels={"classes": ["normal", "ill"]})
    order = found.order.sort_values("position")["source"].tolist()
    assert order == ["train/000000", "train/000001", "train/000002", "val/000000", "test/000000", "test/000001"]
    images = found.images.set_index("source").loc[order]
    assert images["label"].tolist() == ["normal", "ill", "ill", "normal", "ill", "normal"]
    assert images["official"].tolist() == ["train"] * 3 + ["validation"] + ["test"] * 2
    assert images["row"].tolist() == [0, 1, 2, 0, 0, 1]
    assert images["member"].tolist() == ["train_images"] * 3 + ["val_images"] + ["test_images"] * 2
    assert images["patient"].nunique() == 6


def test_numbers_are_classes_without_names_and_can_be_merged(cohort, npz, tmp_path):
    path = npz(tmp_path / "set.npz", train=[0, 1, 2, 2])
    assert set(cohort("a", source="medmnist", path=path).images["label"]) == {"0", "1", "2"}
    labels = {"classes": ["none", "some"], "merge": {"none": ["0"], "some": ["1", "2"]}}
    merged = cohort("b", source="medmnist", path=path, labels=labels).images["label"]
    assert merged.value_counts().to_dict() == {"some": 3, "none": 1}


def test_flags_are_joined(cohort, npz, tmp_path):
    path = npz(tmp_path / "set.npz", train=[[0, 0, 0], [1, 0, 1], [0, 1, 0]])
    labels = {"classes": ["a", "b", "c"], "multilabel": True}
    assert cohort(source="medmnist", path=path, labels=labels).images["label"].tolist() == ["", "a|c", "b"]
    with pytest.raises(StudyError, match=r"labels\.multilabel"):
        cohort(source="medmnist", path=path)


def test_too_few_names_are_refused(cohort, npz, tmp_path):
    path = npz(tmp_path / "set.npz", train=[0, 1, 2])
    with pytest.raises(StudyError, match=r"labels go up to 2 but labels\.classes names 2"):
        cohort(source="medmnist", path=path, labels={"classes": ["a", "b"]})


def test_a_damaged_file_is_refused(cohort, tmp_path):
    path = tmp_path / "set.npz"
    path.write_bytes(b"PK\x03\x04 nothing more")
    with pytest.raises(StudyError, match="not a readable MedMNIST"):
        cohort(source="medmnist", path=path)


def test_images_are_never_loaded(npz, tmp_path, monkeypatch):
    path = npz(tmp_path / "set.npz", shape=(64, 64), train=[0, 1] * 50)
    real, read_shapes = np.lib.format.read_array, []

    def spy(*args, **kwargs):
        array = real(*args, **kwargs)
        read_shapes.append(array.shape)
        return array

    monkeypatch.setattr(np.lib.format, "read_array", spy)
    read(CohortSettings(source="medmnist", path=path), "image", "cohort")
    assert read_shapes == [(100, 1)]
