"""Fits the network of `deidentify.pixels.strokes` on text drawn over simulated and real anatomy (some minutes).

    python tests/deidentify/pixels_fit.py [pictures]

The chest films without letters are those on which an earlier detector found nothing, or nothing but anatomy when its
finds were looked at.
"""

import glob
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pixels_cases as cases
import pydicom
import SimpleITK as sitk
from PIL import Image
from scipy import ndimage
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from asclepius.deidentify.pixels import strokes

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
TARGET = ROOT / "workflow" / "asclepius" / "deidentify" / "pixels" / "strokes.json"
SIZE = 512  # pixels: of what is cut from a background
# Numbers of the chest films without any letter, in alphabetical order of their names.
PLAIN_FILMS_TEXT = """
0 1 2 4 5 8 9 10 11 12 13 14 15 16 18 19 21 25 26 27 28 29 30 31 33 34 35 36 37 49 50 51 52 53 61 64 65 68 69 71 74
75 77 78 83 87 88 101 102 103 107 108 109 110 111 112 116 117 119 129 130
"""


def anatomy() -> list[np.ndarray]:
    """Real images without text: MR, CT in three windows, chest films; uint8, (y, x)."""
    out = []
    for path in sorted(glob.glob(str(DATA / "brain_tumor_mr_dicom/**/[TF]*/*.dcm"), recursive=True))[::2]:
        values = pydicom.dcmread(path).pixel_array.astype(float)
        for top in (values.max(), np.percentile(values, 99.5)):
            out.append(_eight(values, np.percentile(values, 0.5), top))
    with zipfile.ZipFile(DATA / "head_ct_dicom" / "head_ct_gantry_tilt.zip") as archive:
        for name in [name for name in archive.namelist() if name.endswith(".dcm")][::2]:
            dataset = pydicom.dcmread(io.BytesIO(archive.read(name)))
            values = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
            out += [_eight(values, low, high) for low, high in ((values.min(), values.max()), (-20, 100), (-500, 1500))]
    films = sorted((DATA / "covid_chest_xray" / "images").iterdir())
    for number in map(int, PLAIN_FILMS_TEXT.split()):
        with Image.open(films[number]) as image:
            grey = image.convert("L")
            out.append(np.asarray(grey.reduce(2) if max(grey.size) > 1400 else grey))
    return out


def held_out_anatomy() -> list[np.ndarray]:
    """Of other people, devices and parts than the fit's: MR of five heads and a breast in all directions, an echo."""
    names = ("head_mr_face/T1_head.nii.gz", "ms_lesion_mri/patient07/T2_regtoMNI.nii.gz",
             "ms_lesion_mri/patient07/FLAIR_regtoMNI.nii.gz", "radiomics_reference/brain1_image.nrrd",
             "radiomics_reference/brain2_image.nrrd", "radiomics_reference/breast1_image.nrrd")  # fmt: skip
    out = []
    for name in names:
        values = sitk.GetArrayFromImage(sitk.ReadImage(str(DATA / name), sitk.sitkFloat32))
        for axis in (axis for axis in range(3) if min(np.delete(values.shape, axis)) >= 100):
            for share in (0.35, 0.45, 0.55, 0.65):
                plane = ndimage.zoom(values.take(int(share * values.shape[axis]), axis=axis), 2, order=1)
                out.append(_eight(plane, *np.percentile(plane, (0.5, 99.8))))
    echo = pydicom.dcmread(DATA / "us_burned_in_text_dicom" / "RGB_IMAGE.dcm").pixel_array
    return [*out, echo[150:700, 100:850].max(axis=2)]


def _eight(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return ((values - low) / max(high - low, 1) * 255).clip(0, 255).round().astype(np.uint8)


def cut(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A part of an image, turned over at random."""
    y, x = (rng.integers(0, max(length - SIZE, 0) + 1) for length in image.shape)
    part = image[y : y + SIZE, x : x + SIZE]
    part = part[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
    return 255 - part if rng.random() < 0.2 else part.copy()


def drawn(
    ground: np.ndarray, rng: np.random.Generator, styles: tuple[str, ...] = cases.FITTED_STYLES, lines: int = 4
) -> cases.Picture:
    """A background with a few lines of text of any kind."""
    picture = cases.Picture(ground)
    for _ in range(lines):
        cases.write(
            picture, cases.words(rng), rng, height=int(7 * np.exp(rng.random() * np.log(60 / 7))),
            contrast=float(rng.choice([0.12, 0.15, 0.2, 0.3, 0.5, 1])), style=str(rng.choice(styles)),
            turn=int(rng.choice([0, 0, 0, 90, 180, 270])),
            finish=str(rng.choice(["plain", "plain", "outline", "shadow", "box", "blurred"])),
        )  # fmt: skip
    return picture


def labelled(picture: cases.Picture) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of the candidates that are mostly text (1) or touch none (0)."""
    found = strokes.candidates(picture.image)
    text, near = (np.zeros(picture.image.shape, bool) for _ in range(2))
    for line in picture.lines:
        y, x = np.nonzero(line.ink)
        text[y.min() : y.max() + 1, x.min() : x.max() + 1] = True
        near[max(y.min() - 6, 0) : y.max() + 7, max(x.min() - 6, 0) : x.max() + 7] = True
    area = (found.frame[:, 2] - found.frame[:, 0]) * (found.frame[:, 3] - found.frame[:, 1])
    inside, touching = _sums(text, found.frame) / area, _sums(near, found.frame)
    kind = np.where(inside > 0.7, 1, np.where(touching == 0, 0, -1))
    return found.inputs[kind >= 0], kind[kind >= 0]


def _sums(mask: np.ndarray, frame: np.ndarray) -> np.ndarray:
    total = np.pad(mask.astype(int).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    y0, x0, y1, x1 = np.minimum(frame, [*mask.shape, *mask.shape]).T
    return total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0]


def fit(pictures: int) -> None:
    """Fit, and write the network."""
    rng = np.random.default_rng(2024)
    real = anatomy()
    parts = [labelled(cases.Picture(image)) for image in real]
    parts += [
        labelled(cases.Picture(cases.background(kind, (SIZE, SIZE), rng)))
        for kind in (*cases.BACKGROUNDS, "flow", "flow") * 8
    ]
    for number in range(pictures):
        kind = cases.BACKGROUNDS[number % len(cases.BACKGROUNDS)]
        simulated = cases.background(kind, (SIZE, SIZE), rng)
        ground = simulated if number % 2 else cut(real[rng.integers(len(real))], rng)
        parts.append(labelled(drawn(ground, rng)))
    inputs, kinds = (np.concatenate(column) for column in zip(*parts, strict=True))
    print(f"{len(kinds)} rows, {kinds.mean():.0%} of them text")
    scaler = StandardScaler().fit(inputs)
    network = MLPClassifier((32, 16), alpha=1e-3, max_iter=40, batch_size=256, learning_rate_init=3e-3, random_state=0)
    network.fit(scaler.transform(inputs), kinds)
    weights = [network.coefs_[0] / scaler.scale_[:, None], *network.coefs_[1:]]
    biases = [network.intercepts_[0] - (scaler.mean_ / scaler.scale_) @ network.coefs_[0], *network.intercepts_[1:]]
    layers = [
        {"weights": np.round(weight, 4).tolist(), "bias": np.round(bias, 4).tolist()}
        for weight, bias in zip(weights, biases, strict=True)
    ]
    TARGET.write_text(json.dumps({"inputs": list(strokes.INPUTS), "layers": layers}) + "\n")


if __name__ == "__main__":
    fit(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
