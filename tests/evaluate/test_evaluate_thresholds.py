"""A threshold is the best of its rule on the validation images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from asclepius.evaluate.thresholds import threshold

RULES = {
    "youden": lambda t, d: recall_score(t, d) + recall_score(~t, ~d),
    "accuracy": accuracy_score,
    "f1": lambda t, d: f1_score(t, d, zero_division=0),
}


@pytest.mark.parametrize("rule", RULES)
@hypothesis_settings(max_examples=60, deadline=None)
@given(data=st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=30))
def test_no_other_threshold_is_better(rule, data):
    target, probability = np.array([t for t, _ in data]), np.array([p for _, p in data]) / 20
    level, note = threshold(target, probability, rule)
    if target.all() or not target.any():
        assert level == 0.5
        assert "one class" in note
        return
    reached = RULES[rule](target, probability >= level)
    assert 0 <= level <= 1
    for other in np.unique(np.r_[probability, 0.5]):
        assert reached >= RULES[rule](target, probability >= other) - 1e-12


def test_it_lies_halfway_and_near_one_half():
    target, probability = np.array([0, 0, 1, 1], bool), np.array([0.1, 0.2, 0.6, 0.9])
    assert threshold(target, probability, "youden") == (pytest.approx(0.4), "")
    assert threshold(target, probability, "half") == (0.5, "")
