"""Patients are drawn, not images; one-class draws are left out openly; memory stays bounded."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from asclepius.evaluate import metrics
from asclepius.evaluate.bootstrap import Draws, interval


def drawn(statistic, patient, draws):
    out = np.empty(draws.number + 1)
    for part, weights in draws.chunks(patient):
        out[part] = statistic(weights)
    return out


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=1, max_size=40), st.integers(0, 5))
def test_images_of_a_patient_always_come_together(codes, seed):
    patient = np.array(codes)
    draws = Draws(patient, 60, (seed,))
    weights = np.concatenate([w for _, w in draws.chunks(patient)])
    assert (weights[0] == 1).all()
    for code in np.unique(patient):
        block = weights[:, patient == code]
        assert (block == block[:, :1]).all()
    _, first = np.unique(patient, return_index=True)
    assert (weights[:, first].sum(axis=1) == len(first)).all()  # as many patients as there are


def test_clustered_interval_is_wider_than_one_that_draws_images():
    generator = np.random.default_rng(3)
    patient = np.repeat(np.arange(60), 8)
    target = (generator.random(60) < 0.5)[patient]
    score = 0.8 * target + generator.normal(size=60)[patient]  # all images of a patient say the same
    ranking = metrics.Ranking(target, score)
    width = {}
    for name, unit in {"patients": patient, "images": np.arange(480)}.items():
        found = interval(drawn(ranking.auc, unit, Draws(unit, 400, (1,))), 0.95)
        width[name] = found.high - found.low
    # Eight identical images per patient: sqrt(8) = 2.8 times too narrow if images are drawn.
    assert 2.2 < width["patients"] / width["images"] < 3.6


def test_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(4)
    covered = 0
    truth = 0.7602  # P(N(1,1) > N(0,1))
    for trial in range(120):
        patient = np.repeat(np.arange(50), 2)
        target = patient < 25
        score = generator.normal(size=100) * 0.3 + np.sqrt(0.91) * generator.normal(size=50)[patient] + target
        ranking = metrics.Ranking(target, score)
        found = interval(drawn(ranking.auc, patient, Draws(patient, 200, (trial,))), 0.9)
        covered += found.low <= truth <= found.high
    assert 0.82 <= covered / 120 <= 0.97


def test_draws_of_one_class_are_left_out_and_counted():
    target, score = np.array([True, False, False, False]), np.array([0.9, 0.1, 0.2, 0.3])
    values = drawn(metrics.Ranking(target, score).auc, np.arange(4), Draws(np.arange(4), 200, (1,)))
    lost = int(np.isnan(values).sum())
    assert 0 < lost < 100
    assert interval(values, 0.95).note == f"{lost} of 200 draws were undefined and left out"
    nothing = interval(np.r_[0.5, np.full(90, np.nan), np.full(10, 0.5)], 0.95)
    assert np.isnan(nothing.low)
    assert nothing.note.startswith("no interval")


def test_a_subset_is_weighted_by_the_same_draws():
    patient = np.array([0, 0, 1, 2, 2, 3])
    draws = Draws(patient, 50, (1,))
    whole = np.concatenate([w for _, w in draws.chunks(patient)])
    part = np.concatenate([w for _, w in draws.chunks(patient[[2, 4]])])
    assert (part == whole[:, [2, 4]]).all()


def test_seed_decides():
    def take(seed):
        return np.concatenate([w for _, w in Draws(np.arange(9), 50, (seed,)).chunks(np.arange(9))])

    assert (take(1) == take(1)).all()
    assert (take(1) != take(2)).any()


@pytest.mark.parametrize("n", [100_000])
def test_memory_stays_bounded(n):
    generator = np.random.default_rng(5)
    target, patient = generator.random(n) < 0.1, np.arange(n)
    ranking = metrics.Ranking(target, generator.random(n))
    tracemalloc.start()
    draws = Draws(patient, 100, (1,))
    for _, weights in draws.chunks(patient):
        ranking.auc(weights)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The draws cost 2 bytes per patient and draw (200 MB at 1,000 draws); the rest must not grow with their number.
    assert peak - 2 * n * 101 < 150e6
