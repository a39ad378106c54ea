"""A head volume registered to the template: an exhaustive search, its best starts refined, the best result judged.

Refinement: affine, mutual information (Mattes D. et al., IEEE TMI 22, 2003), SimpleITK, one thread and all voxels, so
that two runs agree to the bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from asclepius.deidentify.faces.search import FLOOR, STEP, Pose, candidates
from asclepius.deidentify.faces.template import Template, template

STARTS = 5
TURN = 15.0  # degrees
AIR = 40.0  # mm
ENOUGH = 2.0  # mm, finer voxels are averaged first
COARSE, MIDDLE, FINE = 10.0, 6.0, 4.0  # mm
SAME = 10.0  # mm between two results that are one
_BINS = 24
_SIZES = (0.3, 3.5)  # of a template head as a multiple of the one found; beyond, the optimiser has lost its way


@dataclass(frozen=True)
class Registered:
    """Args:
    transform: points of the volume to points of the template, mm.
    ratio: correlation ratio of the volume given the template's tissue, 0 to 1.
    shared: part of the template's head within the volume.
    rival: score of the best other pose, relative to that of this one.
    support: share of disturbed starts that came back to within `SAME` mm of it.
    scales: singular values of the affine, smallest first.
    """

    transform: sitk.AffineTransform
    ratio: float
    shared: float
    rival: float
    support: float
    scales: tuple[float, float, float]


def register(volume: sitk.Image, modality: str, known: Template) -> Registered:
    """The best pose of the template in `volume` (3-D, any orientation), whatever its quality."""
    threads, warnings = (
        sitk.ProcessObject.GetGlobalDefaultNumberOfThreads(),
        sitk.ProcessObject.GetGlobalWarningDisplay(),
    )
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    sitk.ProcessObject.GlobalWarningDisplayOff()  # hopeless starts
    try:
        return _register(prepared(volume, modality), known)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
        sitk.ProcessObject.SetGlobalWarningDisplay(warnings)


def _register(clean: sitk.Image, known: Template) -> Registered:
    coarse, middle, fine = (shrunk(clean, step) for step in (COARSE, MIDDLE, FINE))

    def settled(start: sitk.Transform) -> tuple[float, sitk.AffineTransform]:
        end = _refined(middle, start, known, 3.0, 80)
        return score(middle, end, known)[0], end

    def ended(start: sitk.Euler3DTransform) -> tuple[float, sitk.AffineTransform]:
        return settled(_as_affine(_refined(coarse, start, known, 4.0, 80)))

    starts = [_centred(pose, known) for pose in candidates(shrunk(clean, STEP), known, STARTS)]
    ends = sorted((ended(start) for start in starts), key=lambda end: -end[0])
    again = [ended(start) for start in _disturbed(ends[0][1])]
    top, best = max([ends[0], *again], key=lambda end: end[0])
    others = [value for value, end in ends if _distance(best, end) > SAME]
    # Where little of the head is in view the way back is long: who stopped on it goes on once more.
    support = sum(_distance(best, end) <= SAME or _distance(best, settled(end)[1]) <= SAME for _, end in again)
    # A header may swap left and right, and the template is not quite symmetric: the better fitting hand is taken.
    other = _refined(middle, _mirrored(best, known), known, 3.0, 80)
    best = max(best, other, key=lambda end: score(middle, end, known)[0])
    best = _refined(fine, best, known, 1.0, 60)
    _, ratio, shared = score(middle, best, known)
    scales = np.linalg.svd(np.reshape(best.GetMatrix(), (3, 3)))[1]
    return Registered(
        best,
        ratio,
        shared,
        float(max(others, default=0.0) / max(top, 1e-6)),
        support / len(again),
        tuple(np.sort(scales).tolist()),
    )


def _disturbed(affine: sitk.AffineTransform) -> list[sitk.Euler3DTransform]:
    """The same pose, rigid, turned by `TURN` about four axes."""
    left, _, right = np.linalg.svd(np.reshape(affine.GetMatrix(), (3, 3)))
    out = []
    for axis in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)):
        turn = Rotation.from_rotvec(np.radians(TURN) * np.asarray(axis) / np.sqrt(3)).as_matrix()
        out.append(_rigid(left @ right @ turn, affine.GetCenter(), affine.GetTranslation()))
    return out


def _mirrored(affine: sitk.AffineTransform, known: Template) -> sitk.AffineTransform:
    """The pose followed by a reflection of the template's left and right."""
    flip = np.array([-1.0, 1.0, 1.0])
    out = sitk.AffineTransform(affine)
    out.SetMatrix((flip[:, None] * np.reshape(affine.GetMatrix(), (3, 3))).ravel().tolist())
    centre = np.asarray(affine.GetCenter())
    target = np.asarray(affine.TransformPoint(centre.tolist()))
    target[0] = 2 * known.centre[0] - target[0]
    out.SetTranslation((target - centre).tolist())
    return out


def _rigid(rotation: np.ndarray, centre: Sequence[float], translation: Sequence[float]) -> sitk.Euler3DTransform:
    rigid = sitk.Euler3DTransform()
    rigid.SetCenter(list(centre))
    rigid.SetMatrix(rotation.ravel().tolist(), 1e-6)
    rigid.SetTranslation(list(translation))
    return rigid


def _as_affine(rigid: sitk.Euler3DTransform) -> sitk.AffineTransform:
    return sitk.AffineTransform(rigid.GetMatrix(), rigid.GetTranslation(), rigid.GetCenter())


def prepared(volume: sitk.Image, modality: str) -> sitk.Image:
    """Float32, right-handed, 0 to 1, outliers clipped; CT windowed from air to soft tissue, whatever its rescale."""
    factors = [max(int(ENOUGH / pitch), 1) for pitch in volume.GetSpacing()]
    image = sitk.Cast(sitk.BinShrink(volume, factors), sitk.sitkFloat32)
    values = sitk.GetArrayViewFromImage(image)
    low, high = np.percentile(values, [1, 99.5])
    if modality == "CT":
        tissue = values > (low + high) / 2
        if 0 < tissue.sum() < tissue.size:
            low, soft = np.median(values[~tissue]), np.median(values[tissue])
            high = soft + 0.06 * (soft - low)  # 60 HU: bone like brain, as the outline and the sinuses tell most
    else:
        tissue = values[values > low + 0.1 * (high - low)]
        high = min(high, low + 2 * (np.median(tissue) - low)) if tissue.size else high  # fat must not outshine brain
    image = sitk.ShiftScale(image, -float(low), 1 / max(float(high - low), 1e-6))
    image = _without_air(sitk.Clamp(image, sitk.sitkFloat32, 0.0, 1.0))
    if np.linalg.det(np.reshape(image.GetDirection(), (3, 3))) < 0:
        image = sitk.Flip(image, [True, False, False])
    return image


def _without_air(image: sitk.Image) -> sitk.Image:
    """Cropped to what is not dark, `AIR` mm of air left around it."""
    places = np.argwhere(sitk.GetArrayViewFromImage(image) > 0.15)
    if not len(places):
        return image
    room = np.ceil(AIR / np.asarray(image.GetSpacing())).astype(int)
    first = np.maximum(places.min(0)[::-1] - room, 0)
    last = np.minimum(places.max(0)[::-1] + room + 1, image.GetSize())
    return sitk.RegionOfInterest(image, (last - first).tolist(), first.tolist())


def shrunk(image: sitk.Image, step: float) -> sitk.Image:
    """Smoothed and resampled to `step` mm, same axes and middle."""
    spacing, size = np.asarray(image.GetSpacing()), np.asarray(image.GetSize())
    sigma = [step / 2.5 if pitch < step and n > 3 else 1e-3 for pitch, n in zip(spacing, size, strict=True)]
    smooth = sitk.SmoothingRecursiveGaussian(image, sigma) if (size > 3).all() else image
    counts = np.maximum(np.floor(size * spacing / step), 1).astype(int)
    first = (size - 1) / 2 - (counts - 1) / 2 * step / spacing
    origin = image.TransformContinuousIndexToPhysicalPoint(first.tolist())
    return sitk.Resample(
        smooth, counts.tolist(), sitk.Transform(), sitk.sitkLinear, origin, [step] * 3, image.GetDirection(), 0.0,
        sitk.sitkFloat32, True,
    )  # fmt: skip


def _centred(pose: Pose, known: Template) -> sitk.Euler3DTransform:
    """The pose turning about the head, for well-scaled steps."""
    centre = known.centre
    middle = pose.rotation.T @ (centre - pose.shift)
    return _rigid(pose.rotation, middle, centre - middle)


@cache
def _target(known: Template, step: float) -> sitk.Image:
    """The template at `step` mm, with air around it but none below: there the body goes on."""
    padded = sitk.ConstantPad(known.head, [30, 30, 0], [30, 30, 30], 0.0)
    return shrunk(padded, step)


def _refined(fixed: sitk.Image, start: sitk.Transform, known: Template, stride: float, steps: int) -> sitk.Transform:
    moved = type(start)(start)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(stride, stride / 80, steps, 0.8, 1e-12)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(moved, inPlace=True)
    try:
        method.Execute(fixed, _target(known, fixed.GetSpacing()[0]))
    except RuntimeError:  # all samples left the template
        return start
    matrix = np.reshape(moved.GetMatrix(), (3, 3))
    size = abs(np.linalg.det(matrix)) if np.isfinite(matrix).all() else 0.0
    return moved if _SIZES[0] < size < _SIZES[1] else start


def score(fixed: sitk.Image, affine: sitk.Transform, known: Template) -> tuple[float, float, float]:
    """(gain in log-likelihood, correlation ratio, share of the head seen) of one pose."""
    near = known.near
    smooth = _target(known, MIDDLE)
    there = sitk.GetArrayFromImage(sitk.Resample(near, fixed, affine, sitk.sitkNearestNeighbor, 0)) > 0
    expected = sitk.GetArrayFromImage(sitk.Resample(smooth, fixed, affine, sitk.sitkLinear, 0.0))[there]
    values = sitk.GetArrayViewFromImage(fixed)[there].astype(np.float64)
    seen = len(values) * np.prod(fixed.GetSpacing()) * abs(np.linalg.det(np.reshape(affine.GetMatrix(), (3, 3))))
    shared = seen / ((sitk.GetArrayViewFromImage(near) > 0).sum() * near.GetSpacing()[0] ** 3)
    if len(values) < 100:
        return 0.0, 0.0, float(shared)
    classes = np.digitize(expected, np.arange(20.0, 400.0, 20.0))
    counts = np.bincount(classes)
    means = np.bincount(classes, values) / np.maximum(counts, 1)
    floor = FLOOR * len(values)
    within, total = ((values - means[classes]) ** 2).sum(), ((values - values.mean()) ** 2).sum()
    ratio = float(1 - (within + floor) / (total + floor))
    # Counted in the template's volume: a shrunken head must not win by covering more of the volume.
    return -shared * np.log(max(1 - ratio, 1e-3)), ratio, float(shared)


def _distance(one: sitk.Transform, other: sitk.Transform) -> float:
    """Mean distance in mm, in the template, of where two transforms take points of the face."""
    face = template().face
    corners = np.array([[x, y, z] for x in (0.3, 0.7) for y in (0.15, 0.3) for z in (0.1, 0.35)])
    points = [face.TransformContinuousIndexToPhysicalPoint((np.asarray(face.GetSize()) * c).tolist()) for c in corners]
    back = one.GetInverse()
    gaps = [np.subtract(other.TransformPoint(back.TransformPoint(point)), point) for point in points]
    return float(np.linalg.norm(gaps, axis=1).mean())
