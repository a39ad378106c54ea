"""Balanced batches."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.train.loader import Batches
from asclepius.train.turns import Turns, expected, membership, shares

LABELS = st.lists(st.integers(0, 2), min_size=5, max_size=150)


@settings(max_examples=60, deadline=None)
@given(LABELS, st.floats(0.1, 1), st.integers(0, 9), st.integers(2, 40))
def test_every_batch_holds_the_shares_and_no_image_comes_before_its_turn(labels, ratio, seed, size):
    classes = np.array([0, 1, 2, *labels])
    targets = np.eye(3)[classes]
    share = shares(targets > 0, ratio)
    assert share.min() >= ratio * share.max() - 1e-9
    order = Turns(targets, ratio).draw(np.random.default_rng(seed))
    assert len(order) == len(classes)
    for part in np.array_split(order, -(-len(order) // size)):
        assert np.abs(np.bincount(classes[part], minlength=3) - share * len(part)).max() < 2
    for group in range(3):
        drawn, members = order[classes[order] == group], np.flatnonzero(classes == group)
        times = np.bincount(drawn, minlength=len(classes))[members]
        assert np.ptp(times) <= 1


def test_two_equal_classes_fill_every_batch_half_and_half_and_each_epoch_is_another():
    targets = np.eye(2)[[0] * 90 + [1] * 10]
    turns = Turns(targets, 1.0)
    first, second = (turns.draw(np.random.default_rng(seed)) for seed in (1, 2))
    for part in np.array_split(first, 5):
        assert (part >= 90).sum() == 10
    assert (first != second).any()
    assert (first == turns.draw(np.random.default_rng(1))).all()


def test_of_several_labels_each_and_the_healthy_get_their_turn():
    targets = np.array([[0, 0]] * 60 + [[1, 0]] * 30 + [[1, 1]] * 4 + [[0, 1]] * 6)
    order = Turns(targets, 1.0).draw(np.random.default_rng(0))
    drawn = membership(targets)[order]
    assert drawn.shape[1] == 3
    assert (drawn.mean(axis=0) >= 1 / 3 - 0.02).all()


def test_weights_that_do_the_same_are_how_often_an_image_is_drawn():
    targets = np.eye(2)[[0] * 60 + [1] * 12]
    turns, random = Turns(targets, 0.5), np.random.default_rng(0)
    counts = sum(np.bincount(turns.draw(random), minlength=72) for _ in range(300)) / 300
    np.testing.assert_allclose(counts, expected(targets, 0.5), atol=0.15)
    assert expected(targets, 0.5).mean() == 1


def test_an_epoch_follows_from_seed_and_number_and_augments_an_image_anew_when_it_comes_again():
    normaliser = SimpleNamespace(batch_size=20, preprocess=None)
    turns = Turns(np.eye(2)[[0] * 90 + [1] * 10], 1.0)
    one, two = (Batches(range(100), normaliser, turns=turns) for _ in range(2))
    for batches in (one, two):
        batches.start(seed=3, epoch=2)
    assert all((a == b).all() for a, b in zip(one.indices, two.indices, strict=True))
    assert len(np.unique(np.concatenate(one.indices))) == 50 + 10
    assert sorted(np.concatenate(one.draws)) == list(range(100))
    two.start(seed=3, epoch=3)
    assert any((a != b).any() for a, b in zip(one.indices, two.indices, strict=True))
