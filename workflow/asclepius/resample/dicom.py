"""DICOM objects to slices: decoding, colour, grey values in the modality's units, and where they lie."""

import io
from functools import cache, partial

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import (
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    UncompressedTransferSyntaxes,
)

from asclepius.cohort.frames import parts as volumes_within
from asclepius.deidentify.dicom.odd import quiet
from asclepius.deidentify.pixels import jpeg
from asclepius.errors import Rejected
from asclepius.resample import frames
from asclepius.resample.geometry import Grid
from asclepius.resample.grey import Grey
from asclepius.resample.native import Series
from asclepius.resample.scan import Scan
from asclepius.resample.volume import Slice, arrange, assemble, flat, flat_grid

JPEG = frozenset((*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes))
PALETTE = "PALETTE COLOR"
END = b"\xff\xd9"  # of JPEG, JPEG-LS and JPEG 2000 alike


def read(files: list[bytes], fill: float, missing_slices: int, gantry_tilt: str = "correct", part: int = -1) -> Scan:
    """A series, a multi-frame object or a single image.

    Args:
        files: contents of the series' files in any order.
        fill: value for what the scanner marked as padding, and for what no slice reaches.
        missing_slices, gantry_tilt: see `volume.arrange`.
        part: which volume of a multi-frame object; -1 for the whole.

    Raises:
        Rejected: with the reason that holds for the first file that fails.
    """
    with quiet():
        slices = _slices(files, fill, part)
        return flat(slices[0]) if len(slices) == 1 else assemble(slices, missing_slices, fill, gantry_tilt)


def read_grid(files: list[bytes], missing_slices: int, gantry_tilt: str = "correct", part: int = -1) -> Grid:
    """The grid that `read` puts an image on; no pixel is decoded.

    Raises:
        Rejected: as `read` does for what headers tell.
    """
    with quiet():
        slices = _slices(files, 0.0, part)
        if len(slices) == 1:
            return flat_grid(slices[0])
        return arrange(slices, missing_slices, gantry_tilt).planes.grid


def _slices(files: list[bytes], fill: float, part: int) -> list[Slice]:
    slices: list[Slice] = []
    reader = Reader(fill)
    for place, data in enumerate(files):
        where = "" if len(files) == 1 else f"slice file {place + 1} of {len(files)}: "
        try:
            slices.extend(reader.slices(data, where))
        except Rejected as rejected:
            raise Rejected(rejected.reason, where + rejected.sentence) from None
    if part >= 0:
        slices = [slices[number] for number in volumes_within(parsed(files[0]))[part]]
    if len(files) == 1 and len(slices) > 1 and all(single.position is None for single in slices):
        raise Rejected("wrong-shape", f"a film of {len(slices)} frames without positions; export single images")
    return slices


class Reader:
    """Reads the files of one series; those that are like its first one by comparison.

    Args:
        fill: value for padding.
    """

    def __init__(self, fill: float):
        self._fill = fill
        self._first: tuple[bytes, Dataset, Grey, Slice] | None = None
        self._series: Series | None = None

    def slices(self, data: bytes, where: str = "") -> list[Slice]:
        """The frames of one file; pixels are decoded when they are asked for.

        Args:
            where: names the file in what decoding raises.

        Raises:
            Rejected: "empty", "unreadable" or "truncated".
        """
        if self._first is not None:
            first, dataset, grey, like = self._first
            self._series = self._series or Series(first, dataset)
            found = self._series.slice(data)
            if found is not None:
                load = partial(grey.values, found.frame, found.slope, found.intercept, self._fill)
                return [Slice(load, like.shape, found.position, like.orientation, like.spacing)]
        dataset = parsed(data)
        _check_length(dataset)
        grey = Grey.of(dataset)
        stored = cache(lambda: decoded(dataset))
        colours = int(dataset.get("SamplesPerPixel") or 1) > 1 or dataset.get("PhotometricInterpretation") == PALETTE

        def load(number: int) -> np.ndarray:
            try:
                return _values(dataset, grey, stored()[number], number, self._fill)
            except Rejected as rejected:
                raise Rejected(rejected.reason, where + rejected.sentence) from None

        found = [
            Slice(
                load=partial(load, number),
                shape=(int(dataset.Rows), int(dataset.Columns), 3 if colours else 1),
                position=frames.position(dataset, number),
                orientation=frames.orientation(dataset, number),
                spacing=frames.spacing(dataset, number),
            )
            for number in range(int(dataset.get("NumberOfFrames") or 1))
        ]
        self._first = self._first or (data, dataset, grey, found[0])
        return found


def parsed(data: bytes) -> Dataset:
    """A file's data set.

    Raises:
        Rejected: "empty", "unreadable" or "truncated".
    """
    if not data:
        raise Rejected("empty", "the file is empty")
    try:
        return dcmread(io.BytesIO(data))
    except InvalidDicomError:
        raise Rejected("unreadable", "not a DICOM file") from None
    except EOFError:
        raise Rejected("truncated", "the file ends before its last element; copy it again") from None


def decoded(dataset: Dataset) -> np.ndarray:
    """Stored values, (frame, y, x, channel); YBR comes out as RGB.

    Raises:
        Rejected: "truncated", "unreadable" or "undecodable".
    """
    _check_length(dataset)
    _check_streams(dataset)
    jpeg.mend(dataset)
    try:
        array = pixel_array(dataset)
    except Exception as error:  # decoders raise anything; one bad image must not stop the shard
        name = dataset.file_meta.get("TransferSyntaxUID")
        raise Rejected(
            "undecodable",
            f"the pixels cannot be decoded ({getattr(name, 'name', 'no transfer syntax')}, {type(error).__name__}); "
            "export it uncompressed",
        ) from None
    count = int(dataset.get("NumberOfFrames") or 1)
    samples = int(dataset.get("SamplesPerPixel") or 1)
    return array.reshape(count, int(dataset.Rows), int(dataset.Columns), samples)


def _check_streams(dataset: Dataset) -> None:
    """Refuse JPEG streams without an end, of which decoders make half a picture."""
    if dataset.file_meta.get("TransferSyntaxUID") not in JPEG:
        return
    try:
        streams = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)))
    except (ValueError, EOFError):
        return  # the decoder will say so
    if any(END not in stream[-16:] for stream in streams):
        raise Rejected("truncated", "compressed pixels stop before their end marker; copy the file again")


def _check_length(dataset: Dataset) -> None:
    """Refuse an object without pixels, without a size, or with fewer bytes than that."""
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        reason = "truncated" if "Rows" in dataset and "BitsAllocated" in dataset else "unreadable"
        raise Rejected(reason, "the object has no pixels; copy it again, or leave it out of the source")
    try:
        values = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel") or 1)
        if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
            values = values // 3 * 2
        needed = (values * int(dataset.get("NumberOfFrames") or 1) * int(dataset.BitsAllocated) + 7) // 8
    except (AttributeError, ValueError, TypeError):
        raise Rejected("unreadable", "the header does not tell the size of the image") from None
    native = dataset.file_meta.get("TransferSyntaxUID") in UncompressedTransferSyntaxes and "PixelData" in dataset
    if native and len(dataset.PixelData) < needed:
        raise Rejected("truncated", f"{len(dataset.PixelData)} of {needed} bytes of pixels; copy it again")


def _values(dataset: Dataset, grey: Grey, frame: np.ndarray, number: int, fill: float) -> np.ndarray:
    """Values of one frame: colours, or HU or the modality's units, (y, x, channel)."""
    if dataset.get("PhotometricInterpretation") == PALETTE:
        colours = apply_color_lut(frame[..., 0], dataset)[..., :3]
        # Palettes of 16 bits hold 8-bit colours in their upper byte (PS3.3 C.7.6.3.1.6).
        return (colours >> 8).astype(np.uint8) if colours.dtype == np.uint16 else colours
    if frame.shape[-1] > 1:
        return frame[..., :3]
    slope, intercept = (
        frames.number_of(frames.attribute(dataset, number, "PixelValueTransformationSequence", name), default)
        for name, default in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
    )
    return grey.values(frame, slope, intercept, fill)
