"""DICOM files of one series, quickly: what all of them share is encoded once."""

from pydicom import Dataset
from pydicom.charset import convert_encodings
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr, write_dataset, write_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian

# In the order of their tags: between two of them lies a run of elements that no file changes.
CHANGING = (
    "SOPInstanceUID",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceLocation",
    "PixelData",
)

PREAMBLE = bytes(128) + b"DICM"


class SeriesEncoder:
    """Encodes the objects of a series in Explicit VR Little Endian (DICOM PS3.10).

    Args:
        header: the elements of every object; those of `CHANGING` are taken from each call instead.
    """

    def __init__(self, header: Dataset):
        self._charset = convert_encodings(header.get("SpecificCharacterSet"))
        self._class = header.SOPClassUID
        shared = correct_ambiguous_vr(header, True)
        runs: dict[int, Dataset] = {}
        bounds = sorted(_tag(name) for name in CHANGING)
        for element in shared:
            if element.keyword not in CHANGING:
                runs.setdefault(sum(element.tag > bound for bound in bounds), Dataset()).add(element)
        self._runs = {place: self._encoded(run) for place, run in runs.items()}

    def encode(self, **elements: object) -> bytes:
        """A file with these elements, named by keyword, on top of the shared ones.

        Raises:
            KeyError: an element is not one of `CHANGING`.
        """
        unknown = elements.keys() - set(CHANGING)
        if unknown:
            raise KeyError(f"shared by all files of a series, set it in the header: {sorted(unknown)}")
        parts = [self._meta(str(elements["SOPInstanceUID"])), self._runs.get(0, b"")]
        for place, name in enumerate(sorted(CHANGING, key=_tag), start=1):
            if name in elements:
                single = Dataset()
                setattr(single, name, elements[name])
                if name == "PixelData":
                    single[name].VR = "OW"
                parts.append(self._encoded(single))
            parts.append(self._runs.get(place, b""))
        return b"".join(parts)

    def _encoded(self, part: Dataset) -> bytes:
        stream = DicomBytesIO()
        stream.is_little_endian, stream.is_implicit_VR = True, False
        write_dataset(stream, part, self._charset)
        return stream.getvalue()

    def _meta(self, instance: str) -> bytes:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = self._class
        meta.MediaStorageSOPInstanceUID = instance
        stream = DicomBytesIO()
        write_file_meta_info(stream, meta, enforce_standard=True)
        return PREAMBLE + stream.getvalue()


def _tag(name: str) -> int:
    return tag_for_keyword(name) or 0
