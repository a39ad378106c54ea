"""Perceptual hashes: images that look alike differ in few bits."""

import numpy as np
from PIL import Image
from scipy.fft import dctn

BITS = 64


def perceptual(planes: np.ndarray) -> np.ndarray:
    """DCT hash: which of the 64 lowest frequencies lie above their median (Zauner 2010, section 3.2.1).

    Args:
        planes: uint8 (plane, y, x), see `views.miniature`.

    Returns:
        uint64 (plane,).
    """
    frequencies = dctn(planes.astype(np.float32), axes=(1, 2), norm="ortho")[:, :8, :8].reshape(len(planes), BITS)
    return _packed(frequencies > np.median(frequencies[:, 1:], axis=1, keepdims=True))


def differences(planes: np.ndarray) -> np.ndarray:
    """Difference hash: whether each of 8 x 9 pixels is darker than its right neighbour; as `perceptual`."""
    small = [np.asarray(Image.fromarray(plane).resize((9, 8), Image.Resampling.BILINEAR)) for plane in planes]
    return _packed((np.diff(np.stack(small).astype(np.int16), axis=2) > 0).reshape(len(planes), BITS))


def digits(words: np.ndarray) -> str:
    """Hashes as hexadecimal digits, 16 per plane: what tables hold."""
    return "".join(f"{word:016x}" for word in words.tolist())


def parsed(texts: list[str]) -> np.ndarray:
    """Hashes of several images from their `digits`: uint64 (image, plane)."""
    size = BITS // 4
    rows = [[int(line[i : i + size], 16) for i in range(0, len(line), size)] for line in texts]
    return np.array(rows, dtype=np.uint64).reshape(len(texts), -1)


def _packed(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)
