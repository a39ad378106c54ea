"""Each normalisation against what it promises."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_train_preprocess import fit, table_of

from asclepius.errors import StudyError
from asclepius.train.normalise.clahe import Clahe
from asclepius.train.normalise.combat import estimate
from asclepius.train.normalise.harmonise import cramers_v
from asclepius.train.normalise.maps import knots, piecewise
from asclepius.train.normalise.measures import landmarks, moments

SEVERAL = ("standardise", "scale", "zscore", "percentile", "nyul", "clahe")


def heads(n=12, shape=(12, 14, 1), seed=0):
    """Images of a bright object on a dark ground, in units of their own."""
    random = np.random.default_rng(seed)
    images = random.gamma(4, 10, (n, *shape))
    images[:, 3:9, 3:11] += 100 + random.gamma(3, 30, (n, 6, 8, 1))
    factor = 10 ** random.uniform(0, 2, (n,) + (1,) * len(shape))
    return (images * factor + random.uniform(0, 100, factor.shape)).astype(np.float32)


@pytest.mark.parametrize("method", ["zscore", "percentile", "nyul"])
def test_units_of_each_image_make_no_difference(method):
    images = heads()
    found = fit(method, images)
    np.testing.assert_allclose(found.apply(images * 7 + 300), found.apply(images), atol=2e-3)


def test_zscore_measures_the_foreground_alone():
    images = heads()
    found = fit("zscore", images).apply(images)
    for image, stored in zip(found, images, strict=True):
        inside = image[stored > stored.mean()]
        assert (inside.mean(), inside.std()) == pytest.approx((0, 1), abs=1e-3)
    everything = fit("zscore", images, foreground="all").apply(images)
    np.testing.assert_allclose(everything.mean(axis=(1, 2, 3)), 0, atol=1e-3)


def test_margins_do_not_count_above_the_minimum():
    image = np.zeros((1, 10, 10, 1), np.int16)
    image[0, :4] = np.arange(1, 41).reshape(4, 10, 1)
    mean, deviation = moments(image, "above_minimum")
    assert (mean[0, 0], deviation[0, 0]) == pytest.approx((20.5, np.arange(1, 41).std()))
    assert landmarks(image, (0.0, 0.5, 1.0), "above_minimum")[0, :, 0].tolist() == [1, 20.5, 40]
    assert landmarks(image, (0.0, 0.5, 1.0), "all")[0, :, 0].tolist() == [0, 0, 40]


def test_nyul_leads_the_landmarks_of_a_new_image_to_the_standard():
    found = fit("nyul", heads())
    new = heads(n=3, seed=5) ** 0.8
    standard = np.array(found.steps[0].standard)[0]
    assert (standard[0], standard[-1]) == (0, 1)
    assert (np.diff(standard) > 0).all()
    for image, stored in zip(found.apply(new), new, strict=True):
        inside = np.sort(image[stored > stored.mean()])
        np.testing.assert_allclose(np.quantile(inside, found.steps[0].shares), standard, atol=0.02)


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.integers(-50, 50), min_size=16, max_size=16), method=st.sampled_from(["nyul", "percentile"]))
def test_grey_values_keep_their_order_and_none_becomes_nan(values, method):
    image = np.array(values, np.int16).reshape(1, 4, 4, 1)
    found = replace(fit(method, heads()), input_shape=(4, 4, 1))
    mapped = found.apply(image).ravel()
    assert np.isfinite(mapped).all()
    assert (np.diff(mapped[np.argsort(image.ravel(), kind="stable")]) >= -1e-5).all()


@pytest.mark.parametrize("method", SEVERAL)
def test_a_constant_image_gives_numbers(method):
    images = heads()
    images[3] = 5
    assert np.isfinite(fit(method, images).apply(images)).all()
    for ends in ((1.0, 99.0), (0.0, 100.0)):
        assert np.isfinite(fit(method, np.full_like(images, 5), percentiles=ends).apply(images)).all()


def test_grey_values_that_share_several_landmarks_become_the_mean_of_their_targets():
    x = np.array([0.0, 2, 2, 2, 4])[None, :, None]
    y = np.array([0.0, 1, 2, 6, 10])[None, :, None]
    image = np.array([-1, 0, 1, 2, 3, 4, 5], np.float32)[None, :, None]
    assert piecewise(image, knots(x, y)).ravel() == pytest.approx([-1.5, 0, 1.5, 3, 6.5, 10, 13.5])


@pytest.mark.parametrize("method", SEVERAL)
@pytest.mark.parametrize("shape", [(16, 18, 2), (16, 17, 18, 1)])
def test_the_device_computes_what_numpy_computes(method, shape):
    from asclepius.train.loader import Normaliser

    table = table_of(12, site=["a", "a", "b", "b"] * 3)
    images = np.random.default_rng(0).gamma(2, 20, (12, *shape)).astype(np.int16)
    images[2::4] *= 3
    images[3::4] *= 3
    found = fit(method, images, table=table, harmonise="site")
    assert found.group == "site"
    normalised = Normaliser(found, batch_size=16)(images, found.measure(images, table))
    np.testing.assert_allclose(normalised, found.apply(images, table), atol=1e-4)


def equalised(image, tiles, limit, bins=256):
    """CLAHE of one image of 0..1, pixel by pixel, as the paper tells it."""
    side = [length // tiles for length in image.shape]
    grey = np.floor(image * (bins - 1) + 0.5).astype(int)
    curves = {}
    for place in np.ndindex(*(tiles,) * image.ndim):
        part = grey[tuple(slice(p * s, (p + 1) * s) for p, s in zip(place, side, strict=True))].ravel()
        counts = np.bincount(part, minlength=bins).astype(float)
        highest = max(limit * part.size, 1)
        for _ in range(100):
            excess = np.maximum(counts - highest, 0).sum()
            counts = np.minimum(counts, highest)
            room = counts < highest
            if excess < 1e-9 or not room.any():
                break
            counts[room] += excess / room.sum()
        curves[place] = counts.cumsum() / counts.sum()
    out = np.empty(image.shape)
    for pixel in np.ndindex(*image.shape):
        centre = [(p + 0.5) / s - 0.5 for p, s in zip(pixel, side, strict=True)]
        value = 0.0
        for corner in itertools.product((0, 1), repeat=image.ndim):
            lower = [int(np.floor(c)) for c in centre]
            weight = np.prod([c - f if k else 1 - (c - f) for c, f, k in zip(centre, lower, corner, strict=True)])
            place = tuple(min(max(f + k, 0), tiles - 1) for f, k in zip(lower, corner, strict=True))
            value += weight * curves[place][grey[pixel]]
        out[pixel] = value
    return out


@pytest.mark.parametrize(("shape", "tiles"), [((24, 32), 2), ((16, 18, 20), 2)])
@pytest.mark.parametrize("limit", [1.0, 0.02])
def test_clahe_equals_a_pixel_by_pixel_computation(shape, tiles, limit):
    image = np.random.default_rng(1).beta(2, 5, shape).astype(np.float32)
    image = (image - image.min()) / (image.max() - image.min())
    step = Clahe(tiles, limit, (0.0, 100.0))
    batch = image[None, ..., None]
    found = step.transform(batch, step.measure(batch, np.array([None])))[0, ..., 0]
    np.testing.assert_allclose(found, equalised(image, tiles, limit), atol=0.01 if limit < 1 else 1e-4)


def test_clahe_of_sides_that_tiles_do_not_divide():
    images = heads(n=2, shape=(21, 13, 1))
    found = fit("clahe", images, clahe_tiles=3).apply(images)
    assert found.shape == images.shape
    assert 0 <= found.min() < 0.1 < 0.9 < found.max() <= 1
    noise = np.random.default_rng(0).uniform(0, 100, (40, 21, 13, 1)).astype(np.float32)
    found = fit("clahe", noise, clahe_tiles=3, clahe_limit=1.0).apply(noise).mean(axis=0)[..., 0]
    assert abs(found[-3:].mean() - found[8:12].mean()) < 0.05  # the last tile is filled with what it holds


def sites(n=80, seed=0, share=(0.5, 0.5)):
    """Images of two sites, one in other units, and a class that brightens them; classes unequal between sites."""
    random = np.random.default_rng(seed)
    site = np.array(["a", "b"])[(np.arange(n) % 2)]
    ill = random.random(n) < np.where(site == "a", *share)
    images = random.gamma(5, 8, (n, 10, 10, 1)) + random.normal(60, 4, (n, 1, 1, 1)) + 15 * ill[:, None, None, None]
    images[site == "b"] = images[site == "b"] * 3 + 200
    return images.astype(np.float32), table_of(n, site=site, label=np.where(ill, "yes", "no")), ill


def test_harmonised_sites_share_their_distribution_and_classes_stay_apart():
    images, table, ill = sites(n=200, share=(0.3, 0.7))
    b = (table["site"] == "b").to_numpy()
    for harmonise, limits in {"none": (20, 999), "site": (0, 1.2)}.items():
        mean = fit("standardise", images, table=table, harmonise=harmonise).apply(images, table).mean(axis=(1, 2, 3))
        for group in (ill, ~ill):
            apart = abs(mean[group & b].mean() - mean[group & ~b].mean()) / mean[group & ~b].std()
            assert limits[0] <= apart < limits[1]
    effect = [mean[ill & where].mean() - mean[~ill & where].mean() for where in (b, ~b)]
    assert min(effect) > 2 * mean[~ill & ~b].std()


def test_what_comes_after_is_fitted_to_the_harmonised_images():
    images, table, _ = sites()
    order = np.argsort(table["site"], kind="stable")  # batches of one site each
    images, table = images[order], table.iloc[order].reset_index(drop=True)
    mapped = fit("standardise", images, table=table, harmonise="site").apply(images, table)
    assert (mapped.mean(), mapped.std()) == pytest.approx((0, 1), abs=1e-3)


def test_an_image_of_an_unknown_site_stays_as_it_is():
    images, table, _ = sites()
    found = fit("window", images, table=table, harmonise="site", window=(0, 1))
    new = table.assign(site=["c", None] * 40)
    assert found.unknown_groups(new) == 80
    harmonise = found.steps[0]
    groups = new["site"].to_numpy(object)
    np.testing.assert_allclose(harmonise.transform(images, harmonise.measure(images, groups)), images, rtol=1e-4)
    known = harmonise.transform(images, harmonise.measure(images, table["site"].to_numpy(object)))
    assert np.abs(known - images).mean() > 10


def test_class_and_site_that_go_together_are_said_or_refused():
    images, table, _ = sites(n=80, share=(0.05, 0.95))
    found = fit("standardise", images, table=table, harmonise="site")
    assert any("class and site go together" in note for note in found.why)
    same = table.assign(label=np.where(table["site"] == "a", "yes", "no"))
    with pytest.raises(StudyError, match="class and site say the same"):
        fit("standardise", images, table=same, harmonise="site")
    images, table, _ = sites(n=80)
    assert not any("go together" in note for note in fit("scale", images, table=table, harmonise="site").why)


def test_sites_of_few_images_are_left_and_named():
    images, table, _ = sites()
    table.loc[:2, "site"] = "tiny"
    found = fit("standardise", images, table=table, harmonise="site")
    assert set(found.steps[0].shift) == {"a", "b"}
    assert any("tiny" in note for note in found.why)
    alone = fit("standardise", images, table=table.assign(site="a"), harmonise="site")
    assert (len(alone.steps), alone.group) == (1, None)
    assert any("nothing was harmonised" in note for note in alone.why)


# neuroCombat 0.2.12 on the numbers below: the first feature of three batches, the spread of three features.
REFERENCE = {
    "shift": [-0.089314, -1.0961413, 1.4981707],
    "variance": [1.9894163, 0.9547555, 0.3584467],
    "spread": [0.9797463, 1.1241108, 1.1981101],
}


def test_combat_shrinks_towards_what_a_batch_shows_on_all_features():
    random = np.random.default_rng(0)
    batch = np.repeat([0, 1, 2], [15, 25, 20])
    covariate = random.integers(0, 2, (60, 1)).astype(float)
    scale = random.uniform(0.5, 2, 3)[batch][:, None]
    features = random.normal(0, 1, (60, 8)) * scale + random.normal(0, 1, (3, 8))[batch] + covariate * 2 + np.arange(8)
    found = estimate(features, batch, covariate)
    assert found.shift[:, 0] == pytest.approx(REFERENCE["shift"], abs=1e-5)
    assert found.stretch[:, 0] ** 2 == pytest.approx(REFERENCE["variance"], abs=1e-5)
    assert found.spread[:3] == pytest.approx(REFERENCE["spread"], abs=1e-6)


def test_cramers_v():
    one_hot = np.eye(2)[[0, 0, 1, 1]]
    assert cramers_v(np.array(["a", "a", "b", "b"], object), one_hot) == pytest.approx(1)
    assert cramers_v(np.array(["a", "b", "a", "b"], object), one_hot) == pytest.approx(0)
    several = np.array([[1, 0], [1, 0], [1, 1], [0, 1]], float)
    assert cramers_v(np.array(["a", "a", "b", "b"], object), several) == pytest.approx(1)


@pytest.mark.parametrize(
    ("modality", "scanner", "options", "method", "reason"),
    [
        ("CT", "A", {}, "scale", "Hounsfield"),
        ("CT", "A", {"window": (-1000, 400)}, "window", "window"),
        ("MR", "A", {}, "zscore", "arbitrary"),
        ("MR", ["A", "B"] * 12, {}, "nyul", "2 scanners"),
        ("MR", ["A"] * 23 + ["B"], {}, "zscore", "arbitrary"),
        ("PT", "A", {}, "percentile", "dose"),
        ("DX", "A", {}, "scale", "DX"),
        (None, None, {}, "scale", "pictures"),
        (["CT", "MR"] * 12, None, {}, "zscore", "CT, MR"),
    ],
)
def test_auto_goes_by_modality_and_says_why(modality, scanner, options, method, reason):
    images = heads(n=24)
    found = fit("auto", images, table=table_of(24, modality=modality, scanner=scanner), **options)
    assert found.method == method
    assert reason in found.why[0]
