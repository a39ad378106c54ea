import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.augment.settings import AugmentSettings
from asclepius.errors import StudyError

pytest.importorskip("keras")
from asclepius.augment.augmenter import Augmenter
from asclepius.augment.parameters import Draws

ALL = AugmentSettings(
    flip=["x", "y"], rotate=[-20, 20], shift=[-0.1, 0.1], zoom=[0.9, 1.1], crop=[0.8, 1.0], elastic=[0, 0.05],
    affine={"scale": [0.9, 1.1], "shear": [-5, 5]}, bias_field=[0, 0.3], motion=[-0.1, 0.1], ghosting=[0, 0.5],
    spike=[0, 0.3], blur=[0, 1.5], low_resolution=[1, 2], gamma=[0.7, 1.4], contrast=[0.7, 1.3],
    brightness=[-0.2, 0.2], noise=[0, 0.2], rician=[0, 0.1], cutout=[0.1, 0.4], randaugment=2,
)  # fmt: skip
MIXING = AugmentSettings(mixup={"alpha": 0.5, "probability": 0.7}, cutmix={"alpha": 1, "probability": 0.7})
# What changes nothing, written out.
STILL = AugmentSettings(
    rotate=0, shift=0, zoom=1, crop=1, elastic=0, affine={"scale": 1, "shear": 0}, bias_field=0, motion=0, ghosting=0,
    spike=0, blur=0, low_resolution=1, gamma=1, contrast=1, brightness=0, noise=0, rician=0, cutout=0,
)  # fmt: skip
N, BATCH, SHAPE = 10, 4, (8, 9, 1)
IMAGES = np.random.default_rng(1).random((N, *SHAPE), dtype=np.float32)
TARGETS = np.eye(2, dtype=np.float32)[np.arange(N) % 2]
WEIGHTS = np.linspace(1, 3, N, dtype=np.float32)


def augmented(augmenter, indices, step=0, images=IMAGES):
    changed, *rest = augmenter(images[indices], TARGETS[indices], WEIGHTS[indices], indices, step)
    return np.array(changed), *rest


@pytest.fixture(scope="module")
def everything():
    return Augmenter(ALL, SHAPE, BATCH)


@pytest.fixture(scope="module")
def mixing():
    return Augmenter(MIXING, SHAPE, BATCH)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(N)), size=st.integers(1, BATCH), seed=st.integers(0, 3))
def test_an_image_changes_alike_in_whatever_batch_and_step_it_comes(everything, order, size, seed):
    everything.start(seed, epoch=3)
    indices = np.array(order[:size])
    together = augmented(everything, indices, step=5)[0]
    assert together.shape == (size, *SHAPE)
    assert np.isfinite(together).all()
    for place, i in enumerate(indices):
        np.testing.assert_array_equal(together[place], augmented(everything, np.array([i]), 0)[0][0])


def test_epochs_seeds_and_images_differ_and_repeat(everything):
    found = []
    for key in ((1, 1), (1, 2), (2, 1), (1, 1)):
        everything.start(*key)
        found.append(augmented(everything, np.arange(BATCH))[0])
    np.testing.assert_array_equal(found[0], found[3])
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    same = everything(np.tile(IMAGES[:1], (2, 1, 1, 1)), TARGETS[:2], WEIGHTS[:2], np.array([3, 4]), 0)[0]
    assert not np.array_equal(same[0], same[1])


@pytest.mark.parametrize("shape", [SHAPE, (5, 6, 7, 2)])
def test_no_strength_changes_no_bit(shape):
    images = np.random.default_rng(2).normal(size=(3, *shape)).astype(np.float32)
    augmenter = Augmenter(STILL, shape, BATCH)
    augmenter.start(1, 1)
    found = augmenter(images, TARGETS[:3], WEIGHTS[:3], np.arange(3), 0)
    np.testing.assert_array_equal(found[0], images)


def test_a_transform_added_leaves_the_draws_of_others_as_they_are():
    one = Augmenter(AugmentSettings(rotate=[-20, 20]), SHAPE, BATCH)._drawn(np.arange(N)).all()
    more = Augmenter(AugmentSettings(rotate=[-20, 20], noise=[0, 1], cutout=0.2), SHAPE, BATCH)
    np.testing.assert_array_equal(one["matrices"], more._drawn(np.arange(N)).all()["matrices"])


def test_draws_look_random():
    drawn = Draws(1, 2, np.arange(20000)).uniform("anything", 8)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    np.testing.assert_allclose(drawn.mean(axis=0), 0.5, atol=0.01)
    np.testing.assert_allclose(drawn.var(axis=0), 1 / 12, atol=0.003)
    apart = [*np.corrcoef(drawn.T)[np.triu_indices(8, 1)], np.corrcoef(drawn[1:, 0], drawn[:-1, 0])[0, 1]]
    other = Draws(1, 2, np.arange(20000)).uniform("another", 8)
    assert np.abs([*apart, *(np.corrcoef(drawn[:, i], other[:, i])[0, 1] for i in range(8))]).max() < 0.03


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(0.1, 100), offset=st.floats(-50, 50), seed=st.integers(0, 20))
def test_whatever_the_normalisation_the_change_is_the_same(everything, factor, offset, seed):
    everything.start(seed, 1)
    plain = augmented(everything, np.arange(BATCH))[0]
    scaled = augmented(everything, np.arange(BATCH), images=(factor * IMAGES + offset).astype(np.float32))[0]
    np.testing.assert_allclose((scaled - offset) / factor, plain, atol=2e-3 + 1e-4 * abs(offset) / factor)


def test_partial_batches_do_not_compile_again(everything):
    everything.start(1, 1)
    augmented(everything, np.arange(BATCH))
    count = getattr(everything._change, "experimental_get_tracing_count", None)
    if count is None:
        pytest.skip("only TensorFlow tells how often it compiled")
    before = count()
    for size in (1, 3):
        augmented(everything, np.arange(size))
    augmented(Augmenter(ALL, SHAPE, BATCH), np.arange(2))
    assert count() == before


def test_without_anything_to_do_a_batch_passes_untouched():
    for plain in (AugmentSettings(), ALL.model_copy(update={"probability": 0.0}), AugmentSettings(flip=False)):
        augmenter = Augmenter(plain, SHAPE, BATCH)
        assert not augmenter.active
        assert augmented(augmenter, np.arange(2))[0] is not None
        np.testing.assert_array_equal(augmented(augmenter, np.arange(2))[0], IMAGES[:2])


def test_mixing_follows_seed_epoch_and_step_and_mixes_targets_by_what_is_seen(mixing):
    mixing.start(1, 1)
    values = np.zeros((BATCH, *SHAPE), np.float32) + np.arange(BATCH, dtype=np.float32)[:, None, None, None]
    targets = np.eye(BATCH, dtype=np.float32)
    weights = np.ones(BATCH, np.float32)
    seen = []
    for step in range(8):
        images, soft, heavy = mixing(values, targets, weights, np.arange(BATCH), step)
        images = np.array(images)
        again = mixing(values, targets, weights, np.arange(BATCH), step)
        for one, other in zip((images, soft, heavy), again, strict=True):
            np.testing.assert_array_equal(one, other)
        # An image of the value i everywhere, so that the mean tells how much of which is in it.
        np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), soft @ np.arange(BATCH), atol=1e-4)
        np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(heavy, 1, atol=1e-5)
        seen.append(soft)
    assert (np.stack(seen) > 0).sum() > 8 * BATCH
    assert not np.array_equal(seen[0], seen[1])


def test_weights_mix_so_that_the_loss_is_that_of_both_parts(mixing):
    from asclepius.augment.mixing import mixed_targets

    targets, weights = np.array([[1.0, 0], [0, 1]]), np.array([1.0, 9.0])
    logs = np.log(np.array([[0.7, 0.3], [0.2, 0.8]]))
    partners, share = np.array([1, 0]), np.array([0.25, 0.0])
    soft, heavy = mixed_targets(targets, weights, partners, share)
    for i in range(2):
        parts = (1 - share[i]) * weights[i] * logs[i] @ targets[i]
        parts += share[i] * weights[partners[i]] * logs[i] @ targets[partners[i]]
        assert heavy[i] * (soft[i] @ logs[i]) == pytest.approx(parts)
    nothing = mixed_targets(targets, np.zeros(2), partners, share)
    np.testing.assert_array_equal(nothing[0], targets)


@pytest.mark.parametrize(
    ("plain", "shape", "message"),
    [
        ({"flip": ["z"]}, SHAPE, r"augment.flip: 'z' is no axis of a 2D image; choose of y, x"),
        ({"motion": {"axis": "z"}}, SHAPE, r"augment.motion: 'z' is no axis"),
        ({"randaugment": 2}, (8, 8, 8, 1), r"augment.randaugment: made for 2D"),
    ],
)
def test_what_an_image_has_not_is_refused(plain, shape, message):
    with pytest.raises(StudyError, match=message):
        Augmenter(AugmentSettings(**plain), shape, BATCH)


def test_masks_and_boxes_of_mixed_images_are_refused(mixing):
    with pytest.raises(StudyError, match="leave out mixup and cutmix"):
        mixing.masks(IMAGES[:1], np.arange(1))
