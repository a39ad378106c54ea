"""Heads made hard: turned, mislabelled, thick, cropped, inverted, noisy; with where their face and brain are."""

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations, product
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial.transform import Rotation

Head = tuple[sitk.Image, sitk.Image, sitk.Image]  # float32 intensities, face and brain (uint8) on one grid
NOSE = (-1.9, -146.6, -91.2)  # mm, of head_mr_face/T1_head
MIDDLE = (0.0, -20.0, -20.0)
AXES = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def read(path: Path) -> sitk.Image:
    return sitk.ReadImage(str(path), sitk.sitkFloat32)


def like(array: np.ndarray, image: sitk.Image) -> sitk.Image:
    out = sitk.GetImageFromArray(array)
    out.CopyInformation(image)
    return out


def tissue(image: sitk.Image) -> np.ndarray:
    values = sitk.GetArrayFromImage(image)
    return ndimage.binary_opening(values > 0.1 * np.percentile(values, 98))


def landmarks(head: sitk.Image) -> tuple[sitk.Image, sitk.Image]:
    """(tissue within 30 mm of the nose tip, the middle of the skull) of head_mr_face/T1_head; no template needed."""
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in head.GetSize()], indexing="ij"), -1).reshape(-1, 3)
    directions = np.reshape(head.GetDirection(), (3, 3))
    points = grid * head.GetSpacing() @ directions.T + head.GetOrigin()
    shape = head.GetSize()
    near = (np.linalg.norm(points - NOSE, axis=1) < 30).reshape(shape).transpose(2, 1, 0)
    inner = (np.linalg.norm((points - MIDDLE) / (48, 60, 45), axis=1) < 1).reshape(shape).transpose(2, 1, 0)
    return like((near & tissue(head)).astype(np.uint8), head), like(inner.astype(np.uint8), head)


def brain_of(head: sitk.Image, templates: Path, shift: Sequence[float]) -> sitk.Image:
    """Grey and white matter of ICBM 152, brought to an upright head by a registration of its own."""
    mean = read(templates / "MNI152_T1_2mm.nii.gz")
    names = (f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz" for kind in ("gm", "wm"))
    matter = sum(sitk.GetArrayFromImage(read(templates / name)) for name in names)
    matter = like(matter, read(templates / "mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz"))
    affine = sitk.AffineTransform(3)
    affine.SetCenter([0, -19, -20])
    affine.SetTranslation(list(shift))
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-2, 100)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 3])
    method.SetSmoothingSigmasPerLevel([3, 2])
    method.SetInitialTransform(affine, inPlace=True)
    method.Execute(head, mean)
    found = sitk.GetArrayFromImage(sitk.Resample(matter, head, affine, sitk.sitkLinear, 0.0)) > 70
    labels, _ = ndimage.label(found)
    return like((labels == np.bincount(labels[found]).argmax()).astype(np.uint8), head)


def _each(heads: Sequence[sitk.Image], change: Callable[[sitk.Image, bool], sitk.Image]) -> Head:
    return tuple(change(image, k == 0) for k, image in enumerate(heads))


def rotate(image: sitk.Image, degrees: Sequence[float], spacing: Sequence[float] | float = 1.6) -> sitk.Image:
    """The anatomy turned about the middle, on an upright grid that holds all of it; labels stay labels."""
    spacing = [float(pitch) for pitch in np.broadcast_to(spacing, 3)]
    ends = np.asarray(image.GetSize()) - 1
    middle = np.asarray(image.TransformContinuousIndexToPhysicalPoint((ends / 2).tolist()))
    matrix = Rotation.from_rotvec(np.radians(degrees)).as_matrix()
    turn = sitk.AffineTransform(matrix.ravel().tolist(), [0, 0, 0], middle.tolist())
    corners = [image.TransformIndexToPhysicalPoint([int(e * b) for e, b in zip(ends, bits, strict=True)])
               for bits in product((0, 1), repeat=3)]  # fmt: skip
    corners = np.array([turn.GetInverse().TransformPoint(corner) for corner in corners])
    low, high = corners.min(0), corners.max(0)
    method = sitk.sitkNearestNeighbor if image.GetPixelID() == sitk.sitkUInt8 else sitk.sitkLinear
    return sitk.Resample(
        image, np.ceil((high - low) / spacing).astype(int).tolist(), turn, method, low.tolist(), spacing,
        np.eye(3).ravel().tolist(), 0.0, image.GetPixelID(),
    )  # fmt: skip


def header(image: sitk.Image, order: Sequence[int], signs: Sequence[int]) -> sitk.Image:
    """The same voxels under a header that names the axes wrongly."""
    out = sitk.Image(image)
    out.SetDirection((np.eye(3)[list(order)] * np.asarray(signs)[:, None]).ravel().tolist())
    return out


def thick(image: sitk.Image, axis: int, gap: float = 5.0) -> sitk.Image:
    """Slices of `gap` mm along one axis."""
    ratio = gap / image.GetSpacing()[axis]
    size, spacing, first = list(image.GetSize()), list(image.GetSpacing()), [0.0] * 3
    size[axis], spacing[axis], first[axis] = max(int(size[axis] / ratio), 1), gap, (ratio - 1) / 2
    if image.GetPixelID() != sitk.sitkUInt8:
        values = sitk.GetArrayFromImage(image)
        image = like(ndimage.uniform_filter1d(values, max(round(ratio), 1), axis=2 - axis), image)
    method = sitk.sitkNearestNeighbor if image.GetPixelID() == sitk.sitkUInt8 else sitk.sitkLinear
    origin = image.TransformContinuousIndexToPhysicalPoint(first)
    return sitk.Resample(
        image, size, sitk.Transform(), method, origin, spacing, image.GetDirection(), 0.0, image.GetPixelID()
    )


def crop(image: sitk.Image, axis: int, low: float, high: float) -> sitk.Image:
    """Part of the field of view, as fractions along left (0), back (1) or head (2)."""
    upright = sitk.DICOMOrient(image, "LPS")
    first, last = [0, 0, 0], list(upright.GetSize())
    first[axis], last[axis] = int(low * last[axis]), int(high * last[axis])
    return sitk.RegionOfInterest(upright, np.subtract(last, first).tolist(), first)


def noisy(image: sitk.Image, share: float, seed: int = 0) -> sitk.Image:
    """Rician noise, its sigma a share of bright tissue."""
    values, draw = sitk.GetArrayFromImage(image), np.random.default_rng(seed)
    sigma = share * np.percentile(values, 98)
    one, other = draw.normal(0, sigma, (2, *values.shape))
    return like(np.hypot(values + one, other).astype(np.float32), image)


def shaded(image: sitk.Image) -> sitk.Image:
    """A coil's shading, sixfold from chin to crown."""
    values = sitk.GetArrayFromImage(image)
    z, y, _ = np.meshgrid(*[np.linspace(-1, 1, n) for n in values.shape], indexing="ij", sparse=True)
    return like((values * np.exp(0.9 * z + 0.6 * y)).astype(np.float32), image)


def inverted(image: sitk.Image) -> sitk.Image:
    values = sitk.GetArrayFromImage(image)
    return like(values.max() - values, image)


def as_ct(head: Head) -> sitk.Image:
    """HU from a T1 head: air -1000, skin and muscle 30, fat -80, brain 38, a skull of 7 mm around it 900."""
    image, _, brain = head
    values, inner = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(brain) > 0
    gap = ndimage.distance_transform_edt(~inner, sampling=image.GetSpacing()[::-1])
    body = values > 0.12 * np.percentile(values, 98)
    solid = ndimage.binary_fill_holes(ndimage.binary_opening(body))
    hounsfield = np.where(body, 30.0, -1000.0)
    hounsfield[(values > 0.75 * np.percentile(values, 99)) & (gap > 4)] = -80
    hounsfield[solid & (gap <= 10)] = 900
    hounsfield[solid & (gap <= 3)] = 15
    hounsfield[inner] = 38
    noise = np.random.default_rng(0).normal(0, 15, values.shape)
    return like((hounsfield + noise).astype(np.float32), image)


def hard_cases(head: Head, every: int = 1) -> Iterator[tuple[str, str, Head]]:
    """(name, modality, head) of every variant; of the 48 wrong headers only some if asked."""

    def intensities(change: Callable[[sitk.Image], sitk.Image]) -> Head:
        return change(head[0]), head[1], head[2]

    yield "plain", "MR", head
    for axis, name in enumerate(("pitch", "roll", "yaw")):
        for angle in (-45, -25, 25, 45):
            turn = (np.arange(3) == axis) * angle
            yield f"{name} {angle}", "MR", _each(head, lambda image, _, turn=turn: rotate(image, turn))
    for seed in range(4):
        turn = Rotation.random(random_state=seed).as_rotvec(degrees=True)
        yield f"any rotation {seed}", "MR", _each(head, lambda image, _, turn=turn: rotate(image, turn))
    for order, signs in AXES[every // 2 :: every]:
        yield f"header {order} {signs}", "MR", _each(head, lambda image, _, o=order, s=signs: header(image, o, s))
    for axis in range(3):
        yield f"5 mm slices {axis}", "MR", _each(head, lambda image, _, axis=axis: thick(image, axis))
    for axis, low, high in ((2, 0.3, 1), (2, 0.15, 1), (2, 0, 0.7), (2, 0, 0.55), (2, 0.4, 0.75), (1, 0.12, 1),
                            (1, 0.25, 1), (1, 0, 0.7), (0, 0, 0.6), (0, 0.15, 0.85)):  # fmt: skip
        part = (axis, low, high)
        yield f"field of view {part}", "MR", _each(head, lambda image, _, part=part: crop(image, *part))
    yield "inverted", "MR", intensities(inverted)
    for share in (0.1, 0.25):
        yield f"noise {share}", "MR", intensities(lambda image, share=share: noisy(image, share))
    yield "shaded", "MR", intensities(shaded)
    ct = (as_ct(head), head[1], head[2])
    yield "CT", "CT", ct
    yield "CT from the orbits up", "CT", _each(ct, lambda image, _: crop(image, 2, 0.35, 1))
    for seed in range(4):
        turn = Rotation.random(random_state=10 + seed).as_rotvec(degrees=True)
        turn = 45 * turn / np.linalg.norm(turn)
        order, signs = AXES[(seed * 13 + 7) % 48]
        pitch = (1.2, 1.2, 5.0) if seed % 2 else 1.6

        def change(image, first, turn=turn, pitch=pitch, order=order, signs=signs, seed=seed):
            out = header(rotate(image, turn, pitch), order, signs)
            return noisy(shaded(out), 0.08, seed) if first else out

        yield f"all at once {seed}", "MR", _each(head, change)
    yield "neck alone", "MR", _each(head, lambda image, _: crop(image, 2, 0, 0.25))
    yield "vertex alone", "MR", _each(head, lambda image, _: crop(image, 2, 0.75, 1))
