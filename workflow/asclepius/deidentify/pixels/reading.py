"""Words that tesseract sees, where it is installed: further places to blank, never a reason to spare one."""

import io
import os
import shutil
import subprocess
from functools import cache

import numpy as np

from asclepius.deidentify.pixels.boxes import Box

# Percent that a word of so many letters needs: in speckle short ones are seen everywhere.
_LEAST_CONFIDENCE = {2: 70, 3: 60}
_LONG = 30
_TIMEOUT = 60  # seconds
_ENLARGED = 1200  # pixels: smaller images are doubled, tesseract wants letters of 20 pixels
_HIGHEST = 0.08  # of the image: what is higher than this and than 40 pixels is no word


@cache
def available() -> str | None:
    """Path of the program; None where it is not installed."""
    return shutil.which("tesseract")


def read_words(image: np.ndarray) -> list[Box]:
    """Frames of upright words, none where the program is missing, fails or takes too long.

    Args:
        image: uint8, (y, x) or (y, x, 3).
    """
    program = available()
    if program is None or min(image.shape[:2]) < 16:
        return []
    grey = image if image.ndim == 2 else image.max(axis=2)
    factor = 2 if max(grey.shape) < _ENLARGED else 1
    grey = np.kron(grey, np.ones((factor, factor), np.uint8)) if factor > 1 else grey
    file = io.BytesIO()
    file.write(f"P5 {grey.shape[1]} {grey.shape[0]} 255\n".encode())
    file.write(np.ascontiguousarray(grey).tobytes())
    try:
        done = subprocess.run(
            [program, "stdin", "stdout", "--psm", "11", "--dpi", "150", "tsv"],
            input=file.getvalue(), capture_output=True, timeout=_TIMEOUT, check=True,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return [box for line in done.stdout.decode("utf-8", "replace").splitlines() for box in _word(line, grey, factor)]


def _word(line: str, grey: np.ndarray, factor: int) -> list[Box]:
    cells = line.split("\t")
    if len(cells) < 12 or cells[0] != "5":
        return []
    x, y, width, height = (int(cell) for cell in cells[6:10])
    letters = sum(letter.isalnum() for letter in cells[11])
    enough = _LEAST_CONFIDENCE.get(letters, _LONG)
    if letters < 2 or float(cells[10]) < enough or height > max(_HIGHEST * grey.shape[0], 40 * factor):
        return []
    pad = 2 + height // 5
    left, top = max(x - pad, 0), max(y - pad, 0)
    right, bottom = min(x + width + pad, grey.shape[1]), min(y + height + pad, grey.shape[0])
    return [Box(left // factor, top // factor, -(-right // factor), -(-bottom // factor))]
