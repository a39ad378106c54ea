"""The interval holds what it promises when nothing leaks, and its parts are what they say."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from asclepius.canary.chance import Auc, combined, holm, of_fold, p_value, permuted
from asclepius.evaluate.delong import covariance
from asclepius.split.draw import draw

TWO = np.array([[False], [True]])


@settings(max_examples=60, deadline=None)
@given(st.integers(4, 30), st.integers(0, 999))
def test_the_auc_of_single_images_is_the_usual_one(patients, seed):
    random = np.random.default_rng(seed)
    codes = random.permutation(np.arange(patients) % 2)
    scores = random.integers(0, 6, patients) / 5
    found = of_fold(scores[:, None], permuted(codes, np.arange(patients), 20, [seed]), TWO, np.arange(patients))
    assert found.value == pytest.approx(roc_auc_score(codes, scores))


def test_patients_count_alike_whatever_the_number_of_images():
    codes, scores = np.array([1, 0, 1, 0]), np.array([0.9, 0.2, 0.3, 0.6])
    times = np.array([1, 7, 3, 2])
    group = np.repeat(np.arange(4), times)
    few = of_fold(scores[:, None], permuted(codes, np.arange(4), 10, [0]), TWO, np.arange(4))
    many = of_fold(scores[group][:, None], permuted(codes[group], group, 10, [0]), TWO, group)
    assert many.value == pytest.approx(few.value) == pytest.approx(0.75)


def test_the_deviation_is_that_of_the_rank_sum_test():
    """Mann and Whitney 1947: variance (m + n + 1) / (12 m n) without ties; alike images of a patient add nothing."""
    m, n = 12, 28
    random = np.random.default_rng(1)
    codes, scores = (np.arange(m + n) < m).astype(int), random.random(m + n)
    expected = np.sqrt((m + n + 1) / (12 * m * n))
    group = np.repeat(np.arange(m + n), 5)
    for of, who in ((np.arange(m + n), np.arange(m + n)), (group, group)):
        found = of_fold(scores[of][:, None], permuted(codes[of], who, 4000, [2]), TWO, who)
        assert found.deviation == pytest.approx(expected, rel=0.04)


def test_several_classes_are_averaged_and_an_absent_one_is_left_out():
    random = np.random.default_rng(3)
    codes = np.arange(60) % 3
    scores = random.random((60, 4))
    classes = np.eye(4, dtype=bool)[:3]  # no image has the fourth
    found = of_fold(scores, permuted(codes, np.arange(60), 10, [0]), classes, np.arange(60))
    assert found.value == pytest.approx(np.mean([roc_auc_score(codes == c, scores[:, c]) for c in range(3)]))
    assert np.isnan(of_fold(scores[:, :1], np.zeros((3, 60), int), np.array([[True]]), np.arange(60)).value)


def test_folds_share_their_doubt_and_shuffles_do_not():
    assert combined([[Auc(0.4, 0.1), Auc(0.6, 0.3)]]) == Auc(0.5, pytest.approx(0.2))
    assert combined([[Auc(0.4, 0.1)], [Auc(0.8, 0.1)]]) == Auc(pytest.approx(0.6), pytest.approx(0.1 / np.sqrt(2)))
    assert combined([[Auc(np.nan, np.nan), Auc(0.6, 0.1)]]) == Auc(0.6, 0.1)
    assert np.isnan(combined([[Auc(np.nan, np.nan)]]).value)


def test_scores_that_are_all_alike_are_chance():
    codes = np.arange(20) % 2
    found = of_fold(np.full((20, 1), 0.3), permuted(codes, np.arange(20), 50, [0]), TWO, np.arange(20))
    assert (found.value, p_value(found)) == (0.5, 1.0)


def auc_with(p: float) -> Auc:
    return Auc(0.5 + 0.1 * norm.isf(p / 2), 0.1)


def test_holm_steps_down_and_stops():
    """With alpha 0.001 and 4 methods: 0.0002 < 0.00025 fails, 0.0003 < 0.00033 fails, 0.0006 > 0.0005 does not."""
    p = {"d": 0.7, "b": 0.0003, "c": 0.0006, "a": 0.0002}
    found = holm({name: auc_with(value) for name, value in p.items()}, 0.999)
    assert [(name, verdict.failed) for name, verdict in found.items()] == [
        *(("d", False), ("b", True), ("c", False), ("a", True)),
    ]
    assert {name: pytest.approx(verdict.p) for name, verdict in found.items()} == p
    assert all(verdict.failed == (not verdict.low < 0.5 < verdict.high) for verdict in found.values())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-8, 1), min_size=1, max_size=15), st.sampled_from([0.9, 0.95, 0.999]))
def test_a_method_fails_exactly_if_its_interval_misses_one_half(ps, confidence):
    alpha, order = 1 - confidence, sorted(ps)
    assume(all(abs(p * (len(ps) - i) / alpha - 1) > 1e-9 for i, p in enumerate(order)))  # at the edge rounding decides
    found = holm({str(i): auc_with(p) for i, p in enumerate(ps)}, confidence)
    for verdict in found.values():
        assert verdict.failed == (not verdict.low < 0.5 < verdict.high)
    # Holm by the book.
    expected = next((i for i, p in enumerate(order) if p > alpha / (len(ps) - i)), len(ps))
    assert sum(verdict.failed for verdict in found.values()) == pytest.approx(expected, abs=order.count(order[0]) - 1)


# --- false alarms ---------------------------------------------------------------------------------------------------


def chance_runs(number: int, folds: int, shuffles: int, sizes: np.ndarray, ill: int, told: bool, seed: int):
    """z of the canary, and of DeLong's variance with folds taken for independent, when a real learner meets nothing.

    Args:
        told: whether an image tells how many its patient has, and nothing else.
    """
    random = np.random.default_rng(seed)
    patients, group = len(sizes), np.repeat(np.arange(len(sizes)), sizes)
    for _ in range(number):
        of, naive = [], []
        for _ in range(shuffles):
            label = (random.permutation(patients) < ill).astype(int)
            looks = random.normal(size=(patients, 30))[group] + 0.5 * random.normal(size=(len(group), 30))
            if told:
                looks = np.log(sizes)[group][:, None]
            counts = np.stack([np.where(label == 0, sizes, 0), np.where(label == 1, sizes, 0)], axis=1)
            part, codes, of_shuffle = draw(counts, [1 / folds] * folds, random)[group], label[group], []
            for fold in range(folds):
                test = part == fold
                means = [looks[~test & (codes == code)].mean(axis=0) for code in (0, 1)]
                scores = (looks[test] @ (means[1] - means[0]))[:, None]
                draws = permuted(codes[test], group[test], 200, [int(random.integers(1 << 31))])
                of_shuffle.append(of_fold(scores, draws, TWO, group[test]))
                auc, variance = covariance(codes[test] == 1, scores, group[test])
                naive.append((auc[0], variance[0, 0]))
            of.append(of_shuffle)
        found, aucs = combined(of), np.array(naive)
        independent = (aucs[:, 0].mean() - 0.5) / np.sqrt(aucs[:, 1].sum()) * len(aucs)
        yield (found.value - 0.5) / found.deviation, independent


@pytest.mark.study
@pytest.mark.parametrize(
    ("folds", "shuffles", "patients", "told"),
    [(2, 1, 40, False), (2, 2, 40, False), (5, 1, 40, False), (2, 1, 20, False), (2, 2, 40, True)],
)
def test_false_alarms_are_as_rare_as_promised(folds, shuffles, patients, told):
    sizes = np.random.default_rng(3).integers(1, 9, patients) if told else np.full(patients, 5)
    z = np.abs(np.array(list(chance_runs(3000, folds, shuffles, sizes, round(0.3 * patients), told, 0))))
    rates = {alpha: (z > norm.isf(alpha / 2)).mean(axis=0) for alpha in (0.05, 0.01, 0.001)}
    print({alpha: rate.round(4).tolist() for alpha, rate in rates.items()})
    for alpha, (ours, _) in rates.items():
        assert ours <= alpha + 2.6 * np.sqrt(alpha * (1 - alpha) / len(z)), alpha
    if not told:
        assert rates[0.001][1] > 0.02  # what is not done, and why
