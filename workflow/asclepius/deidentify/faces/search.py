"""Where a head may lie in a volume: every rotation and shift tried at low resolution, without trust in the header.

Similarity: correlation ratio of the volume's intensities given the template's tissue class (Roche A. et al., MICCAI
1998), the same for any contrast, computed for all shifts at once by FFT. Score: its gain in log-likelihood,
-N/2 log(1 - ratio) over the N points that volume and template share, so that a large overlap counts and air outside
does not. Rotations: a super-Fibonacci spiral (Alexa M., CVPR 2022) besides the 24 of the cube.
"""

from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

import numpy as np
import SimpleITK as sitk
from scipy import fft
from scipy.spatial.transform import Rotation

from asclepius.deidentify.faces.template import Template

STEP = 12.0  # mm
SPIRAL = 400
APART = 15.0  # degrees between two poses that count as different
CLIMB = (10.0, 5.0)  # degrees
LEVELS = (40.0, 140.0, 240.0)  # template intensities that part air, bone and fluid, grey, white and fat
FLOOR = 0.01  # variance of intensities (0 to 1) that proves nothing: noise, bias, the shades of air
SHARED = 0.35  # of the template's points that a pose must find within the volume


@dataclass(frozen=True)
class Pose:
    """Rotation (3, 3) and shift (3,) in mm, from points of the volume to points of the template, and its score."""

    rotation: np.ndarray
    shift: np.ndarray
    score: float

    def affine(self) -> sitk.AffineTransform:
        return sitk.AffineTransform(self.rotation.ravel().tolist(), self.shift.tolist())

    def angle_to(self, other: "Pose") -> float:
        """Degrees."""
        cosine = (np.trace(self.rotation @ other.rotation.T) - 1) / 2
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


@cache
def rotations() -> np.ndarray:
    """(n, 3, 3), proper."""
    cube = [
        np.eye(3)[list(order)] * np.asarray(signs)[:, None]
        for order in permutations(range(3))
        for signs in product((1.0, -1.0), repeat=3)
    ]
    cube = [matrix for matrix in cube if np.linalg.det(matrix) > 0]
    s = np.arange(SPIRAL) + 0.5
    inner, outer = np.sqrt(s / SPIRAL), np.sqrt(1 - s / SPIRAL)
    alpha, beta = 2 * np.pi * s / np.sqrt(2), 2 * np.pi * s / 1.533751168755204288118041
    quaternions = np.stack(
        [inner * np.sin(alpha), inner * np.cos(alpha), outer * np.sin(beta), outer * np.cos(beta)], 1
    )
    return np.concatenate([cube, Rotation.from_quat(quaternions).as_matrix()])


@cache
def _classes(known: Template) -> tuple[np.ndarray, np.ndarray, float]:
    """Template classes (z, y, x), 0 where it knows nothing; centre in voxels; radius in mm of the known part."""
    smooth = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(known.head, STEP / 2.5))
    classes = (np.digitize(smooth, LEVELS) + 1) * sitk.GetArrayViewFromImage(known.near)
    points = np.argwhere(classes)
    middle = (points.min(0) + points.max(0)) / 2
    radius = np.linalg.norm(points - middle, axis=1).max() * known.head.GetSpacing()[0]
    return np.pad(classes, 1).astype(np.uint8), middle + 1, float(radius)


def candidates(coarse: sitk.Image, known: Template, count: int) -> list[Pose]:
    """The best poses, best first, `APART` from each other.

    Args:
        coarse: float32, 0 to 1, right-handed, `STEP` mm isotropic.
    """
    matcher = _Matcher(coarse, known)
    found = sorted((matcher.pose(rotation) for rotation in rotations()), key=lambda pose: -pose.score)
    climbed = sorted((_climbed(pose, matcher) for pose in _distinct(found, count)), key=lambda pose: -pose.score)
    return _distinct(climbed, count)


def _distinct(poses: list[Pose], count: int) -> list[Pose]:
    out: list[Pose] = []
    for pose in poses:
        if len(out) < count and all(pose.angle_to(other) >= APART for other in out):
            out.append(pose)
    return out


def _climbed(pose: Pose, matcher: "_Matcher") -> Pose:
    """The pose turned by ever smaller steps as long as its score grows."""
    for degrees in CLIMB:
        turns = Rotation.from_rotvec(np.radians(degrees) * np.concatenate([np.eye(3), -np.eye(3)])).as_matrix()
        while True:
            best = max((matcher.pose(pose.rotation @ turn, physical=True) for turn in turns), key=lambda one: one.score)
            if best.score <= pose.score:
                break
            pose = best
    return pose


class _Matcher:
    """Scores a rotation of the template at its best shift in one volume."""

    def __init__(self, coarse: sitk.Image, known: Template):
        values = sitk.GetArrayFromImage(coarse)
        self._coarse = coarse
        self._directions = np.reshape(coarse.GetDirection(), (3, 3))
        self._classes, self._middle, radius = _classes(known)
        self._spacing = known.head.GetSpacing()[0]
        self._centre = np.asarray(known.head.TransformContinuousIndexToPhysicalPoint((self._middle - 1)[::-1].tolist()))
        self._half = int(np.ceil(radius / STEP))
        run = np.arange(-self._half, self._half + 1) * STEP
        self._lattice = np.stack(np.meshgrid(run, run, run, indexing="ij")[::-1], -1).reshape(-1, 3)  # (x, y, z), mm
        # The head's middle may lie this far outside; shifts beyond wrap around and are not looked at.
        outside = self._half // 2
        self._window = tuple(slice(self._half - outside, n + self._half + outside) for n in values.shape)
        self._size = [
            fft.next_fast_len(max(n + self._half + outside, 2 * self._half + 1), real=True) for n in values.shape
        ]
        self._spectra = [fft.rfftn(part, self._size) for part in (np.ones_like(values), values, values**2)]

    def pose(self, rotation: np.ndarray, physical: bool = False) -> Pose:
        """The best pose of one rotation, given from the volume's array axes or from its physical axes."""
        if physical:
            rotation = rotation @ self._directions
        index = np.rint((self._lattice @ rotation.T)[:, ::-1] / self._spacing + self._middle).astype(int)
        np.clip(index, 0, np.asarray(self._classes.shape) - 1, out=index)
        labels = self._classes[tuple(index.T)].reshape((2 * self._half + 1,) * 3)
        score, voxel = self._best_shift(labels)
        turned = rotation @ self._directions.T
        point = np.asarray(self._coarse.TransformContinuousIndexToPhysicalPoint([float(v) for v in voxel[::-1]]))
        return Pose(turned, self._centre - turned @ point, score)

    def _best_shift(self, labels: np.ndarray) -> tuple[float, np.ndarray]:
        """(score, voxel of the volume under the middle of `labels`)."""
        labels = labels[::-1, ::-1, ::-1]  # correlation by convolution
        number = total = explained = 0.0
        for label in range(1, len(LEVELS) + 2):
            spectrum = fft.rfftn((labels == label).astype(np.float32), self._size)
            n = fft.irfftn(spectrum * self._spectra[0], self._size)
            s = fft.irfftn(spectrum * self._spectra[1], self._size)
            number, total = number + n, total + s
            explained = explained + s * s / np.maximum(n, 0.5)
        known = (labels > 0).astype(np.float32)
        square = fft.irfftn(fft.rfftn(known, self._size) * self._spectra[2], self._size)
        n = np.maximum(number, 0.5)
        spread = np.maximum(square - total * total / n, 0.0)
        within = np.clip(square - explained, 0.0, spread)
        gain = n / 2 * np.log((spread + FLOOR * n) / (within + FLOOR * n))
        score = np.where(number >= SHARED * known.sum(), gain, 0.0)
        score = score[self._window]
        best = np.unravel_index(score.argmax(), score.shape)
        return float(score[best]), np.asarray(best) + [part.start - self._half for part in self._window]
