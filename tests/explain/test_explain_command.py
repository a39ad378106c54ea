"""The stage on networks whose eye is known: heat lies where the evidence was put."""

import json

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from asclepius import store, tables
from asclepius.columns import Columns
from asclepius.errors import StudyError
from asclepius.explain.command import run
from asclepius.explain.schema import GALLERY
from asclepius.explain.settings import ExplainSettings
from asclepius.quality.schema import IMAGES
from asclepius.task import Task
from asclepius.train import device
from asclepius.train.normalise.affine import Shared
from asclepius.train.preprocess import Preprocess
from asclepius.train.schema import PREDICTIONS

SIZE = 16
RUNS = (("best", 1, "test"), ("best", 0, "validation"), ("best", 2, "test"), ("other", 1, "test"))
CORNER = slice(1, 5)  # bright spot: ill
OPPOSITE = slice(11, 15)  # dark spot: well


@pytest.fixture
def running(monkeypatch):
    """Threads of the test process are set already, perhaps by another test."""
    monkeypatch.setattr(device, "start", lambda settings: "cpu")


def network(dimensions: int, path, name: str = "features"):
    """Two features, bright and dark; "ill" is bright minus dark, "well" the reverse."""
    import keras

    image = keras.Input((SIZE,) * dimensions + (1,))
    convolution = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[dimensions](2, 2, strides=2, name="edges")
    x = keras.layers.ReLU(name=name)(convolution(image))
    x = {2: keras.layers.GlobalAveragePooling2D, 3: keras.layers.GlobalAveragePooling3D}[dimensions]()(x)
    head = keras.layers.Dense(2, activation="softmax", name="output")
    model = keras.Model(image, head(x))
    kernel = np.ones((2,) * dimensions + (1, 2), np.float32)
    kernel[..., 1] = -1
    convolution.set_weights([kernel, np.zeros(2, np.float32)])
    head.set_weights([np.array([[-1, 1], [1, -1]], np.float32), np.zeros(2, np.float32)])
    model.save(path)


def regression(dimensions: int) -> Pipeline:
    """As the train stage writes it; its only weight lies on the first pixel of the corner."""
    shape = (SIZE,) * dimensions
    size = SIZE**dimensions
    scaler, classifier = StandardScaler(), LogisticRegression()
    weight = np.zeros(shape)
    weight[(CORNER.start,) * dimensions] = 2.0
    scaler.mean_, scaler.scale_, scaler.var_, scaler.n_features_in_ = np.zeros(size), np.ones(size), np.ones(size), size
    classifier.coef_, classifier.intercept_ = weight.reshape(1, -1), np.zeros(1)
    classifier.classes_ = np.array([0, 1])
    return Pipeline([("scaler", scaler), ("classifier", classifier)])


@pytest.fixture
def make_study(tmp_path, running):
    def make(dimensions: int, layer: str = "features"):
        folder = tmp_path / f"{dimensions}d-{layer}"
        spots = np.zeros((12, *(SIZE,) * dimensions, 1), np.int16)
        spots[(slice(None), *(CORNER,) * dimensions)] = 100
        spots[(slice(None), *(OPPOSITE,) * dimensions)] = -100
        masks = np.zeros((12, *(SIZE,) * dimensions, 1), np.uint8)
        masks[(slice(None), *(CORNER,) * dimensions)] = 1
        for shard in (0, 1):
            rows = slice(shard * 6, shard * 6 + 6)
            for name, array in (("store", spots), ("masks", masks)):
                store.write(store.shard_path(folder / name, shard), array[rows], array.shape[1:], array.dtype)
        images = pd.DataFrame(
            {name: [{"str": "-", "int": 0, "float": 0.0}[kind]] * 12 for name, kind in IMAGES.columns.items()}
        )
        images["image"] = [f"i{i}" for i in range(12)]
        images["shard"], images["row"] = np.arange(12) // 6, np.arange(12) % 6
        images["mask_row"] = np.where(np.arange(12) == 0, -1, images["row"])
        tables.write(folder / "images.parquet", images, IMAGES)
        # Half are ill; even ones are called rightly.
        ill = np.arange(12) < 6
        p = np.where(ill == (np.arange(12) % 2 == 0), 0.9, 0.2) - np.arange(12) / 100
        rows = [
            (f"i{i}", f"P{i}", arm, fold, 1, role, "clean", int(ill[i] == (name == "ill")), name, x)
            for i in range(12)
            for arm, fold, role in RUNS
            for name, x in (("well", 1 - p[i]), ("ill", p[i]))
        ]
        tables.write(folder / "p.parquet", pd.DataFrame(rows, columns=list(PREDICTIONS.columns)), PREDICTIONS)
        task = Task("binary", ("well", "ill"), "ill")
        task.write(folder / "task.json")
        if layer == "linear":
            skops.io.dump(regression(dimensions), folder / "model.skops")
        else:
            network(dimensions, folder / "model.keras", layer)
        identity = Preprocess("window", (), (Shared((0.0,), (1.0,), False),), spots.shape[1:], task)
        identity.write(folder / "preprocess.json")
        choice = {"arm": "best", "fold": 1, "seed": 1, "threshold": 0.5}
        choice |= {"model": "model.skops" if layer == "linear" else "model.keras", "preprocess": "preprocess.json"}
        (folder / "choice.json").write_text(json.dumps(choice))

        def call(name: str = "out"):
            run(
                settings=ExplainSettings(cases=2),
                choice=folder / "choice.json",
                predictions=folder / "p.parquet",
                images=folder / "images.parquet",
                task=folder / "task.json",
                stores=sorted((folder / "store").iterdir()),
                masks=sorted((folder / "masks").iterdir()),
                gallery=folder / name / "gallery.parquet",
                heat=folder / name / "heat.npz",
                results=folder,
            )
            return tables.read(folder / name / "gallery.parquet", GALLERY), folder / name

        return call

    return make


@pytest.mark.parametrize("dimensions", [2, 3])
def test_heat_lies_where_the_called_class_found_its_evidence(make_study, dimensions):
    gallery, folder = make_study(dimensions)()
    assert len(gallery) == 8
    assert gallery.groupby(["target", "correct"]).size().eq(2).all()
    assert set(gallery["arm"]) == {"best"}
    assert set(gallery["fold"]) == {1}
    with np.load(folder / "heat.npz") as arrays:
        image, heat, mask = arrays["image"], arrays["heat"], arrays["mask"]
    assert image.shape == heat.shape == mask.shape == (8, SIZE, SIZE)
    assert (image.dtype, heat.dtype, mask.dtype) == (np.float32, np.float32, np.uint8)
    for case in gallery.itertuples():
        warm = heat[case.row]
        inside = {"ill": warm[CORNER, CORNER], "well": warm[OPPOSITE, OPPOSITE]}
        called, other = case.predicted, "well" if case.predicted == "ill" else "ill"
        assert inside[called].sum() / warm.sum() > 0.5
        assert inside[other].sum() == 0
        if case.image == "i0":
            assert np.isnan(case.overlap)
            assert mask[case.row].sum() == 0
        else:
            assert (case.overlap > 0.4) if called == "ill" else (case.overlap == 0)
        if dimensions == 3:
            spot = CORNER if called == "ill" else OPPOSITE
            assert spot.start <= case.slice < spot.stop
        else:
            assert case.slice == -1


def test_running_twice_gives_the_same_bytes(make_study):
    call = make_study(2)
    first, second = call("one")[1], call("two")[1]
    for name in ("gallery.parquet", "heat.npz"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_network_without_the_named_layer_is_refused(make_study):
    with pytest.raises(StudyError, match="no layer 'features'"):
        make_study(2, "nameless")()


def test_score_before_softmax_survives_certainty(tmp_path):
    """A saturated softmax has no gradient left; its input still has."""
    from asclepius.explain.gradcam import GradCam

    network(2, tmp_path / "m.keras")
    batch = np.zeros((1, SIZE, SIZE, 1), np.float32)
    batch[0, CORNER, CORNER] = 1e5
    heat = GradCam.read(tmp_path / "m.keras")(batch, np.array([1]))
    assert heat.shape == (1, SIZE // 2, SIZE // 2)
    assert heat.max() > 1


def test_a_linear_model_shows_the_pixel_it_weighs(make_study):
    gallery, folder = make_study(2, "linear")()
    with np.load(folder / "heat.npz") as arrays:
        heat = arrays["heat"]
    assert len(heat) == len(gallery) == 8
    for warm in heat:
        assert np.argwhere(warm > 0).tolist() == [[CORNER.start, CORNER.start]]


def test_linear_contributions_add_up_to_the_score(tmp_path):
    """On 20 x 20 x 18 voxels the model averages blocks of two; on three classes each has its own weights."""
    from asclepius.explain.linear import contributions
    from asclepius.train.classical import pooled

    generator = np.random.default_rng(1)
    batch = np.abs(generator.normal(size=(30, 20, 20, 17, 1))).astype(np.float32)
    values = pooled(batch)
    pipeline = Pipeline([("scaler", StandardScaler(with_mean=False)), ("classifier", LogisticRegression())])
    pipeline.fit(values, np.arange(30) % 3)
    classifier = pipeline["classifier"]
    classifier.coef_ = np.abs(classifier.coef_)  # then nothing cancels and the sum is the score
    skops.io.dump(pipeline, tmp_path / "model.skops")
    column = np.arange(30) % 3
    identity = Preprocess(
        "window", (), (Shared((0.0,), (1.0,), False),), batch.shape[1:], Task("multiclass", ("a", "b"))
    )
    heat = contributions(tmp_path / "model.skops", identity, batch, pd.DataFrame(index=range(30)), column)
    assert heat.shape == (30, 20, 20, 17)
    blocks = heat[:, ::2, ::2, ::2]  # one voxel of each block
    score = pipeline.decision_function(values)[np.arange(30), column] - classifier.intercept_[column]
    assert blocks.sum(axis=(1, 2, 3)) == pytest.approx(score, rel=1e-4)
    assert (heat[:, 1::2] == heat[:, ::2]).all()


@pytest.mark.parametrize("pixels", [True, False])
def test_heat_of_a_model_of_pixels_and_table_is_that_of_its_pixels(tmp_path, pixels):
    from asclepius.explain.linear import contributions
    from asclepius.train.classical import inputs

    generator = np.random.default_rng(1)
    stored = generator.normal(size=(30, 6, 5, 1)).astype(np.float32)
    table = pd.DataFrame({"age": generator.normal(60, 9, 30)})
    columns = Columns.fit(["age"], table)
    preprocess = Preprocess(
        "window", (), (Shared((0.0,), (1.0,), False),), (6, 5, 1), Task("binary", ("a", "b"), "b"),
        columns=columns, pixels=pixels,
    )  # fmt: skip
    pipeline = Pipeline([("scaler", StandardScaler()), ("classifier", LogisticRegression())])
    values = inputs(stored, table, preprocess)
    pipeline.fit(values, np.arange(30) % 2)
    skops.io.dump(pipeline, tmp_path / "model.skops")
    heat = contributions(tmp_path / "model.skops", preprocess, stored, table, np.ones(30, int))
    weighed = np.abs(pipeline["scaler"].transform(values) * pipeline["classifier"].coef_)
    expected = weighed[:, :30].reshape(30, 6, 5) if pixels else np.zeros((30, 6, 5))
    np.testing.assert_allclose(heat, expected, rtol=1e-5)
