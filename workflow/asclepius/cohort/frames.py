"""The volumes within one multi-frame object: stacks, time points, echoes, kinds of image (PS3.3 C.7.6.16)."""

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from asclepius.cohort import stacks
from asclepius.errors import Rejected

# What tells frames at one place apart, as sequences and attributes of a frame's functional groups.
SEPARATORS = (
    ("FrameContentSequence", "StackID"),
    ("FrameContentSequence", "TemporalPositionIndex"),
    ("TemporalPositionSequence", "TemporalPositionTimeOffset"),
    ("MREchoSequence", "EffectiveEchoTime"),
    ("MRImageFrameTypeSequence", "FrameType"),
    ("MRImageFrameTypeSequence", "ComplexImageComponent"),
    ("CTImageFrameTypeSequence", "FrameType"),
    ("PETFrameTypeSequence", "FrameType"),
    ("MRDiffusionSequence", "DiffusionBValue"),
    ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    ("CTReconstructionSequence", "ConvolutionKernel"),
)


@dataclass(frozen=True)
class Frame:
    """What places a frame, as `stacks` asks it of the header of a file."""

    path: str
    number: float
    rows: int
    columns: int
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    separators: tuple[str | None, ...]


def parts(dataset: Dataset) -> list[list[int]]:
    """Frame numbers (from 0) of each volume, in order along its normal; all frames where they have no positions.

    Raises:
        Rejected: "geometry" if frames lie at one place and nothing tells them apart.
    """
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    frames = [_frame(dataset, number, group, shared) for number, group in enumerate(groups)]
    if not frames or any(frame.position is None or frame.orientation is None for frame in frames):
        return [list(range(int(dataset.get("NumberOfFrames") or 1)))]
    found = []
    for alike in stacks.alike(frames):
        volumes = stacks.separate(alike)
        if volumes is None:
            sentence = "several frames at one place and nothing in the header tells them apart; split the object"
            raise Rejected("geometry", sentence)
        found += [[int(frame.path) for frame in volume] for volume in volumes]
    return sorted(found, key=lambda numbers: (-len(numbers), numbers[0]))


def _frame(dataset: Dataset, number: int, group: Dataset, shared: Dataset) -> Frame:
    def value(sequence: str, keyword: str) -> object:
        for place in (group, shared):
            items = place.get(sequence)
            if items and keyword in items[0]:
                return items[0].get(keyword)
        return None

    directions = value("MRDiffusionSequence", "DiffusionGradientDirectionSequence")
    indices = value("FrameContentSequence", "DimensionIndexValues")
    indices = indices if isinstance(indices, MultiValue | list) else [indices]
    told = [value(*names) for names in SEPARATORS]
    told.append(directions[0].get("DiffusionGradientOrientation") if directions else None)
    return Frame(
        path=f"{number:06d}",
        number=number,
        rows=int(dataset.get("Rows") or 0),
        columns=int(dataset.get("Columns") or 0),
        orientation=_numbers(value("PlaneOrientationSequence", "ImageOrientationPatient"), 6),
        position=_numbers(value("PlanePositionSequence", "ImagePositionPatient"), 3),
        spacing=_numbers(value("PixelMeasuresSequence", "PixelSpacing"), 2),
        separators=tuple(None if one is None else str(one) for one in (*told, *indices)),
    )


def _numbers(value: object, count: int) -> tuple[float, ...] | None:
    try:
        found = tuple(float(part) for part in value)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count else None
