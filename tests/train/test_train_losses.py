"""Losses against their formulas, and what they do to probabilities."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from train_study import BINARY, LOGISTIC, NET, QUICK, asks, bright, make, split

from asclepius import tables
from asclepius.balance.settings import BalanceSettings
from asclepius.errors import StudyError
from asclepius.task import Task
from asclepius.train import losses
from asclepius.train.command import run
from asclepius.train.recipe import Recipe
from asclepius.train.schema import PREDICTIONS

SEVERAL = Task("multilabel", ("a", "b", "c"))
THREE = Task("multiclass", ("a", "b", "c"))
PRIOR = np.array([0.7, 0.2, 0.1])


def recipe(name, prior=PRIOR, **numbers):
    return Recipe({"name": name, **numbers}, "shuffle", "image", BalanceSettings(), prior)


@pytest.fixture(scope="module")
def batch():
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (6, 3)).astype(np.float32)
    soft = random.dirichlet([0.5] * 3, 6).astype(np.float32)  # as mixed images have
    return logits, soft


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def each(loss, targets, probabilities):
    return ops.convert_to_numpy(loss.call(ops.convert_to_tensor(targets), ops.convert_to_tensor(probabilities)))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_one_class_per_image(batch, smoothing):
    logits, soft = batch
    p, y = softmax(logits), soft * (1 - smoothing) + smoothing / 3
    expected = [
        (recipe("crossentropy"), -(y * np.log(p)).sum(1)),
        (recipe("focal", gamma=2.0), -(y * (1 - p) ** 2 * np.log(p)).sum(1)),
        (recipe("logit_adjusted", tau=1.5), -(y * np.log(softmax(logits + 1.5 * np.log(PRIOR)))).sum(1)),
    ]
    for asked, values in expected:
        np.testing.assert_allclose(each(losses.build(asked, THREE, smoothing), soft, p), values, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_several_labels_per_image(batch, smoothing):
    logits, soft = batch
    y = soft * (1 - smoothing) + smoothing / 2
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    cross = lambda p: -(y * np.log(p) + (1 - y) * np.log(1 - p))  # noqa: E731
    p = sigmoid(logits)
    right = y * p + (1 - y) * (1 - p)
    expected = [
        (recipe("crossentropy"), cross(p)),
        (recipe("focal", gamma=2.0), (1 - right) ** 2 * cross(p)),
        (recipe("logit_adjusted", tau=1.0), cross(sigmoid(logits + np.log(PRIOR / (1 - PRIOR))))),
    ]
    for asked, values in expected:
        found = each(losses.build(asked, SEVERAL, smoothing), soft, p)
        np.testing.assert_allclose(found, values.mean(axis=1), rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("task", [THREE, SEVERAL])
@pytest.mark.parametrize("asked", [recipe("focal", gamma=0.5), recipe("logit_adjusted", tau=1.0)])
def test_a_sure_mistake_still_has_a_finite_gradient(task, asked):
    import tensorflow as tf

    activation = keras.activations.sigmoid if task is SEVERAL else keras.activations.softmax
    logits = tf.Variable([[-60.0, 0.0, 60.0], [60.0, -60.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = losses.build(asked, task, 0.0)(np.eye(3, dtype=np.float32)[:2], activation(logits))
    assert np.isfinite(tape.gradient(loss, logits).numpy()).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.floats(0.1, 2))
def test_the_shift_undoes_the_prior(shares, tau):
    prior = np.array(shares) / np.sum(shares)
    shift = recipe("logit_adjusted", prior, tau=tau).shift(THREE)
    np.testing.assert_allclose(softmax(np.log(prior)[None] - shift / tau)[0], 1 / 3, atol=1e-9)


def yes(given):
    found = tables.read(given["predictions"], PREDICTIONS)
    return found[found["class"] == "yes"]["probability"].to_numpy()


@pytest.fixture(scope="module")
def rare(tmp_path_factory):
    """A third is labelled yes, and the images say little of it."""
    arrays, labels = bright()
    arrays = np.random.default_rng(5).integers(0, 200, arrays.shape).astype(np.uint8)
    return make(tmp_path_factory.mktemp("rare"), arrays, labels, [split()])


ADJUSTED = {"loss": {"name": "logit_adjusted", "tau": 1.0}}


def test_a_logistic_model_is_shifted_by_the_odds_of_the_prior_and_nothing_else(rare):
    before = rare.arguments(out="plain", model=LOGISTIC)
    run(**before)
    prior = json.loads((rare.tables[0].parent / "recipe.json").read_text())["prior"]
    asks(rare, 0, **ADJUSTED)
    after = rare.arguments(out="adjusted", model=LOGISTIC)
    run(**after)
    asks(rare, 0, loss={"name": "crossentropy"})
    log_odds = lambda given: np.log(yes(given) / (1 - yes(given)))  # noqa: E731
    np.testing.assert_allclose(log_odds(after) - log_odds(before), np.log(prior["no"] / prior["yes"]), atol=2e-3)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_logistic_models_of_more_classes_are_shifted_likewise(tmp_path, kind):
    arrays, _ = bright(60)
    if kind == "multilabel":
        labels = ["|".join(name for name, every in (("a", 2), ("b", 3), ("c", 5)) if i % every == 0) for i in range(60)]
    else:
        labels = ["c" if i % 6 == 0 else "b" if i % 3 == 0 else "a" for i in range(60)]
    study, found = make(tmp_path, arrays, labels, [split(60)], Task(kind, ("a", "b", "c"))), {}
    for name in ("crossentropy", "logit_adjusted"):
        asks(study, 0, loss={"name": name, "tau": 0.5})
        given = study.arguments(out=name, model=LOGISTIC)
        run(**given)
        frame = tables.read(given["predictions"], PREDICTIONS)
        found[name] = frame["probability"].to_numpy().reshape(-1, 3)
    prior = np.array(list(json.loads((study.tables[0].parent / "recipe.json").read_text())["prior"].values()))
    if kind == "multilabel":
        change = [np.log(p / (1 - p)) for p in found.values()]
        expected = -0.5 * np.log(prior / (1 - prior))
        np.testing.assert_allclose(change[1] - change[0], np.broadcast_to(expected, change[0].shape), atol=5e-3)
    else:
        shifted = found["crossentropy"] * prior**-0.5
        np.testing.assert_allclose(found["logit_adjusted"], shifted / shifted.sum(1, keepdims=True), atol=1e-4)


def test_a_logistic_model_weighs_images_where_batches_would_be_balanced_and_refuses_focal(rare):
    asks(rare, 0, sampler="balanced", settings={"method": "balanced_batches", "ratio": 1.0})
    balanced = rare.arguments(out="balanced", model=LOGISTIC)
    run(**balanced)
    asks(rare, 0, sampler="shuffle", settings={"method": "focal"})
    with pytest.raises(StudyError, match=r"focal is a loss of networks.*class_weight or logit_adjustment"):
        run(**rare.arguments(out="focal", model=LOGISTIC))
    asks(rare, 0, settings={"method": "none"})
    plain = rare.arguments(out="unweighted", model=LOGISTIC)
    run(**plain)
    assert yes(balanced).mean() > yes(plain).mean() + 0.02


def test_a_network_trained_with_adjusted_logits_favours_the_rare_class(rare):
    slow = QUICK.model_copy(update={"keep": "last", "epochs": 3})
    plain = rare.arguments(out="net", train=slow, model=NET.model_copy(update={"dropout": 0.0}))
    run(**plain)
    asks(rare, 0, loss={"name": "logit_adjusted", "tau": 3.0})
    adjusted = plain | rare.arguments(out="net-adjusted", train=slow, model=plain["model"])
    run(**adjusted)
    asks(rare, 0, loss={"name": "crossentropy"})
    assert BINARY.positive == "yes"
    assert yes(adjusted).mean() > yes(plain).mean() + 0.05
