"""DICOM files of one patient after the other: read, learnt from, cleaned."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial

from asclepius.deidentify.buffers import Buffer
from asclepius.deidentify.dicom import burned_in, reading
from asclepius.deidentify.dicom.defacing import Faces
from asclepius.deidentify.dicom.harvest import learn
from asclepius.deidentify.dicom.reading import Source
from asclepius.deidentify.dicom.rewriting import Written, rewrite
from asclepius.deidentify.patient import Patient
from asclepius.deidentify.proof.dicom import prove_and_reread
from asclepius.deidentify.settings import DeidentifySettings

Opens = Callable[[], AbstractContextManager[Buffer]]


class DicomCleaner:
    """Cleans DICOM files; what it keeps of the file before makes the next one quick.

    Args:
        settings: of the stage.
    """

    def __init__(self, settings: DeidentifySettings):
        self._settings = settings
        self._faces: Faces | None = None  # of the patient at hand
        self.last: Source | None = None  # the file read last

    def start(self, files: Iterable[Opens]) -> None:
        """Look for faces in the files of the next patient, if they are to go."""
        self._faces = None
        if "faces" in self._settings.active:
            self._faces = Faces()
            self._faces.find(files)

    def read(self, data: Buffer, patient: Patient) -> tuple[Source, bool]:
        """A file taken apart, and whether it told something new of its patient.

        Raises:
            Rejected: it cannot be used.
        """
        self.last = reading.read(data, self.last)
        return self.last, learn(self.last, patient)

    def clean(
        self, source: Source, patient: Patient, fallback: str, *, drawn: bool = False
    ) -> tuple[Written, Callable[[Buffer], None]]:
        """A file without identity, and the proof that what was written of it must stand.

        Args:
            fallback: stands in for a missing SOP instance UID.
            drawn: a mask: often a secondary capture, never one with a name in its pixels.

        Raises:
            Rejected: it cannot be cleaned.
        """
        new = burned_in.clean(source, self._settings) if source.pixels is not None and not drawn else None
        if self._faces is not None and not drawn:
            new = self._faces.clean(source, new)
        written = rewrite(source, patient, fallback, new)
        series = source.text(0x0020000E)
        return written, partial(prove_and_reread, patient=patient, pixels=written.pixels, series=series)

    def mask(self, source: Source) -> bytes | None:
        """What was blanked of a file's whole head series, as NIfTI (.nii.gz); None if nothing was."""
        return self._faces.mask(source) if self._faces is not None else None


def learn_from(data: Buffer, patient: Patient) -> None:
    """Harvest a file before any file of the patient is released.

    Raises:
        Rejected: it cannot be used.
    """
    learn(reading.read(data), patient)
