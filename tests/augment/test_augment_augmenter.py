import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.augment.settings import AugmentSettings
from asclepius.errors import StudyError

pytest.importorskip("keras")
from asclepius.augment.augmenter import Augmenter
from asclepius.augment.parameters import draw, noise_field

ALL = AugmentSettings(flip=["x", "y"], rotate=20, shift=0.1, zoom=0.1, contrast=0.3, noise=0.2)
MOVING = ALL.model_copy(update={"noise": 0.0})
N, BATCH = 10, 4
IMAGES = np.random.default_rng(1).random((N, 8, 8, 1), dtype=np.float32)


@pytest.fixture(scope="module")
def moving():
    return Augmenter(MOVING, (8, 8, 1), BATCH)


def test_row_i_of_the_parameters_depends_on_seed_epoch_and_i_alone():
    few, many = draw(ALL, (8, 8), 3, 1, 2), draw(ALL, (8, 8), 50, 1, 2)
    np.testing.assert_array_equal(few.matrices, many.matrices[:3])
    np.testing.assert_array_equal(few.noise, many.noise[:3])
    for other in (draw(ALL, (8, 8), 3, 1, 3), draw(ALL, (8, 8), 3, 2, 2)):
        assert not np.array_equal(few.matrices, other.matrices)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(N)), size=st.integers(1, BATCH))
def test_an_image_changes_alike_in_whatever_batch_it_comes(moving, order, size):
    moving.start(N, seed=1, epoch=3)
    alone = {i: moving(IMAGES[[i]], np.array([i]), 0) for i in order[:size]}
    indices = np.array(order[:size])
    together = moving(IMAGES[indices], indices, 5)
    assert together.shape == (size, 8, 8, 1)
    for place, i in enumerate(indices):
        np.testing.assert_array_equal(together[place], alone[i][0])


def test_epochs_differ_and_repeat():
    augmenter = Augmenter(ALL, (8, 8, 1), BATCH)
    found = []
    for epoch in (1, 2, 1):
        augmenter.start(N, 1, epoch)
        found.append(augmenter(IMAGES[:BATCH], np.arange(BATCH), 0))
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])


def test_partial_batches_do_not_compile_again(moving):
    moving.start(N, 1, 1)
    for size in (BATCH, 1, 3):
        moving(IMAGES[:size], np.arange(size), 0)
    count = getattr(moving._change, "experimental_get_tracing_count", None)
    if count is None:
        pytest.skip("only TensorFlow tells how often it compiled")
    assert count() == 1


def test_without_anything_to_do_images_pass_untouched():
    for plain in (AugmentSettings(), ALL.model_copy(update={"probability": 0.0})):
        augmenter = Augmenter(plain, (8, 8, 1), BATCH)
        augmenter.start(N, 1, 1)
        assert augmenter(IMAGES[:2], np.arange(2), 0) is not None
        np.testing.assert_array_equal(augmenter(IMAGES[:2], np.arange(2), 0), IMAGES[:2])


def test_probability_is_the_share_of_images_changed():
    half = ALL.model_copy(update={"probability": 0.3})
    found = draw(half, (8, 8), 4000, 1, 1)
    same = (found.matrices == draw(AugmentSettings(), (8, 8), 1, 1, 1).matrices).all(axis=(1, 2))
    assert same.mean() == pytest.approx(0.7, abs=0.03)
    assert (found.contrast[same] == 1).all()
    assert (found.noise[same] == 0).all()


def test_parameters_stay_within_what_was_asked():
    found = draw(ALL.model_copy(update={"flip": []}), (8, 8), 4000, 1, 1)
    linear = found.matrices[:, :, :2].astype(float)
    zoom = 1 / np.sqrt(np.linalg.det(linear))
    angle = np.degrees(np.arctan2(linear[:, 0, 1], linear[:, 0, 0]))
    assert zoom.min() == pytest.approx(0.9, abs=0.01)
    assert zoom.max() == pytest.approx(1.1, abs=0.01)
    assert np.abs(angle).max() == pytest.approx(20, abs=0.2)
    assert found.contrast.min() == pytest.approx(0.7, abs=0.01)
    assert found.noise.max() == pytest.approx(0.2, abs=0.01)


def test_flips_happen_in_half_of_the_images_and_only_along_the_named_axis():
    found = draw(AugmentSettings(flip=["z"]), (4, 8, 8), 4000, 1, 1).matrices
    assert (found[:, 0, 0] < 0).mean() == pytest.approx(0.5, abs=0.03)
    assert (found[:, 1, 1] == 1).all()
    assert (found[:, 2, 2] == 1).all()


def test_contrast_keeps_each_images_mean():
    augmenter = Augmenter(AugmentSettings(contrast=0.5), (8, 8, 1), BATCH)
    augmenter.start(N, 1, 1)
    found = augmenter(IMAGES[:BATCH], np.arange(BATCH), 0)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), IMAGES[:BATCH].mean(axis=(1, 2)), atol=1e-5)
    assert not np.allclose(found.std(axis=(1, 2)), IMAGES[:BATCH].std(axis=(1, 2)), atol=1e-3)


def test_noise_has_the_deviation_drawn_and_follows_the_step():
    augmenter = Augmenter(AugmentSettings(noise=0.5), (40, 40, 1), 2)
    augmenter.start(2, 1, 1)
    blank = np.zeros((2, 40, 40, 1), np.float32)
    first, again, other = (augmenter(blank, np.arange(2), step) for step in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_allclose(first.std(axis=(1, 2, 3)), augmenter._parameters.noise, rtol=0.1)
    assert not np.array_equal(noise_field((3,), 1, 1, 0), noise_field((3,), 1, 2, 0))


def test_masks_move_with_their_images():
    augmenter = Augmenter(MOVING.model_copy(update={"contrast": 0.0}), (8, 8, 1), BATCH)
    augmenter.start(N, 1, 1)
    squares = np.zeros((3, 8, 8, 1), np.float32)
    squares[:, 2:6, 1:5] = 1
    indices = np.array([4, 0, 9])
    moved, masks = augmenter(squares, indices, 0), augmenter.masks(squares.astype(np.uint8), indices)
    assert masks.dtype == np.uint8
    assert (masks.astype(bool) == (moved > 0.5)).mean() > 0.97


def test_an_axis_the_image_has_not_is_refused():
    with pytest.raises(StudyError, match=r"augment.flip: 'z' is no axis of a 2D image; choose of y, x"):
        Augmenter(AugmentSettings(flip=["z"]), (8, 8, 1), BATCH).start(N, 1, 1)
