"""Pixels that take the place of a file's own."""

from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import UID

from asclepius.deidentify.dicom.reading import Source
from asclepius.deidentify.pixels.raster import Written


@dataclass(frozen=True)
class NewPixels:
    """Pixels from which something was taken.

    Args:
        value: of the element, without delimiter.
        syntax: transfer syntax of the file that holds it.
        attributes: tag to VR and value of what must change with them.
        dropped: tags of what must go with the old ones.
        done: options carried out: "pixels", "faces".
        remarks: what the audit says of it.
    """

    value: bytes | memoryview
    encapsulated: bool
    syntax: str
    attributes: dict[int, tuple[str, bytes]]
    dropped: frozenset[int]
    done: frozenset[str]
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, written: Written, source: Source, done: frozenset[str], remarks: tuple[str, ...]) -> "NewPixels":
        """What a raster wrote, for this file."""
        order = "little" if source.coding.little else "big"
        attributes = {tag: (vr, _bytes(value, order)) for tag, (vr, value) in written.attributes.items()}
        return cls(written.value, written.encapsulated, written.syntax, attributes, written.dropped, done, remarks)

    def into(self, dataset: Dataset) -> None:
        """Make a data set hold these pixels, for what is to be taken from them next."""
        dataset.file_meta.TransferSyntaxUID = UID(self.syntax)
        dataset.PixelData = bytes(self.value)
        dataset["PixelData"].is_undefined_length = self.encapsulated
        for tag, (vr, value) in self.attributes.items():
            dataset.add_new(tag, vr, int.from_bytes(value, "little") if vr == "US" else value.decode("ascii"))


def _bytes(value: bytes | int | str, order: str) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(2, order)
    return value if isinstance(value, bytes) else value.encode("ascii")
