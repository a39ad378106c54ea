"""JPEG streams whose scan header contradicts their frame header, made lawful."""

from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

_SOS, _SEQUENTIAL = 0xDA, (0xC0, 0xC1)
_WHOLE = bytes((0, 63, 0))  # all coefficients in one scan, without approximation


def mend(dataset: Dataset) -> None:
    """Put lawful streams into a data set, so that decoders take them; one that has them already stays as it is."""
    if dataset.file_meta.get("TransferSyntaxUID") not in (JPEGBaseline8Bit, JPEGExtended12Bit):
        return
    try:
        streams = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)))
    except (ValueError, EOFError):
        return  # the decoder will say so
    mended = [with_whole_scans(stream) for stream in streams]
    if mended != streams:
        dataset.PixelData = encapsulate(mended)


def with_whole_scans(stream: bytes) -> bytes:
    """A sequential JPEG that says so in every scan: spectral selection 0 to 63 (ITU-T T.81, table B.3).

    Some writers of 12 bit JPEG leave those bytes zero, which strict decoders refuse. Other streams stay.
    """
    at, sequential = 2, False
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        sequential |= marker in _SEQUENTIAL
        if marker == _SOS:
            end = at + 2 + length
            return stream[: end - 3] + _WHOLE + stream[end:] if sequential else stream
        at += 2 + length
    return stream
