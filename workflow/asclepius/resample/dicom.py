"""DICOM objects to slices: decoding, colour, inversion, rescaling to HU, padding."""

import io
import warnings
from collections.abc import Iterator

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array

from asclepius.errors import Rejected
from asclepius.resample.scan import Scan
from asclepius.resample.volume import Slice, assemble, flat


def read(files: list[bytes], fill: float, missing_slices: int, gantry_tilt: str = "correct") -> Scan:
    """A series, a multi-frame object or a single image.

    Args:
        files: contents of the series' files in any order.
        fill: value for what the scanner marked as padding.
        missing_slices, gantry_tilt: see `volume.assemble`.

    Raises:
        Rejected: with the reason that holds for the first file that fails.
    """
    slices: list[Slice] = []
    for place, data in enumerate(files):
        where = "" if len(files) == 1 else f"slice file {place + 1} of {len(files)}: "
        try:
            slices.extend(_slices(data, fill))
        except Rejected as rejected:
            raise Rejected(rejected.reason, where + rejected.sentence) from None
    if len(slices) == 1:
        return flat(slices[0])
    if len(files) == 1 and all(single.position is None for single in slices):
        raise Rejected("wrong-shape", f"a film of {len(slices)} frames without positions; export single images")
    return assemble(slices, missing_slices, fill, gantry_tilt)


def _slices(data: bytes, fill: float) -> Iterator[Slice]:
    if not data:
        raise Rejected("empty", "the file is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of oddities that it copes with, and quotes the header
        try:
            dataset = dcmread(io.BytesIO(data))
        except InvalidDicomError:
            raise Rejected("unreadable", "not a DICOM file") from None
        except EOFError:
            raise Rejected("truncated", "the file ends before its last element; copy it again") from None
        frames = _decode(dataset)
        for number, frame in enumerate(frames):
            yield Slice(
                pixels=_values(dataset, frame, number, fill),
                position=_numbers(_attribute(dataset, number, "PlanePositionSequence", "ImagePositionPatient"), 3),
                orientation=_orientation(dataset, number),
                spacing=_spacing(dataset, number),
            )


def _decode(dataset: Dataset) -> np.ndarray:
    """Stored values, (frame, y, x, channel); YBR comes out as RGB."""
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        reason = "truncated" if "Rows" in dataset and "BitsAllocated" in dataset else "unreadable"
        raise Rejected(reason, "the object has no pixels; copy it again, or leave it out of the source")
    _check_length(dataset)
    try:
        array = pixel_array(dataset)
    except Exception as error:  # decoders raise anything; one bad image must not stop the shard
        name = dataset.file_meta.get("TransferSyntaxUID")
        raise Rejected(
            "undecodable",
            f"the pixels cannot be decoded ({getattr(name, 'name', 'no transfer syntax')}, {type(error).__name__}); "
            "export it uncompressed",
        ) from None
    frames = int(dataset.get("NumberOfFrames") or 1)
    samples = int(dataset.get("SamplesPerPixel") or 1)
    return array.reshape(frames, int(dataset.Rows), int(dataset.Columns), samples)


def _check_length(dataset: Dataset) -> None:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None or syntax.is_encapsulated or "PixelData" not in dataset:
        return
    try:
        values = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel") or 1)
        if dataset.PhotometricInterpretation == "YBR_FULL_422":
            values = values // 3 * 2
        needed = (values * int(dataset.get("NumberOfFrames") or 1) * int(dataset.BitsAllocated) + 7) // 8
    except (AttributeError, ValueError, TypeError):
        raise Rejected("unreadable", "the header does not tell the size of the image") from None
    if len(dataset.PixelData) < needed:
        raise Rejected("truncated", f"{len(dataset.PixelData)} of {needed} bytes of pixels; copy it again")


def _values(dataset: Dataset, frame: np.ndarray, number: int, fill: float) -> np.ndarray:
    """Values of one frame in HU or the modality's units, (y, x, channel)."""
    photometric = dataset.get("PhotometricInterpretation", "MONOCHROME2")
    if photometric == "PALETTE COLOR":
        colours = apply_color_lut(frame[..., 0], dataset)[..., :3]
        # Palettes of 16 bits hold 8-bit colours in their upper byte (PS3.3 C.7.6.3.1.6).
        return (colours >> 8).astype(np.uint8) if colours.dtype == np.uint16 else colours
    if frame.shape[-1] > 1:
        return frame[..., :3]
    padding = _padding(dataset, frame)
    values = frame
    if photometric == "MONOCHROME1":
        values = _inverted(values, dataset)
    if dataset.get("ModalityLUTSequence"):
        values = _compact(apply_modality_lut(values, dataset))
    else:
        slope = _number(_attribute(dataset, number, "PixelValueTransformationSequence", "RescaleSlope"), 1.0)
        intercept = _number(_attribute(dataset, number, "PixelValueTransformationSequence", "RescaleIntercept"), 0.0)
        values = rescaled(values, slope, intercept)
    if padding.any():
        values = np.where(padding, np.asarray(fill, np.result_type(values, np.min_scalar_type(int(fill)))), values)
    return values


def rescaled(values: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """slope * value + intercept, in the smallest of int16, int32, float32 that holds it exactly enough."""
    if slope == 1 and intercept == 0:
        return _native(values)
    if values.dtype.kind in "iu" and slope == int(slope) and intercept == int(intercept):
        return _compact(values.astype(np.int64) * int(slope) + int(intercept))
    return values.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _compact(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    low, high = int(values.min()), int(values.max())
    for kind in (np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return values.astype(kind)
    return values.astype(np.float32)


def _native(values: np.ndarray) -> np.ndarray:
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _inverted(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    """MONOCHROME1 shows its lowest value white; mirrored within the stored bits it reads like MONOCHROME2."""
    if dataset.get("PixelRepresentation"):
        return -1 - values
    top = 2 ** int(dataset.get("BitsStored") or dataset.BitsAllocated) - 1
    return (top - values.astype(np.int32)).clip(0).astype(values.dtype)


def _padding(dataset: Dataset, frame: np.ndarray) -> np.ndarray:
    """Where the scanner wrote no measurement (Pixel Padding Value and its range, PS3.3 C.7.5.1.1.2)."""
    first = dataset.get("PixelPaddingValue")
    if not isinstance(first, int):
        return np.zeros(1, dtype=bool)
    last = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((first, last if isinstance(last, int) else first))
    return (frame >= low) & (frame <= high)


def _attribute(dataset: Dataset, number: int, sequence: str, keyword: str) -> object:
    """An attribute of a frame: its own functional group, else the shared one, else the object's (PS3.3 C.7.6.16)."""
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    groups = [own[number]] if number < len(own) else []
    for group in [*groups, *(dataset.get("SharedFunctionalGroupsSequence") or [])]:
        items = group.get(sequence)
        if items and keyword in items[0]:
            return items[0].get(keyword)
    return dataset.get(keyword)


def _number(value: object, default: float) -> float:
    return default if value in (None, "") else float(value)


def _numbers(value: object, count: int) -> np.ndarray | None:
    """A multi-valued attribute as floats; None if absent, incomplete or not finite."""
    try:
        found = np.array([float(item) for item in value], dtype=float)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and np.isfinite(found).all() else None


def _orientation(dataset: Dataset, number: int) -> np.ndarray | None:
    cosines = _numbers(_attribute(dataset, number, "PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    if cosines is None:
        return None
    pair = cosines.reshape(2, 3)
    norms = np.linalg.norm(pair, axis=1, keepdims=True)
    # Headers round cosines to a few digits; anything beyond that is no orientation.
    return pair / norms if (np.abs(norms - 1) < 0.01).all() and abs(pair[0] @ pair[1]) < 0.01 else None


def _spacing(dataset: Dataset, number: int) -> tuple[float, float] | None:
    """(y, x) in mm, at the patient where the header tells it, else at the detector."""
    found = _numbers(_attribute(dataset, number, "PixelMeasuresSequence", "PixelSpacing"), 2)
    if found is None:
        found = _numbers(dataset.get("ImagerPixelSpacing"), 2)
        if found is not None:
            found = found / max(_number(dataset.get("EstimatedRadiographicMagnificationFactor"), 1.0), 1.0)
    if found is None:
        found = _numbers(dataset.get("NominalScannedPixelSpacing"), 2)
    return (float(found[0]), float(found[1])) if found is not None and found.min() > 0 else None
