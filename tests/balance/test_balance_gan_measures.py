"""Figures of likeness and the guard against copies, on clouds of points whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.balance.gan import measures, quality
from asclepius.balance.gan.drawing import TIMES, Space, draw
from asclepius.balance.gan.memorisation import Guard


def cloud(seed, n=300, d=8, shift=0.0, spread=1.0):
    return shift + spread * np.random.default_rng(seed).standard_normal((n, d))


def kid(one, other):
    return measures.kid(one, other, np.random.default_rng(0))


def test_kid_of_equal_sets_is_nought_within_its_error_and_grows_with_a_shift():
    means = [kid(cloud(2 * seed), cloud(2 * seed + 1)) for seed in range(30)]
    scores = [found.value / found.error for found in means]
    assert abs(np.mean(scores)) < 0.6  # unbiased; a biased estimate lies at 2 and more
    assert 0.6 < np.std(scores) < 1.7  # the error is that of the mean
    near, far = kid(cloud(0), cloud(1, shift=0.5)), kid(cloud(0), cloud(1, shift=2.0))
    assert 5 * near.error < near.value < far.value / 5


def test_kid_is_unbiased_at_any_size():
    found = [kid(cloud(seed, n=24), cloud(seed + 1000, n=24)).value for seed in range(300)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(300)


def test_fid_is_the_distance_of_two_normal_distributions():
    one, other = cloud(0, n=20_000, d=3), cloud(1, n=20_000, d=3, shift=2.0, spread=3.0)
    assert measures.fid(one, other) == pytest.approx(3 * 2.0**2 + 3 * (3.0 - 1.0) ** 2, rel=0.03)
    assert measures.fid(one, one) == pytest.approx(0, abs=1e-6)


def test_fid_of_fewer_images_than_features_is_finite_and_orders_sets():
    real = cloud(0, n=30, d=64)
    assert 0 < measures.fid(real, cloud(1, n=30, d=64)) < measures.fid(real, cloud(1, n=30, d=64, shift=1)) < np.inf


def test_neighbourhoods_tell_a_missing_mode_from_strange_images():
    two = np.concatenate([cloud(0, n=150), cloud(1, n=150, shift=20)])
    same = measures.neighbourhoods(two, np.concatenate([cloud(2, n=150), cloud(3, n=150, shift=20)]))
    assert min(same.values()) > 0.8
    one_mode = measures.neighbourhoods(two, cloud(2, n=300))
    assert one_mode["precision"] > 0.8
    assert 0.4 < one_mode["coverage"] <= 0.5  # nothing near the second
    assert one_mode["recall"] <= 0.5
    strange = measures.neighbourhoods(two, cloud(2, n=300, shift=100))
    assert max(strange.values()) == 0


def test_density_is_not_fooled_by_an_outlier_as_precision_is():
    real = np.concatenate([cloud(0, n=99), np.full((1, 8), 30.0)])
    made = np.full((100, 8), 25.0)  # near the outlier alone, whose neighbourhood is as wide as the world
    found = measures.neighbourhoods(real, made)
    assert found["precision"] == 1
    assert found["density"] <= 0.2
    assert found["coverage"] <= 0.01


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=2, max_size=60), st.integers(0, 5))
def test_no_patient_lies_in_both_halves(patients, seed):
    patients = np.array(patients)
    one, other = quality.halves(patients, np.random.default_rng(seed))
    assert sorted([*one, *other]) == list(range(len(patients)))
    assert not set(patients[one]) & set(patients[other])
    assert len(one) <= len(patients) / 2


class Copier:
    """Draws new points, but every tenth is a training point moved by almost nothing."""

    def __init__(self, training, every=10):
        self.training, self.every = training, every

    def __call__(self, start, count):
        numbers = np.arange(start, start + count)
        found = cloud(99, n=start + count, d=self.training.shape[1])[start:]
        copied = numbers % self.every == 0
        found[copied] = self.training[numbers[copied] % len(self.training)] + 1e-4
        return found


def space(points, patients=None, name="pixels"):
    labels = np.zeros(len(points), int)
    patients = np.arange(len(points)) if patients is None else patients
    return Space(name, lambda images: images, Guard(points, labels, patients, 0))


def test_planted_copies_are_dropped_named_and_drawn_again():
    training = cloud(0, n=200, d=20)
    found = draw(Copier(training), 0, 150, [space(training)])
    assert len(found.images) == 150
    assert np.linalg.norm(found.images[:, None] - training, axis=2).min() > 0.1
    planted = {number % 200 for number in range(0, found.drawn, 10)}
    assert planted <= {row for row, _ in found.dropped}
    assert len(found.dropped) < len(planted) + 0.06 * 150
    assert found.drawn == 150 + len(found.dropped)


def test_a_generator_that_only_copies_ends_and_gives_nothing():
    training = cloud(0, n=50)
    found = draw(Copier(training, every=1), 0, 20, [space(training)])
    assert len(found.images) == 0
    assert found.drawn == TIMES * 20
    figures = quality.of_class(training, np.arange(50), with_features(found), 20, 0, [], 1)
    assert any("0 synthetic images instead of 20" in sentence for sentence in figures["warnings"])
    assert any("remembers patients" in sentence for sentence in figures["warnings"])


def with_features(drawn):
    drawn.points["features"] = drawn.points["pixels"]
    return drawn


def test_a_copy_in_one_space_alone_is_dropped():
    training = cloud(0, n=100)
    halved = Space(
        "features", lambda images: images[:, :2], Guard(training[:, :2], np.zeros(100, int), np.arange(100), 0)
    )
    source = np.concatenate([training[:1] + np.array([0, 0, 5, 5, 5, 5, 5, 5]), cloud(5, n=3, shift=9)])
    found = draw(lambda start, count: source[start : start + count], 0, 1, [space(training), halved])
    assert found.dropped == [(0, ["features"])]


def test_images_of_one_patient_do_not_widen_the_limit():
    """Two near-equal images of each patient: the limit is the distance between patients, not within them."""
    once = cloud(0, n=100)
    twice = np.concatenate([once, once + 1e-3])
    patients = np.tile(np.arange(100), 2)
    by_patient = Guard(twice, np.zeros(200, int), patients, 0).limit(0)
    assert by_patient == pytest.approx(Guard(once, np.zeros(100, int), np.arange(100), 0).limit(0), abs=0.01)
    assert Guard(twice, np.zeros(200, int), np.arange(200), 0).limit(0) < 0.01 < by_patient


def test_with_one_patient_alone_only_exact_copies_are_dropped():
    training = cloud(0, n=10)
    guarded = space(training, np.zeros(10, int))
    assert guarded.guard.limit(0) == 0
    source = np.concatenate([training[:1], training[:1] + 1e-3])
    assert draw(lambda start, count: source[start : start + count], 0, 1, [guarded]).dropped == [(0, ["pixels"])]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 80), st.integers(1, 30))
def test_the_nearest_image_is_the_nearest(seed, n, m):
    training, points = cloud(seed, n=n, d=5).astype(np.float32), cloud(seed + 1, n=m, d=5).astype(np.float32)
    found = Guard(training, np.zeros(n, int), np.arange(n), 0).nearest(points)
    whole = np.linalg.norm(points[:, None] - training, axis=2)
    np.testing.assert_allclose(found.distance, whole.min(axis=1), rtol=1e-4, atol=1e-5)


def judged(made, real=None):
    real = cloud(0, n=200) if real is None else real
    guarded = space(real, name="features")
    drawn = draw(lambda start, count: made[start : start + count], 0, 100, [guarded])
    return quality.of_class(real, np.arange(len(real)), drawn, 100, 0, [guarded], 1)


def test_good_images_raise_no_warning_and_lie_beside_the_ceiling():
    found = judged(cloud(1, n=400))
    assert found["warnings"] == []
    compared = found["compared"]
    assert abs(compared["kid"]["synthetic"]) < 3 * compared["kid"]["synthetic_error"]
    assert compared["coverage"]["synthetic"] == pytest.approx(compared["coverage"]["real"], abs=0.1)


def test_a_collapsed_generator_is_called_so():
    kinds = cloud(1, n=3)
    made = np.repeat(kinds, 150, axis=0) + cloud(2, n=450, spread=0.05)
    assert any("mode collapse" in sentence for sentence in judged(made)["warnings"])


def test_strange_images_are_called_so():
    assert any("look like no real image" in sentence for sentence in judged(cloud(1, n=400, shift=5))["warnings"])


def test_too_few_patients_are_not_judged():
    found = judged(cloud(1, n=400), cloud(0, n=12))
    assert found["compared"] == {}
    assert "Too few" in found["warnings"][0]
