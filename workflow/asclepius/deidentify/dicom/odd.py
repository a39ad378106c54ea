"""Files that follow PS3.5 loosely: pydicom reads and writes them once, so that the engine meets plain bytes."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from pydicom import config
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.filereader import read_partial
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from asclepius.errors import Rejected

_LAST = 0x7FE00010


@contextmanager
def quiet() -> Iterator[None]:
    """pydicom neither warns nor refuses while the block runs: its messages quote values."""
    before, logger = config.settings.reading_validation_mode, logging.getLogger("pydicom")
    writing, silent = config.settings.writing_validation_mode, logger.disabled
    config.settings.reading_validation_mode = config.settings.writing_validation_mode = config.IGNORE
    logger.disabled = True  # not its level: that empties the caches of all loggers
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        config.settings.reading_validation_mode = before
        config.settings.writing_validation_mode = writing
        logger.disabled = silent


def normalised(data: bytes) -> bytes:
    """The file as pydicom writes it, up to its pixels.

    Raises:
        Rejected: pydicom cannot read or write it either.
    """
    try:
        with quiet():
            dataset = read_partial(BytesIO(data), stop_when=_after_pixels, force=True)
            if not len(dataset):
                raise Rejected("unreadable", "no DICOM element found; is it a DICOM file?")
            _complete(dataset)
            buffer = BytesIO()
            dcmwrite(buffer, dataset, enforce_file_format=False)
            return buffer.getvalue()
    except Rejected:
        raise
    except RecursionError:
        raise Rejected("unreadable", "sequences are nested too deep") from None
    except Exception:  # a damaged header makes pydicom raise nearly anything
        raise Rejected("unreadable", "the DICOM header cannot be parsed; is it a DICOM file?") from None


def _complete(dataset: FileDataset) -> None:
    """The transfer syntax that the bytes were read with, where the file does not state one."""
    if not hasattr(dataset, "file_meta") or dataset.file_meta is None:
        dataset.file_meta = FileMetaDataset()
    if not dataset.file_meta.get("TransferSyntaxUID"):
        implicit, little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        )
    if dataset.preamble is None:
        dataset.preamble = b"\0" * 128


def _after_pixels(tag: int, _vr: str | None, _length: int) -> bool:
    return tag > _LAST
