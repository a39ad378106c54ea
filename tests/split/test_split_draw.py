"""The stratified draw: every part gets its share of patients and of images."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.split.draw import draw

SIZES = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40)), min_size=1, max_size=120)


def one_class(groups):
    counts = np.zeros((len(groups), 3), dtype=int)
    for row, (label, images) in enumerate(groups):
        counts[row, label] = images
    return counts


@settings(max_examples=150, deadline=None)
@given(SIZES, st.integers(2, 6), st.integers(0, 2**31))
def test_equal_parts_get_equal_patients_and_images_of_each_class(groups, parts, seed):
    counts = one_class(groups)
    part = draw(counts, [1 / parts] * parts, np.random.default_rng(seed))
    assert set(part) <= set(range(parts))
    for column in range(3):
        patients = np.bincount(part[counts[:, column] > 0], minlength=parts)
        images = np.bincount(part, weights=counts[:, column], minlength=parts)
        assert np.ptp(patients) <= 1
        assert np.ptp(images) <= 2 * counts[:, column].max()
    assert np.ptp(np.bincount(part, minlength=parts)) <= 2


@settings(max_examples=100, deadline=None)
@given(SIZES, st.floats(0.05, 0.5), st.integers(0, 2**31))
def test_a_small_part_gets_its_share_of_each_class_and_never_none(groups, share, seed):
    counts = one_class(groups)
    part = draw(counts, [1 - share, share], np.random.default_rng(seed))
    for column in range(3):
        having = counts[:, column] > 0
        small = int((part[having] == 1).sum())
        assert abs(small - share * having.sum()) <= 1
        if having.sum() >= 2:
            assert 0 < small < having.sum()


def test_seeds_give_other_draws_even_when_all_sizes_differ():
    counts = one_class([(0, 100 + size) for size in range(40)])
    draws = {tuple(draw(counts, [0.8, 0.2], np.random.default_rng(seed))) for seed in range(10)}
    assert len(draws) == 10


def test_labels_that_go_together_are_spread_too():
    random = np.random.default_rng(0)
    holds = np.column_stack([random.random(600) < share for share in (0.04, 0.15, 0.4)])
    holds[:, 1] |= holds[:, 0]  # the rare finding never comes without the second
    part = draw(holds.astype(int), [0.2] * 5, random)
    for column in range(3):
        counts = np.bincount(part[holds[:, column]], minlength=5)
        assert np.ptp(counts) <= 3, (column, counts)
    assert np.ptp(np.bincount(part[~holds.any(axis=1)], minlength=5)) <= 1
