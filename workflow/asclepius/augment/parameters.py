"""Random numbers that a key alone decides: of a whole stream, or of each image of an epoch."""

import zlib

import numpy as np

PARAMETERS, PARTNERS = 1, 2  # streams; the loader has 3, dropout 4
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def generator(stream: int, *key: int) -> np.random.Generator:
    """A counter-based generator (Philox, Salmon et al. 2011): the key alone decides what comes, no call before it."""
    words = np.random.SeedSequence((stream, *key)).generate_state(2, np.uint64)
    return np.random.Generator(np.random.Philox(key=words))


class Draws:
    """Numbers for some images of an epoch; those of an image depend on (seed, epoch, its index) and their name alone.

    SplitMix64 (Steele, Lea & Flood 2014), whose numbers can be had in any order: no table of all images is kept, and
    another transform, batch or order changes none.
    """

    def __init__(self, seed: int, epoch: int, indices: np.ndarray):
        """Args:
        indices: (n,), of each image in the training table.
        """
        self._key = np.random.SeedSequence((PARAMETERS, seed, epoch)).generate_state(1, np.uint64)[0]
        self.indices = np.asarray(indices, np.uint64)

    def words(self, name: str, *shape: int) -> np.ndarray:
        """(n, *shape), uint64."""
        with np.errstate(over="ignore"):
            stream = _mixed(self._key + np.uint64(zlib.crc32(name.encode())) * _GAMMA)
            images = _mixed(stream + (self.indices + np.uint64(1)) * _GAMMA)
            counters = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * _GAMMA
            return _mixed(images[:, None] + counters).reshape(-1, *shape)

    def uniform(self, name: str, *shape: int) -> np.ndarray:
        """(n, *shape), evenly from 0 to below 1."""
        return (self.words(name, *shape) >> np.uint64(11)) * 2.0**-53


def _mixed(words: np.ndarray) -> np.ndarray:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
