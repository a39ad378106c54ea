"""Near-duplicates: found whatever was done to the copy, never where two images merely have one layout."""

import time

import numpy as np
import pytest
from quality_planted import COPIES, compressed, described
from scipy.ndimage import gaussian_filter

from asclepius.quality.duplicates import candidates, grouped, near_duplicates
from asclepius.quality.hashes import digits, parsed, perceptual


def anatomy(number, seed=0, side=64, spread=1.0):
    """Different images of one layout: a common body and structures of their own."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    body = 160 * np.exp(-((x / 0.6) ** 4 + (y / 0.8) ** 4))
    own = gaussian_filter(random.normal(size=(number, side, side)), (0, 3, 3))
    return np.clip(body + own / own.std() * 25 * spread + 40, 0, 255).astype(np.uint8)


def pairs_of(images, *, hashes=True):
    """Pairs found; without hashes every image is a candidate for every other."""
    table, small = described(images[..., None], text=False)
    words = [parsed(table[name]) if hashes else np.zeros(small.shape[:2], np.uint64) for name in ("phash", "dhash")]
    found = near_duplicates(small, *words, 0.95)
    return set(zip(found["a"], found["b"], strict=True)), found


@pytest.mark.parametrize("name", COPIES)
def test_a_changed_copy_is_found_and_nothing_else(name):
    originals = anatomy(60)
    random = np.random.default_rng(1)
    copies = np.stack([COPIES[name](image, random) for image in originals])
    found, table = pairs_of(np.concatenate([originals, copies]))
    assert found == {(i, i + 60) for i in range(60)}
    assert (table["correlation"] <= 1.0001).all()


def test_images_of_one_layout_are_not_merged():
    assert pairs_of(anatomy(300, seed=3, spread=0.5))[0] == set()
    assert pairs_of(anatomy(40, seed=3, spread=0.5), hashes=False)[0] == set()


def test_pairs_do_not_depend_on_the_order_of_images():
    images = np.concatenate([anatomy(20), [compressed(a, 60) for a in anatomy(20)]])
    order = np.random.default_rng(0).permutation(40)
    place = np.argsort(order)
    moved = {tuple(sorted((place[a], place[b]))) for a, b in pairs_of(images)[0]}
    assert moved == pairs_of(images[order])[0]


def test_volumes_are_compared_in_three_planes():
    random = np.random.default_rng(0)
    volumes = gaussian_filter(random.normal(size=(8, 24, 32, 32)), (0, 2, 2, 2))
    volumes = np.concatenate([volumes, volumes[:2] * 3 + random.normal(size=(2, 24, 32, 32)) * 0.01])
    volumes[9, :, :, 16:] = volumes[3, :, :, 16:]  # half of it is another's
    assert pairs_of(volumes.astype(np.float32))[0] == {(0, 8)}


def test_volumes_of_one_outline_are_not_merged():
    random = np.random.default_rng(0)
    z, y, x = np.mgrid[-1:1:24j, -1:1:48j, -1:1:48j]
    body = (x / 0.8) ** 2 + (y / 0.6) ** 2 < 1
    lungs = (np.abs(x) - 0.35) ** 2 / 0.06 + y**2 / 0.12 + z**2 / 0.8 < 1
    own = gaussian_filter(random.normal(size=(12, 24, 48, 48)), (0, 1.5, 1.5, 1.5))
    volumes = np.where(body, np.where(lungs, -850.0, 40.0), -1000.0) + own / own.std() * 10 * body
    assert pairs_of(volumes.astype(np.float32), hashes=False)[0] == set()
    softer = gaussian_filter(volumes[:3], (0, 0.3, 0.3, 0.3)).clip(-950, 300)  # reconstructed and windowed anew
    assert pairs_of(np.concatenate([volumes, softer]).astype(np.float32))[0] == {(0, 12), (1, 13), (2, 14)}


def test_blank_images_are_no_duplicates():
    assert pairs_of(np.zeros((5, 32, 32), np.uint8))[0] == set()
    assert pairs_of(anatomy(1))[0] == set()


def test_very_many_copies_form_one_group():
    images = np.repeat(anatomy(2), 150, axis=0)
    table, small = described(images[..., None], text=False)
    pairs = near_duplicates(small, parsed(table["phash"]), parsed(table["dhash"]), 0.95)
    graph, group = grouped(pairs, table["image"])
    assert len(pairs) < 300 * 60
    assert [group.iloc[0], group.iloc[299]] == ["1", "2"]
    assert group.nunique() == 2
    assert set(graph["group"]) == {"1", "2"}


def test_hashes_survive_the_table():
    words = perceptual(np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8))
    assert (parsed([digits(words)]) == words).all()


def test_candidates_among_a_hundred_thousand_take_seconds():
    random = np.random.default_rng(0)
    # Few bits differ between images of one layout: bands are shared by many.
    usual = random.integers(0, 2**63, 1, dtype=np.uint64)
    bits = (random.random((100_000, 64)) < 0.15) @ (np.uint64(1) << np.arange(64, dtype=np.uint64))
    words = (usual ^ bits.astype(np.uint64))[:, None]
    start = time.perf_counter()
    a, b = candidates(words, words[::-1].copy())
    assert time.perf_counter() - start < 60
    assert len(a) < 100_000 * 8 * 48
    assert (a < b).all()
