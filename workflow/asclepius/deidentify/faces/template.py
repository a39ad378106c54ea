"""The average head with its face mask that the package `pydeface` ships as data; none of its code is imported.

The mask is an extruded block: forehead rim to throat, back to the middle of the jaw. It ends with the template's field
of view and 10 mm before the brain, so here it is continued outwards and grown by `GROWTH`.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from importlib import metadata

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from asclepius.errors import StudyError

FILES = {
    "mean_reg2mean.nii.gz": "fdc13571d66293f9919648cd8de9a7b3491b12175e09336353d2c9ce0466ecb6",
    "facemask.nii.gz": "8cba52c32c02e0cc28dd47606f6ef581b9c9804f1ae9d412da5a4addc57f0068",
}
SPACING = 2.0  # mm
GROWTH = 7.0  # mm
BRAIN_MARGIN = 7.0  # mm between the brain and what is blanked
_HEAD = 40.0  # template intensities: above is tissue,
_BRIGHT = 200.0  # above is brain, muscle or fat, not skull
_PEEL = 8.0  # mm: parts the brain from neck and orbits
_AROUND = 20.0  # mm of air around the head that a pose must explain


@dataclass(frozen=True, eq=False)
class Template:
    """Volumes on one grid: `SPACING` mm, axes of the array (z, y, x) towards (head, back, left).

    Args:
        head: float32, mean T1 intensity of the head.
        near: uint8, 1 within the head or `_AROUND` mm of it, where the template knows what to expect.
        brain: uint8, with its margin.
        face: uint8, 1 where voxels are blanked; its value at the border holds beyond it.
    """

    head: sitk.Image
    near: sitk.Image
    brain: sitk.Image
    face: sitk.Image

    @cached_property
    def centre(self) -> np.ndarray:
        """Centre of mass of the head, mm."""
        inside = np.argwhere(sitk.GetArrayViewFromImage(self.head) > _HEAD)
        return np.asarray(self.head.TransformContinuousIndexToPhysicalPoint(inside.mean(0)[::-1].tolist()))


@cache
def template() -> Template:
    """The template, read once per process.

    Raises:
        StudyError: pydeface is not installed, or holds other files than the thresholds were set with.
    """
    mean, mask = (_straight(_read(name)) for name in FILES)
    grid = _grid(mean)
    head = sitk.Resample(sitk.SmoothingRecursiveGaussian(mean, SPACING / 2), grid, sitk.Transform(), sitk.sitkLinear)
    # The file marks what stays.
    drawn = sitk.Resample(mask, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 1.0)
    intensity = sitk.GetArrayFromImage(head)
    tissue = _largest(intensity > _HEAD)
    near = ndimage.distance_transform_edt(~tissue) * SPACING < _AROUND
    near[0] = False
    brain = _brain(intensity)
    face = _face(sitk.GetArrayFromImage(drawn) < 0.5, brain)
    return Template(head, *(_like(array, head) for array in (near, brain, face)))


@cache
def stripped() -> Template:
    """The same head without scalp and skull, for volumes that went through brain extraction."""
    whole = template()
    head = sitk.Mask(whole.head, sitk.BinaryErode(whole.brain, [1, 1, 1]))
    return Template(head, whole.near, whole.brain, whole.face)


def _read(name: str) -> sitk.Image:
    try:
        path = metadata.distribution("pydeface").locate_file(f"pydeface/data/{name}")
        with open(path, "rb") as file:
            found = sha256(file.read()).hexdigest()
    except (metadata.PackageNotFoundError, FileNotFoundError):
        raise StudyError(
            "defacing needs the template that the package pydeface ships: pip install --no-deps pydeface==2.1.0"
        ) from None
    if found != FILES[name]:
        raise StudyError(f"pydeface's {name} is another than tested: pip install --no-deps pydeface==2.1.0")
    return sitk.ReadImage(str(path), sitk.sitkFloat32)


def _straight(image: sitk.Image) -> sitk.Image:
    """The image with its own axes along left, back and head: the file's header turns it 3 degrees off its symmetry."""
    image = sitk.DICOMOrient(image, "LPS")
    image.SetDirection(np.eye(3).ravel().tolist())
    return image


def _grid(image: sitk.Image) -> sitk.Image:
    """An empty grid of `SPACING` over the field of view of `image`."""
    middle = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    shape = np.round(np.multiply(image.GetSize(), image.GetSpacing()) / SPACING).astype(int)
    grid = sitk.Image(shape.tolist(), sitk.sitkUInt8)
    grid.SetSpacing([SPACING] * 3)
    grid.SetOrigin((np.asarray(middle) - (shape - 1) / 2 * SPACING).tolist())
    return grid


def _brain(intensity: np.ndarray) -> np.ndarray:
    """The brain with its margin: the largest body of bright tissue when its bridges have been peeled away."""
    core = _largest(ndimage.distance_transform_edt(intensity > _BRIGHT) * SPACING > _PEEL)
    # Peeling and the dark rim of the cortex together cost some mm more than the peel itself.
    return ndimage.distance_transform_edt(~core) * SPACING < _PEEL + 4.0 + BRAIN_MARGIN


def _face(drawn: np.ndarray, brain: np.ndarray) -> np.ndarray:
    # Whatever lies in front of or below the mask is face, throat or air: nose tips differ in length.
    inside = drawn.copy()
    inside[:, -1] = False
    inside = np.maximum.accumulate(inside[:, ::-1], axis=1)[:, ::-1]
    inside = np.maximum.accumulate(inside[::-1], axis=0)[::-1]
    across = inside.sum(2, keepdims=True) > inside.shape[2] / 2
    inside = np.broadcast_to(across, inside.shape)
    grown = ndimage.distance_transform_edt(~inside) * SPACING <= GROWTH
    return grown & ~brain


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, _ = ndimage.label(mask)
    return labels == np.bincount(labels[mask]).argmax()


def _like(array: np.ndarray, image: sitk.Image) -> sitk.Image:
    out = sitk.GetImageFromArray(array.astype(np.uint8))
    out.CopyInformation(image)
    return out
