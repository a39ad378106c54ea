"""Faults planted in images, and the table that the stage would have of them."""

import io
from dataclasses import asdict

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from asclepius.quality import hashes
from asclepius.quality.measures import measure
from asclepius.quality.views import grey, miniature
from asclepius.resample.stored import statistics


def described(arrays, text: bool = True, **columns) -> tuple[pd.DataFrame, np.ndarray]:
    """What the stage knows of stored images (..., channel) before it judges them: table and miniatures."""
    rows, small = [], []
    for i, array in enumerate(arrays):
        values, found = grey(array), statistics(array)
        small.append(miniature(values, found["p01"], found["p99"]))
        words = {"phash": hashes.perceptual(small[-1]), "dhash": hashes.differences(small[-1])}
        words = {name: hashes.digits(word) for name, word in words.items()}
        seen = asdict(measure(values, found["p01"], found["p99"], text=text))
        rows.append({"image": f"i{i:05d}"} | found | seen | words)
    table = pd.DataFrame(rows).assign(modality=None, site=None, original_spacing=None).astype({"site": object})
    return table.assign(**columns), np.stack(small)


def blurred(image, random):
    return gaussian_filter(image.astype(float), random.uniform(1.0, 2.0)).round().astype(np.uint8)


def noisy(image, random):
    extent = np.ptp(np.percentile(image, (1, 99)))
    noise = random.normal(size=image.shape) * random.uniform(0.1, 0.2) * extent
    return (image + noise).round().clip(0, 255).astype(np.uint8)


def saturated(image, random):
    return (image / max(np.percentile(image, random.uniform(60, 85)), 1) * 255).clip(0, 255).astype(np.uint8)


def clipped(image, random):
    low = np.percentile(image, random.uniform(40, 60))
    return ((image - low) * 255 / (255 - low)).clip(0, 255).astype(np.uint8)


def faint(image, random):
    return (100 + image * random.uniform(0.03, 0.07)).round().astype(np.uint8)


def turned(image, random):
    """A quarter or half turn, or upside down; never left for right, which few images tell."""
    turns = (lambda a: np.rot90(a), lambda a: np.rot90(a, 2), lambda a: np.rot90(a, 3), np.flipud)
    return np.ascontiguousarray(turns[random.integers(len(turns))](image))


def lettered(image, random):
    canvas = Image.fromarray(image)
    text = "".join(random.choice(list("ABCDEFGHJKLMNPRSTUVWXYZ")) for _ in range(7))
    place = (int(random.integers(2, 12)), int(random.integers(2, image.shape[0] - 14)))
    ImageDraw.Draw(canvas).text(place, text, fill=255)
    return np.asarray(canvas)


FAULTS = {
    "blurred": blurred,
    "noisy": noisy,
    "saturated": saturated,
    "clipped": clipped,
    "low_contrast": faint,
    "wrong_orientation": turned,
    "burned_in_text": lettered,
}


def compressed(image, quality: int):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def rescaled(image, factor: float):
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(small.resize(image.shape[::-1], Image.Resampling.BICUBIC))


COPIES = {
    "JPEG 75": lambda image, random: compressed(image, 75),
    "JPEG 50": lambda image, random: compressed(image, 50),
    "0.6 of the size": lambda image, random: rescaled(image, 0.6),
    "less contrast": lambda image, random: np.clip(image * 0.8 + 30.0, 0, 255).astype(np.uint8),
    "gamma 0.7": lambda image, random: (255 * (image / 255) ** 0.7).astype(np.uint8),
    "noise of 2 %": lambda image, random: np.clip(image + random.normal(size=image.shape) * 5, 0, 255).astype(np.uint8),
}
