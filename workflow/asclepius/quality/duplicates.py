"""Images that look the same though their pixels differ: rescaled, compressed again, brightened, slightly noisy.

Perceptual hashes name candidates in less than quadratic time; what the images show decides.
"""

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import rankdata

from asclepius.quality.hashes import BITS
from asclepius.quality.schema import DUPLICATES

BAND = 16  # bits of a hash that candidates have in common
NEAREST = 48  # candidates per image and band: of many images with one band those with the most similar hashes
RADIUS = 8  # differing bits of the DCT hash per plane: what JPEG of quality 50, or 0.6 of the size, changes at most
# Pixels of a miniature: what is broader is the layout that all images of one kind share; volumes share more.
COARSE, COARSE_OF_VOLUMES = 4.0, 2.0
_CHUNK = 4096  # images or pairs in hand at once


def near_duplicates(miniatures: np.ndarray, phash: np.ndarray, dhash: np.ndarray, least: float) -> pd.DataFrame:
    """Pairs of images that look the same.

    Args:
        miniatures: uint8 (image, plane, y, x).
        phash, dhash: uint64 (image, plane), see `hashes`.
        least: correlation of the miniatures without their coarse layout that makes a pair.

    Returns:
        a, b (rows, a < b), hamming, correlation; sorted by a and b. In a group of very many equal images the
        pairs form a chain rather than all pairs.
    """
    a, b = candidates(phash, dhash)
    hamming = _distance(phash[a], phash[b])
    rows, place = np.unique(np.concatenate([a, b]), return_inverse=True)
    # Half precision: two kilobytes per image and plane, for those that may have a duplicate.
    fine = np.zeros((len(rows), miniatures[0].size if len(miniatures) else 0), dtype=np.float16)
    for start in range(0, len(rows), _CHUNK):
        fine[start : start + _CHUNK] = _fine(miniatures[rows[start : start + _CHUNK]])
    correlation = np.empty(len(a))
    for start in range(0, len(a), _CHUNK):
        part = slice(start, start + _CHUNK)
        one, other = fine[place[: len(a)][part]], fine[place[len(a) :][part]]
        correlation[part] = np.einsum("ij,ij->i", one.astype(np.float32), other.astype(np.float32))
    same = correlation >= least
    return pd.DataFrame({"a": a[same], "b": b[same], "hamming": hamming[same], "correlation": correlation[same]})


def candidates(phash: np.ndarray, dhash: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that share a band of either hash (multi-index hashing, Norouzi et al. 2012) and differ little overall.

    Two DCT hashes of `RADIUS` differing bits may share none of their four bands; it takes both hashes of all
    planes to miss a pair. Work grows with images x bands x NEAREST.

    Returns:
        Rows (pair,), the first below the second, sorted, every pair once.
    """
    n, planes = phash.shape
    found = [np.zeros(0, dtype=np.int64)]
    for key, other in ((phash, dhash), (dhash, phash)):
        for plane in range(planes):
            for shift in range(0, BITS, BAND):
                band = (key[:, plane] >> np.uint64(shift)) & np.uint64((1 << BAND) - 1)
                found.append(_neighbours(band, key[:, plane], other[:, plane], phash, n))
    code = np.sort(np.concatenate(found))  # np.unique hashes, twenty times slower
    code = code[np.diff(code, prepend=-1) > 0]
    return code // max(n, 1), code % max(n, 1)


def _neighbours(band: np.ndarray, key: np.ndarray, other: np.ndarray, phash: np.ndarray, n: int) -> np.ndarray:
    """Pairs a * n + b of images with one band, each with those that follow it in the order of the whole hashes."""
    order = np.lexsort((other, key, band))
    band, words = band[order], phash[order]
    found = [np.zeros(0, dtype=np.int64)]
    for step in range(1, min(NEAREST, n - 1) + 1):
        same = band[step:] == band[:-step]
        if not same.any():
            break  # nor are there longer runs of one band
        close = np.flatnonzero(same & (_distance(words[step:], words[:-step]) <= RADIUS * phash.shape[1]))
        a, b = order[close], order[close + step]
        found.append(np.minimum(a, b) * n + np.maximum(a, b))
    return np.concatenate(found)


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Differing bits of hashes, all planes together: (pair,)."""
    return sum(np.bitwise_count(one[:, plane] ^ other[:, plane]).astype(np.int64) for plane in range(one.shape[1]))


def _fine(miniatures: np.ndarray) -> np.ndarray:
    """Unit vectors (image, pixel) of the miniatures without their coarse layout; zero where nothing is left.

    In volumes ranks stand for values: else the edge of the body, alike in all of a kind, outweighs what is inside.
    """
    values, coarse = miniatures.astype(np.float32), COARSE
    if miniatures.shape[1] > 1:
        plane = values.reshape(*values.shape[:2], -1)
        ranks = rankdata(plane, axis=2) * (255 / plane.shape[2])
        values, coarse = ranks.reshape(values.shape).astype(np.float32), COARSE_OF_VOLUMES
    values -= gaussian_filter(values, (0, 0, coarse, coarse), mode="nearest")
    flat = values.reshape(len(values), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.maximum(length, 1.0)


def grouped(pairs: pd.DataFrame, images: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    """The graph of duplicates, and the group of each image.

    Args:
        pairs: of `near_duplicates`; rows refer to `images`.
        images: tokens in order of position.

    Returns:
        quality/duplicates, and the groups "1", "2", ... as they first appear, null for an image without duplicate.
    """
    n = len(images)
    links = coo_array((np.ones(len(pairs), dtype=bool), (pairs["a"], pairs["b"])), shape=(n, n))
    _, component = connected_components(links, directed=False)
    paired = np.zeros(n, dtype=bool)
    paired[pairs["a"]] = paired[pairs["b"]] = True
    number = np.full(n, -1)
    number[paired] = pd.factorize(component[paired])[0]
    group = pd.Series([str(k + 1) if k >= 0 else None for k in number], index=images.index, dtype=object)
    graph = pd.DataFrame(
        {
            "image_a": images.to_numpy()[pairs["a"]],
            "image_b": images.to_numpy()[pairs["b"]],
            "hamming": pairs["hamming"],
            "correlation": pairs["correlation"],
            "group": group.to_numpy()[pairs["a"]],
        }
    )
    return (graph if len(graph) else DUPLICATES.empty()), group
