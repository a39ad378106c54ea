"""The GAN learns what a class looks like, gives the same bits twice, and goes on where it was stopped."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.balance.gan import grid, networks, training
from asclepius.balance.gan.settings import GanSettings

SMALL = {"filters": 4, "batch_size": 8}


@pytest.fixture
def eager():
    """A few steps cost less than compiling them."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def toy(shape=(8, 8, 1), n=60, dtype=np.uint8):
    """Class 0 dark, class 1 bright, each with its own grain; one in four is of class 1."""
    random = np.random.default_rng(0)
    labels = (np.arange(n) % 4 == 3).astype(int)
    level = np.where(labels, 190, 60).reshape(-1, *[1] * len(shape))
    return (level + random.integers(-30, 30, (n, *shape))).astype(dtype), labels


def drawn(gan, label, count=16, start=0):
    return gan.draw(label, start, count)


def test_each_class_is_drawn_as_it_looks():
    images, labels = toy()
    gan = training.train(images, labels, 2, GanSettings(steps=250, batch_size=16, filters=8), 1)
    dark, bright = (drawn(gan, label, 64).astype(float).mean() for label in (0, 1))
    assert dark < 110 < 140 < bright
    assert drawn(gan, 0).dtype == np.uint8
    assert drawn(gan, 0, 200)[130:140].tobytes() == drawn(gan, 0, 10, start=130).tobytes()


class Killed(Exception):
    pass


@pytest.mark.usefixtures("eager")
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    images, labels = toy()
    monkeypatch.setattr(training, "SAVED_EVERY", 0)
    monkeypatch.setattr(training, "AVERAGED_EVERY", 2)
    whole = training.train(images, labels, 2, GanSettings(steps=5, **SMALL), 1)
    step = training.Trainer.step

    def killed(self, number):
        if number == 4:
            raise Killed
        return step(self, number)

    monkeypatch.setattr(training.Trainer, "step", killed)
    with pytest.raises(Killed):
        training.train(images, labels, 2, GanSettings(steps=5, **SMALL), 1, tmp_path / "state.npz")
    seen = []
    monkeypatch.setattr(training.Trainer, "step", lambda self, number: seen.append(number) or step(self, number))
    resumed = training.train(images, labels, 2, GanSettings(steps=5, **SMALL), 1, tmp_path / "state.npz")
    assert seen == [4, 5]
    for label in (0, 1):
        assert drawn(resumed, label).tobytes() == drawn(whole, label).tobytes()


def test_a_damaged_state_is_begun_again(tmp_path, capsys):
    (tmp_path / "state.npz").write_bytes(b"half a file")
    assert training.Progress.load(tmp_path / "state.npz") is None
    assert "training the GAN again" in capsys.readouterr().out


@pytest.mark.usefixtures("eager")
def test_minutes_already_spent_count(tmp_path, monkeypatch):
    images, labels = toy()
    budget = GanSettings(minutes=1, **SMALL)
    fresh = training.Trainer(images, labels, 2, grid.Scale.of(images), budget, 1)
    training.Progress(7, 59.99, [*map(np.array, fresh.variables), *fresh.average]).save(tmp_path / "state.npz")
    gan = training.train(images, labels, 2, budget, 1, tmp_path / "state.npz")
    assert 8 <= gan.steps < 70
    assert 60 <= gan.seconds < 90


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("shape", "dtype"), [((9, 13, 3), np.int16), ((6, 9, 11, 1), np.uint8), ((2, 12, 8, 2), np.float32)]
)
def test_any_size_two_and_three_dimensions_and_channels(shape, dtype):
    images, labels = toy(shape, 12, dtype)
    labels[:3] = 2
    gan = training.train(images, labels, 3, GanSettings(steps=1, **SMALL), 1)
    found = drawn(gan, 2)
    assert found.shape == (16, *shape)
    assert found.dtype == dtype
    assert images.min() <= found.min() <= found.max() <= images.max()


def test_a_batch_holds_as_many_images_of_each_class_in_fours_that_are_augmented_alike(monkeypatch):
    """Else the variety of classes and of augmentation would hide that a generator repeats itself."""
    images, labels = toy()
    recipe = GanSettings(steps=1, filters=4, batch_size=16)
    trainer = training.Trainer(images, labels, 2, grid.Scale.of(images), recipe, 1)
    critic, creator = [], []
    monkeypatch.setattr(trainer._criticise, "step", lambda *given: critic.append(given) or 0.0)
    monkeypatch.setattr(trainer._create, "step", lambda *given: creator.append(given) or 0.0)
    trainer.step(1)
    real, _, label, u = critic[0]
    assert label.sum(axis=0).tolist() == [8, 8]
    assert ((real.mean(axis=(1, 2, 3)) > 0) == label[:, 1]).all()
    for rows in np.split(np.arange(16), 4):
        assert len(np.unique(label[rows], axis=0)) == 1
        assert len(np.unique(real[rows], axis=0)) == 4
    u = np.concatenate([u, creator[0][-1]])
    assert u.shape == (48, 7)
    for number, four in enumerate(np.split(u, 12)):
        assert (four == four[0]).all()
        assert (four[0] != u[4 * number - 4]).any()


def test_a_loss_that_is_no_number_ends_the_training(monkeypatch):
    from asclepius.errors import StudyError

    images, labels = toy()
    monkeypatch.setattr(training.Trainer, "step", lambda self, number: (math.nan, 0.0))
    with pytest.raises(StudyError, match="use another seed"):
        training.train(images, labels, 2, GanSettings(steps=1, **SMALL), 1)


def test_augmentation_moves_holes_and_shades_but_never_flips():
    from asclepius.balance.gan import diffaugment

    image = np.zeros((2, 16, 16, 1), np.float32)
    image[:, 3:6, 8:11] = 1
    u = np.full((2, 7), 0.5, np.float32)
    u[:, 5:] = 0.0  # the hole at the corner
    u[1, 3:5] = [0.999, 0.0]  # down and left, as far as it goes
    plain, moved = np.array(diffaugment.augment(image, u))[..., 0]
    assert np.array_equal(plain[8:, 8:], image[0, 8:, 8:, 0])
    assert plain[:4, :4].max() == 0
    rows, columns = np.nonzero(moved)
    assert (rows.max(), columns.min()) == (5 + 2, 8 - 2)


@pytest.mark.usefixtures("eager")
def test_gradients_reach_the_generator_through_augmentation():
    images, labels = toy()
    trainer = training.Trainer(images, labels, 2, grid.Scale.of(images), GanSettings(steps=1, **SMALL), 1)
    before = [np.array(each) for each in trainer.generator.trainable_variables]
    trainer.step(1)
    after = [np.array(each) for each in trainer.generator.trainable_variables]
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert all(changed)


def test_the_average_follows_a_short_training_and_lags_in_a_long_one():
    images, labels = toy()
    trainer = training.Trainer(images, labels, 2, grid.Scale.of(images), GanSettings(steps=1, **SMALL), 1)
    first = trainer.generator.trainable_variables[0]
    start = np.array(first)
    first.assign(start + 1)
    trainer._follow(1)
    np.testing.assert_allclose(trainer.average[0], start + 1, rtol=1e-5)
    first.assign(start)
    trainer._follow(100_000)
    np.testing.assert_allclose(trainer.average[0], start + 0.99, rtol=1e-4, atol=1e-5)


def test_the_networks_are_built_without_a_batch(monkeypatch):
    """JAX would ask whether a batch of unknown size comes in fours, and refuse."""
    monkeypatch.setattr(networks.Variety, "call", lambda self, x: pytest.fail("traced"))
    assert networks.discriminator((8, 8), 1, 2, 4).output_shape == (None, 1)


@pytest.mark.parametrize("shape", [(3, 2), (3, 2, 2)])
def test_variety_is_told_four_by_four(shape):
    x = np.random.default_rng(0).normal(0, 1, (12, *shape, 4)).astype(np.float32)
    x[4:8] = 50  # alike
    found = keras.ops.convert_to_numpy(networks.Variety()(keras.ops.convert_to_tensor(x)))
    np.testing.assert_array_equal(found[..., :-1], x)
    for start in (0, 4, 8):
        np.testing.assert_allclose(
            found[start : start + 4, ..., -1], x[start : start + 4].std(axis=0).mean(), atol=1e-3
        )


def test_spectral_layers_have_norm_one():
    from asclepius.balance.gan.networks import SpectralConvolution, SpectralDense

    for layer, x in ((SpectralConvolution(6, 3, (1, 1)), np.ones((1, 8, 8, 2))), (SpectralDense(5), np.ones((1, 7)))):
        layer(x)
        layer.kernel.assign(np.random.default_rng(0).normal(0, 3, layer.kernel.shape))
        for _ in range(100):
            normalised = layer.normalised(True)
        flat = np.array(normalised).reshape(-1, layer.kernel.shape[-1])
        assert np.linalg.norm(flat, 2) == pytest.approx(1, rel=1e-3)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 24), min_size=2, max_size=3), st.sampled_from([np.uint8, np.int16, np.float32]))
def test_stored_values_survive_the_way_there_and_back(shape, dtype):
    random = np.random.default_rng(0)
    images = random.integers(0, 200, (3, *shape, 2)).astype(dtype)
    scale = grid.Scale.of(images, longest=64)
    unit = scale.to_unit(images)
    assert unit.dtype == np.float32
    assert -1 <= unit.min() <= unit.max() <= 1
    inside = np.clip(images, scale.low, scale.high)
    back = scale.to_stored(unit)
    assert back.dtype == dtype
    assert np.abs(back.astype(float) - inside).max() <= 0.51


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 48), min_size=2, max_size=3), st.integers(8, 32))
def test_the_grid_keeps_proportions_and_a_plain_image_plain(shape, longest):
    drawn_shape = grid.drawn_shape(tuple(shape), longest)
    assert max(drawn_shape) <= max(longest, 1)
    assert all(new <= old for new, old in zip(drawn_shape, shape, strict=True))
    plain = np.full((1, *shape, 1), 7, np.int16)
    np.testing.assert_allclose(grid.resized(plain, drawn_shape), 7, rtol=1e-5)
    assert grid.levels(drawn_shape)[0] == drawn_shape
    assert max(grid.levels(drawn_shape)[-1]) <= grid.SMALLEST
