"""Which voxels of a head show the face, and whether that can be said at all."""

import re
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from asclepius.deidentify.faces.register import Registered, register
from asclepius.deidentify.faces.template import Template, stripped, template
from asclepius.errors import Rejected

SMALLEST = 60.0  # mm of every axis; less cannot be told from another part of the body
FEWEST = 8  # slices
# Limits set by the cases of tests/deidentify/test_deidentify_faces_hard.py.
RATIO = 0.3
SHARED = 0.3
RIVAL = 0.92
SUPPORT = 0.75
SCALES = (0.75, 1.35)
_TRACES = 1e-3  # of the face's place: ringing of an interpolation

_HEAD = re.compile(
    r"head|brain|skull|crani|cerebr|\bfac(e|ial)|neck|orbit|\beye|\bnose|sinus|jaw|mandib|maxill|dental|temporal|"
    r"t\.?m\.?j|\bears?\b|\biac\b|pituitar|hypophys|mastoid|stroke|mprage|flair|whole.?body|c.?spine|cervical|"
    r"\bhals|kopf|hirn|sch(ae|ä)del|gesicht|t(e|ê)te|cr(a|â|á)ne|cabeza|cara\b|enc(e|é)phal",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"chest|thora[xc]|lung|heart|cardiac|breast|abdom|pelvi|liver|kidney|renal|prostat|uter|bladder|colon|"
    r"\b[lt].?spine|lumbar|sacrum|\bhip\b|knee|ankle|\bfoot|\bleg\b|femur|tibia|shoulder|elbow|wrist|\bhand\b|"
    r"\barm\b|humerus|extremity",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Defaced:
    """A head and the place of its face.

    Args:
        mask: uint8 on the volume's own grid, 1 = to be blanked.
        fill: value to write there, that of air.
        quality: ratio (correlation ratio, 0 to 1), shared (of the head within the volume), rival (best other pose's
            score, relative), support (of disturbed starts), smallest and largest scale, blanked (share of the
            volume), tissue (share of the blanked voxels that was not air), brain (voxels of the brain blanked),
            stripped (1 = the volume holds no scalp).
        transform: points of the volume to points of the template, mm.
    """

    mask: sitk.Image
    fill: float
    quality: dict[str, float]
    transform: sitk.Transform

    @property
    def nothing(self) -> bool:
        """The volume is a brain without scalp, with air where the face was; others of its frame may show one."""
        return self.quality["stripped"] == 1 and self.quality["tissue"] < _TRACES

    def on(self, grid: sitk.Image) -> sitk.Image:
        """The mask, uint8, on another grid of the same frame of reference; it need not overlap the first."""
        return _warped(template().face, grid, self.transform)


def deface(volume: sitk.Image, modality: str) -> Defaced:
    """The face in a head MR or CT.

    Args:
        volume: 3-D, one value per voxel, any orientation, contrast and spacing.
        modality: "CT", or any other for MR.

    Raises:
        Rejected: face; the head was not found beyond doubt.
    """
    size, extent = volume.GetSize(), np.multiply(volume.GetSize(), volume.GetSpacing())
    if len(size) != 3 or min(size) < FEWEST or extent.min() < SMALLEST:
        raise Rejected(
            "face",
            f"a head scan of {' x '.join(f'{mm:.0f}' for mm in extent)} mm is too thin to find the face in; "
            "deface it by hand, or give it with a whole volume of the same frame of reference",
        )
    known, found = template(), register(volume, modality, template())
    first = doubt(found)
    if first:
        known = stripped()
        found = register(volume, modality, known)
        # A brain alone fits its own template far better than a head does.
        if doubt(found):
            raise Rejected("face", f"the head could not be located beyond doubt ({first}); deface it by hand")
    mask = _warped(known.face, volume, found.transform)
    brain = sitk.Resample(known.brain, volume, found.transform, sitk.sitkNearestNeighbor, 0)
    quality = _quality(volume, mask, brain, found, known)
    return Defaced(mask, _air(volume, known, found.transform), quality, found.transform)


def doubt(found: Registered) -> str:
    """What speaks against a registration; empty if nothing does."""
    # Written so that a value that is not a number counts as a doubt.
    if not found.ratio >= RATIO:
        return f"similarity {found.ratio:.2f} below {RATIO}"
    if not found.shared >= SHARED:
        return f"only {found.shared:.0%} of a head in view"
    if not found.rival <= RIVAL:
        return "two poses fit alike"
    if not found.support >= SUPPORT:
        return "disturbed starts do not come back to the pose"
    if not SCALES[0] <= found.scales[0] <= found.scales[2] <= SCALES[1]:
        return "the size is not that of a head"
    return ""


def is_head(body_part: str, description: str, volume: sitk.Image) -> bool:
    """Whether a face may be in a volume: by words of the header, else by what it holds; unsure is yes.

    Args:
        body_part: Body Part Examined (0018,0015) or "".
        description: of series, study and protocol, joined.
    """
    words = f"{body_part} {description}".replace("_", " ")
    if _HEAD.search(words):
        return True
    if _ELSEWHERE.search(words):
        return False
    # A cut-out below the size of a face in two directions (a hippocampus, a wrist) shows none.
    extent = np.sort(np.multiply(volume.GetSize(), volume.GetSpacing()))
    return bool(extent[1] >= SMALLEST)


def _warped(face: sitk.Image, grid: sitk.Image, transform: sitk.Transform) -> sitk.Image:
    # Beyond the template its border goes on: a longer nose, a neck.
    return sitk.Resample(face, grid, transform, sitk.sitkNearestNeighbor, 0.0, sitk.sitkUInt8, True)


def _air(volume: sitk.Image, known: Template, transform: sitk.Transform) -> float:
    """Lowest value; highest where air is bright."""
    near = sitk.GetArrayFromImage(sitk.Resample(known.near, volume, transform, sitk.sitkNearestNeighbor, 0)) > 0
    head = sitk.GetArrayFromImage(sitk.Resample(known.head, volume, transform, sitk.sitkLinear, 0.0)) > 60
    values = sitk.GetArrayViewFromImage(volume)
    low, high = float(values.min()), float(values.max())
    air = values[near & ~head]
    dark = not air.size or not head.any() or np.median(air) <= np.median(values[head])
    return low if dark else high


def _quality(
    volume: sitk.Image, mask: sitk.Image, brain: sitk.Image, found: Registered, known: Template
) -> dict[str, float]:
    blanked = sitk.GetArrayViewFromImage(mask) > 0
    values = sitk.GetArrayViewFromImage(volume)
    low, high = np.percentile(values, [1, 99])
    inside = values[blanked]
    return {
        "ratio": found.ratio,
        "shared": found.shared,
        "rival": found.rival,
        "support": found.support,
        "smallest scale": found.scales[0],
        "largest scale": found.scales[2],
        "blanked": float(blanked.mean()),
        "tissue": float((np.abs(inside - low) > 0.1 * (high - low)).mean()) if inside.size else 0.0,
        "brain": float((blanked & (sitk.GetArrayViewFromImage(brain) > 0)).sum()),
        "stripped": float(known is stripped()),
    }
