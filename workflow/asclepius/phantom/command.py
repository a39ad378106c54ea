"""The phantom stage: a simulated cohort as a hospital would export it."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np

from asclepius.phantom import dicom, nodules, patients, scanner, vessels
from asclepius.phantom.anatomy import Chest
from asclepius.phantom.patients import Patient, Visit
from asclepius.phantom.private import PrivateFolder
from asclepius.phantom.scanner import Scan
from asclepius.phantom.settings import PhantomSettings
from asclepius.provenance import write_json

COLUMNS = (
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "StudyDate",
    "site",
    "age",
    "sex",
    "diagnosis",
    "mask",
    "boxes",
)
SICK, HEALTHY = "nodule", "healthy"
GROWTH = (1.08, 1.3)  # of a nodule's diameter from the first visit to the second
CUT = 0.55  # share of the pixels that a truncated file still holds
PROGRESS = 30  # patients between two lines of the log


def run(*, settings: PhantomSettings, out: Path) -> None:
    """Write a simulated chest-CT cohort as DICOM, with labels, masks and planted identifiers.

    The same settings give the same bytes. `out` is made, or must be empty; only its owner can read it.
    """
    folder = PrivateFolder(out)
    cohort = patients.enrol(settings)
    rows = []
    for done, patient in enumerate(cohort, start=1):
        for visit, scan in zip(patient.visits, _scans(settings, patient), strict=True):
            mask = _write_mask(folder, settings.seed, patient, visit, scan)
            _write_study(folder, settings.seed, patient, visit, scan)
            rows.append(_row(settings.seed, patient, visit, scan, mask))
        if done % PROGRESS == 0 or done == len(cohort):
            print(f"{done} of {len(cohort)} patients scanned")
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["StudyInstanceUID"]))
    folder.write("labels.csv", table.getvalue().encode())
    folder.write("identifiers.json", write_json(planted(settings.seed, cohort)).encode())
    sick = sum(patient.sick for patient in cohort)
    print(f"{len(rows)} CT series of {len(cohort)} patients, {sick} of them with nodules")


def planted(seed: int, cohort: list[Patient]) -> dict[str, list[str]]:
    """Everything in the cohort that names a person, a visit or a place, by kind.

    The UID of an instance begins with its series' UID, so it is not listed by itself.
    """
    found: dict[str, set[str]] = {
        kind: set() for kind in ("names", "ids", "dates", "accessions", "phones", "addresses", "uids", "places")
    }
    for patient in cohort:
        site = patient.site
        found["names"].update(patient.name.forms(), (patient.physician, patient.physician.split("^")[0]))
        found["ids"].add(patient.identifier)
        found["dates"].add(f"{patient.born:%Y%m%d}")
        found["phones"].add(patient.phone)
        found["addresses"].update((patient.address, site.address))
        found["places"].update((site.name, site.institution))
        for visit in patient.visits:
            found["dates"].add(f"{visit.day:%Y%m%d}")
            found["accessions"].add(visit.accession)
            series = ["study", "series", "frame"]
            series += ["localiser", "localiser frame"] * visit.faults.localiser + ["dose"] * visit.faults.dose_page
            found["uids"].update(dicom.uid(seed, what, patient, visit) for what in series)
    return {kind: sorted(values) for kind, values in found.items()}


def _scans(settings: PhantomSettings, patient: Patient) -> Iterator[Scan]:
    """A scan per visit: the same chest and nodules, which grow; position and noise are new each time."""
    rng = np.random.default_rng([settings.seed, 1, patient.number])
    chest = Chest.draw(rng, patient.sex, patient.age(patient.visits[0].day))
    tree = vessels.tree(rng, chest)
    scars = nodules.granulomas(rng, chest)
    disease = nodules.draw(rng, chest, settings.difficulty) if patient.sick else []
    for _ in patient.visits:
        grid, pose = scanner.position(rng, patient.site.scanner, settings.matrix)
        yield scanner.scan(rng, patient.site.scanner, grid, pose, chest, tree, disease, scars)
        factor = float(rng.uniform(*GROWTH))
        disease = [nodule.grown(factor) for nodule in disease]


def _write_mask(folder: PrivateFolder, seed: int, patient: Patient, visit: Visit, scan: Scan) -> str:
    """The nodules as NIfTI; empty text for the healthy."""
    if not patient.sick:
        return ""
    name = f"masks/{dicom.uid(seed, 'series', patient, visit)}.nii.gz"
    image = nibabel.Nifti1Image(scan.mask.transpose(2, 1, 0).astype(np.uint8), scan.grid.affine())
    image.header.set_xyzt_units("mm")
    image.set_sform(scan.grid.affine(), code="scanner")
    image.set_qform(scan.grid.affine(), code="scanner")
    folder.write(name, gzip.compress(image.to_bytes(), compresslevel=6, mtime=0))
    return name


def _write_study(folder: PrivateFolder, seed: int, patient: Patient, visit: Visit, scan: Scan) -> None:
    faults = visit.faults
    rng = np.random.default_rng([seed, 2, patient.number, patient.visits.index(visit)])
    files = list(dicom.ct_series(seed, patient, visit, scan))
    names = [f"IM{number:05d}.dcm" for number in 1 + rng.permutation(len(files))]
    series = dict(zip(names, files, strict=True))
    if faults.missing:
        first = (len(files) - faults.missing) // 2
        for name in names[first : first + faults.missing]:
            del series[name]
    if faults.truncated:
        cut = names[len(names) // 2]
        pixels = scan.hu[0].nbytes
        series[cut] = series[cut][: -int((1 - CUT) * pixels)]
    study = (
        f"images/{patient.site.name}/{patient.name.folder}_{patient.identifier}/"
        f"{visit.day:%Y%m%d}_{visit.accession}_CT-Thorax"
    )
    title = f"S002_Thorax_{patient.site.scanner.kernel}"
    for copy in [title, f"{title} (1)"][: 1 + faults.copied]:
        for name, data in series.items():
            folder.write(f"{study}/{copy}/{name}", data)
    if faults.localiser:
        for number, data in enumerate(dicom.mr_localiser(seed, patient, visit, scan), start=1):
            folder.write(f"{study}/S001_localizer/IM{number:05d}.dcm", data)
    if faults.dose_page:
        folder.write(f"{study}/S999_Dose_Report/IM00001.dcm", dicom.dose_page(seed, patient, visit))


def _row(seed: int, patient: Patient, visit: Visit, scan: Scan, mask: str) -> dict[str, str | int]:
    return {
        "PatientID": patient.identifier,
        "StudyInstanceUID": dicom.uid(seed, "study", patient, visit),
        "SeriesInstanceUID": dicom.uid(seed, "series", patient, visit),
        "StudyDate": f"{visit.day:%Y%m%d}",
        "site": patient.site.name,
        "age": patient.age(visit.day),
        "sex": patient.sex,
        "diagnosis": SICK if patient.sick else HEALTHY,
        "mask": mask,
        "boxes": json.dumps(scan.boxes) if patient.sick else "",
    }
