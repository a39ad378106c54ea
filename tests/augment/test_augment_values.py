import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("keras")
from asclepius.augment import artefacts, fields, intensity, mixing

RANDOM = np.random.default_rng(5)
IMAGES = RANDOM.normal(size=(3, 10, 12, 2)).astype(np.float32)
VOLUMES = RANDOM.normal(size=(2, 6, 8, 10, 1)).astype(np.float32)
BOTH = pytest.mark.parametrize("images", [IMAGES, VOLUMES], ids=["2d", "3d"])


def rows(images, *values):
    return np.resize(np.array(values, np.float32), len(images))


def blank(images):
    return np.zeros_like(images) + np.arange(len(images), dtype=np.float32).reshape(-1, *(1,) * (images.ndim - 1))


def axes(images):
    return tuple(range(1, images.ndim - 1))


@BOTH
def test_contrast_keeps_the_mean_and_scales_the_spread(images):
    found = np.array(intensity.contrast(images, rows(images, 0.5, 2)))
    np.testing.assert_allclose(found.mean(axes(images)), images.mean(axes(images)), atol=1e-5)
    np.testing.assert_allclose(found[0].std(), images[0].std() / 2, rtol=0.1)


@BOTH
def test_brightness_adds_standard_deviations(images):
    found = np.array(intensity.brightness(images, rows(images, 0.5, -1)))
    moved = (found - images).mean(axes(images)) / images.std(axes(images))
    np.testing.assert_allclose(moved[0], 0.5, rtol=1e-4)
    np.testing.assert_allclose(moved[1], -1, rtol=1e-4)


@BOTH
@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_gamma_keeps_the_ends_and_the_order(images, exponent):
    found = np.array(intensity.gamma(images, rows(images, exponent)))
    scaled = (images - images.min(axes(images), keepdims=True)) / np.ptp(images, axes(images), keepdims=True)
    again = (found - found.min(axes(images), keepdims=True)) / np.ptp(found, axes(images), keepdims=True)
    np.testing.assert_allclose(again, scaled**exponent, atol=1e-5)
    np.testing.assert_allclose(found.max(axes(images)), images.max(axes(images)), atol=1e-5)


@pytest.mark.parametrize("change", [intensity.gamma, intensity.contrast, intensity.brightness])
def test_an_image_of_one_value_stays_that_value(change):
    flat = np.full((1, 4, 4, 1), 3.0, np.float32)
    np.testing.assert_allclose(np.array(change(flat, rows(flat, 1.5))), flat, atol=1e-6)


def test_fields_are_normal_of_each_key_and_without_pattern():
    keys = RANDOM.integers(0, 2**32, (3, 2), dtype=np.uint32)
    found = np.array(fields.normal(keys, (32, 32, 32)))
    again = np.array(fields.normal(keys[[1]], (32, 32, 32)))
    np.testing.assert_array_equal(found[1], again[0])
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), 0, atol=0.03)
    np.testing.assert_allclose(found.std(axis=(1, 2, 3)), 1, atol=0.02)
    kurtosis = (found**4).mean(axis=(1, 2, 3)) - 3
    np.testing.assert_allclose(kurtosis, 0, atol=0.15)
    flat = found.reshape(3, -1)
    for lag in (1, 32, 1024):
        assert abs(np.corrcoef(flat[0, lag:], flat[0, :-lag])[0, 1]) < 0.03
    assert np.abs(np.corrcoef(flat)[np.triu_indices(3, 1)]).max() < 0.03
    spectrum = np.abs(np.fft.rfftn(found[0]))
    assert spectrum.max() / np.median(spectrum) < 7, "a wave stands out"


def test_noise_has_the_deviation_asked_for_and_rician_noise_a_rayleigh_background():
    keys = RANDOM.integers(0, 2**32, (2, 3, 2), dtype=np.uint32)
    image = np.zeros((2, 64, 64, 1), np.float32)
    image[:, 16:48, 16:48] = 10
    spread = image[0].std()
    found = np.array(intensity.noise(image, np.array([0.1, 0.4], np.float32), keys)) - image
    np.testing.assert_allclose(found.std(axis=(1, 2, 3)), np.array([0.1, 0.4]) * spread, rtol=0.05)
    magnitude = np.array(intensity.rician(image, np.array([0.0, 0.2], np.float32), keys))
    np.testing.assert_array_equal(magnitude[0], image[0])
    assert magnitude.min() >= 0
    background = magnitude[1][image[1] == 0]
    assert background.mean() == pytest.approx(0.2 * spread * np.sqrt(np.pi / 2), rel=0.05)  # Rayleigh's mean


@BOTH
def test_a_bias_field_is_smooth_and_never_stronger_than_asked(images):
    order = 3
    terms = len(intensity.terms(images.ndim - 2, order))
    assert terms == (9 if images.ndim == 4 else 19)
    coefficients = RANDOM.uniform(-1, 1, (len(images), terms)).astype(np.float32)
    found = np.array(intensity.bias_field(images, rows(images, 0.3), coefficients, order))
    low = images.min(axes(images), keepdims=True)
    gain = np.log((found - low) / np.maximum(images - low, 1e-9), where=images - low > 1e-3, out=np.zeros_like(images))
    assert np.abs(gain).max() <= 0.3 + 1e-3
    assert np.abs(gain).max() > 0.2


@BOTH
@pytest.mark.parametrize("sigma", [0.0, 0.7, 2.0])
def test_blur_agrees_with_scipy_away_from_the_border(images, sigma):
    from scipy.ndimage import gaussian_filter

    wide = np.zeros((1, 25, *images.shape[2:]), np.float32)
    wide[0, 12] = images[0, 5]
    found = np.array(artefacts.along(wide, artefacts.blurring(rows(wide, sigma), 25), 0))
    expected = wide if sigma == 0 else gaussian_filter(wide, (0, sigma, *(0,) * (wide.ndim - 2)), truncate=12)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "made",
    [
        lambda: artefacts.blurring(np.array([0, 0.5, 3], np.float32), 11),
        lambda: artefacts.coarsening(np.array([1, 1.7, 4], np.float32), 11),
        lambda: artefacts.ghosting(np.array([0, 0.3, 1], np.float32), np.array([2, 3, 4], np.float32), 11),
    ],
    ids=["blur", "low resolution", "ghosts"],
)
def test_filters_keep_an_even_image_and_do_nothing_at_no_strength(made):
    matrices = np.array(made())
    np.testing.assert_allclose(matrices.sum(axis=2), 1, atol=1e-5)
    np.testing.assert_allclose(matrices[0], np.eye(11), atol=1e-6)
    assert np.abs(matrices[1:] - np.eye(11)).max(axis=(1, 2)).min() > 0.05


def test_low_resolution_by_two_is_the_mean_of_pairs_interpolated():
    values = RANDOM.normal(size=(1, 12)).astype(np.float32)
    found = np.array(artefacts.coarsening(np.array([2], np.float32), 12))[0] @ values[0]
    pairs = values.reshape(6, 2).mean(axis=1)
    expected = np.interp((np.arange(12) + 0.5) / 2 - 0.5, np.arange(6), pairs)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("copies", "size"), [(2, 32), (4, 32), (4, 33)])
def test_ghosts_lie_a_part_of_the_side_apart(copies, size):
    point = np.zeros((1, size), np.float32)
    point[0, size // 2] = 1
    matrix = np.array(artefacts.ghosting(np.array([0.8], np.float32), np.array([copies], np.float32), size))[0]
    ghosts = np.abs(matrix @ point[0])
    ghosts[size // 2] = 0
    highest = np.sort(np.argsort(ghosts)[-(copies - 1) :]) if copies > 1 else []
    step = size / copies
    for place in highest:
        assert min((place - size // 2) % step, -(place - size // 2) % step) <= 1


def test_motion_copies_edges_but_moves_neither_centre_nor_mean():
    image = np.zeros((1, 32, 32, 1), np.float32)
    image[:, 10:22, 8:24] = 1
    found = np.array(artefacts.motion(image, np.array([[3, 2]], np.float32), np.array([0.2], np.float32), 0))
    assert np.abs(found - image).max() > 0.05
    assert found.mean() == pytest.approx(image.mean(), rel=0.02)
    where = np.arange(32) @ found[0, :, :, 0].sum(axis=1) / found.sum()
    assert where == pytest.approx(np.arange(32) @ image[0, :, :, 0].sum(axis=1) / image.sum(), abs=0.3)
    still = artefacts.motion(image, np.zeros((1, 2), np.float32), np.array([0.2], np.float32), 0)
    np.testing.assert_array_equal(np.array(still), image)


def test_a_spike_is_one_point_of_k_space():
    image = RANDOM.normal(size=(1, 16, 20, 1)).astype(np.float32)
    found = np.array(artefacts.spike(image, *map(np.float32, ([0.5], [[3, -4]], [1.0]))))
    added = np.abs(np.fft.fft2((found - image)[0, :, :, 0]))
    assert {tuple(place) for place in np.argwhere(added > added.max() / 100)} == {(3, 16), (13, 4)}
    assert np.abs(found - image).max() == pytest.approx(0.5 * image.std(), rel=0.02)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 0.9), d=st.integers(2, 3))
def test_boxes_lie_inside_and_have_the_size_asked_for(seed, share, d):
    shape = (9, 14, 11)[:d]
    u = np.random.default_rng(seed).random((20, d))
    lower, upper = mixing.box(np.full((20, d), share), u, shape)
    assert (lower >= 0).all()
    assert (upper <= shape).all()
    assert (np.abs((upper - lower) / shape - share) * shape <= 0.5 + 1e-9).all()
    counted = np.array(mixing.inside(lower, upper, shape)).sum(axis=tuple(range(1, d + 2)))
    np.testing.assert_array_equal(counted, np.prod(upper - lower, axis=1))


def test_partners_have_at_most_half_and_follow_the_beta_distribution():
    from scipy.stats import beta, kstest

    drawn = mixing.partners_share(RANDOM.random(4000), np.full(4000, 0.4))
    assert drawn.max() <= 0.5
    assert kstest(drawn, lambda x: 2 * beta(0.4, 0.4).cdf(x)).pvalue > 0.001


def test_cutmix_takes_the_box_from_the_partner_and_cutout_the_mean():
    images, partners = blank(IMAGES), np.array([2, 0, 1], np.int32)
    lower, upper = np.array([[1, 2], [0, 0], [3, 3]], np.int32), np.array([[4, 6], [0, 0], [5, 4]], np.int32)
    found = np.array(mixing.cutmix(images, partners, lower, upper))
    assert (found[0, 1:4, 2:6] == 2).all()
    np.testing.assert_array_equal(found[1], images[1])
    assert (found[0] == 0).sum() == IMAGES[0].size - 12 * 2
    cut = np.array(mixing.cutout(IMAGES, lower, upper))
    np.testing.assert_allclose(cut[0, 1:4, 2:6], np.tile(IMAGES[0].mean((0, 1)), (3, 4, 1)), rtol=1e-5)
    np.testing.assert_array_equal(cut[1], IMAGES[1])
