import gzip
import json

import nibabel
import numpy as np
import pytest

from asclepius.cohort.nifti import check
from asclepius.errors import Rejected, StudyError


def volume(path, shape=(4, 5, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, dtype=np.int16), np.eye(4)), path)
    return path


@pytest.fixture
def bids(tmp_path, table):
    root = tmp_path / "bids"
    for subject in ("01", "02"):
        for session in ("a", "b"):
            for kind in ("T1w", "T2w"):
                name = f"sub-{subject}_ses-{session}_{kind}"
                volume(root / f"sub-{subject}/ses-{session}/anat/{name}.nii.gz")
    side = root / "sub-01/ses-a/anat/sub-01_ses-a_T1w.json"
    side.write_text(json.dumps({"Manufacturer": "Maker", "ManufacturersModelName": "3T", "InstitutionName": "North"}))
    volume(root / "sub-01/ses-a/func/sub-01_ses-a_bold.nii.gz", (4, 4, 4, 3))
    volume(root / "derivatives/x/sub-01/anat/sub-01_T1w.nii.gz")
    table(
        root / "participants.tsv",
        participant_id=["sub-01", "02"],
        age=["61", "n/a"],
        sex=["F", "male"],
        group=["a", "b"],
    )
    return root


def test_bids_brings_its_own_table(cohort, bids):
    found = cohort(source="nifti", unit="volume", path=bids, modality=["T1w"], labels={"column": "group"})
    images = found.images
    assert images["patient"].tolist() == ["sub-01", "sub-01", "sub-02", "sub-02"]
    assert images["visit"].tolist() == ["ses-a", "ses-b"] * 2
    assert images["label"].tolist() == ["a", "a", "b", "b"]
    assert images["age"].tolist()[:2] == [61.0, 61.0]
    assert images["age"].isna().tolist() == [False, False, True, True]
    assert images["sex"].tolist() == ["F", "F", "M", "M"]
    assert (images["scanner"][0], images["site"][0], images["modality"][0]) == ("Maker 3T", "North", "T1w")
    assert found.reasons() == {"wrong-modality": 4, "not-an-image": 1}


def test_a_label_per_visit_meets_its_session(cohort, bids, table, tmp_path):
    labels = table(
        tmp_path / "l.csv", who=["01", "01", "02", "02"], when=["a", "b", "a", "ses-b"], dx=["n", "y", "n", "n"]
    )
    images = cohort(
        source="nifti",
        unit="volume",
        path=bids,
        modality=["T1w"],
        visit="when",
        max_rejected=0.5,
        labels={"path": labels, "key": "patient", "match": "who", "column": "dx", "per": "visit"},
    ).images
    assert images["label"].tolist() == ["n", "y", "n", "n"]


def test_a_plain_folder_with_a_table(cohort, table, tmp_path):
    for name in ("x", "y"):
        volume(tmp_path / f"set/scans/{name}.nii.gz")
    labels = table(tmp_path / "l.csv", file=["x", "scans/y.nii.gz"], label=["a", "b"])
    images = cohort(source="nifti", unit="volume", path=tmp_path / "set", labels={"path": labels}).images
    assert images["label"].tolist() == ["a", "b"]
    assert images["patient"].tolist() == images["source"].tolist()


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("empty", lambda data: b""),
        ("truncated", lambda data: data[:300]),
        ("truncated", lambda data: data[:400]),
        ("unreadable", lambda data: b"\0" * 400),
        ("wrong-shape", lambda data: data[:40] + b"\7\0" + data[42:]),
    ],
)
def test_damaged_headers_are_told_apart(tmp_path, reason, change):
    path = volume(tmp_path / "x.nii")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Rejected) as caught:
        check(path)
    assert caught.value.reason == reason


def test_a_compressed_file_cut_in_its_header_is_truncated(tmp_path):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(volume(tmp_path / "y.nii").read_bytes())[:25])
    with pytest.raises(Rejected, match="truncated"):
        check(path)


def test_msd_needs_class_labels_and_gives_masks(cohort, table, tmp_path):
    root = tmp_path / "Task"
    for name in ("h_1", "h_2"):
        volume(root / f"imagesTr/{name}.nii.gz")
        volume(root / f"labelsTr/{name}.nii.gz")
    volume(root / "imagesTs/h_3.nii.gz")
    training = [{"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"} for n in ("h_2", "h_1")]
    described = {"modality": {"0": "MRI"}, "training": training, "test": ["./imagesTs/h_3.nii.gz"]}
    (root / "dataset.json").write_text(json.dumps(described))
    with pytest.raises(StudyError, match="masks but no class labels"):
        cohort(source="msd", unit="volume", path=root)
    labels = table(tmp_path / "l.csv", file=["h_1", "h_2"], label=["a", "b"])
    images = cohort(source="msd", unit="volume", path=root, labels={"path": labels}).images
    assert images["mask"].tolist() == ["labelsTr/h_1.nii.gz", "labelsTr/h_2.nii.gz"]
    assert images["label"].tolist() == ["a", "b"]
    assert (images["modality"][0], images["official"][0]) == ("MRI", "train")


def test_sequences_of_a_visit_become_one_image(cohort, bids):
    (bids / "sub-02/ses-b/anat/sub-02_ses-b_T2w.nii.gz").unlink()
    volume(bids / "sub-01/ses-a/anat/sub-01_ses-a_run-2_T2w.nii.gz")
    volume(bids / "sub-01/ses-a/anat/sub-01_ses-a_FLAIR.nii.gz")
    found = cohort(
        source="nifti", unit="volume", path=bids, sequences=["T2w", "T1w"], labels={"column": "group"}, max_rejected=0.5
    )
    assert found.images["source"].tolist() == ["sub-01/ses-a", "sub-01/ses-b", "sub-02/ses-a"]
    assert found.images["label"].tolist() == ["a", "a", "b"]
    for files in found.images["files"]:
        first, second = json.loads(files)
        assert first.endswith("T2w.nii.gz")
        assert second.endswith("T1w.nii.gz")
    sentences = sorted(found.rejected["sentence"])
    assert "a visit without T2w; complete it or leave it out" in sentences
    assert "none of cohort.sequences" in sentences
    assert "a second T2w of one visit" in sentences


def test_sequences_of_a_plain_folder(cohort, tmp_path, table):
    for name in ("T1_reg", "T1POST_reg", "FLAIR_reg", "GOLD_reg"):
        for patient in ("p7", "p8"):
            volume(tmp_path / "scans" / patient / f"{name}.nii.gz")
    masks = ["p7/GOLD_reg.nii.gz", "p8/GOLD_reg.nii.gz"]
    labels = table(tmp_path / "labels.csv", id=["p7", "p8"], label=["a", "b"], mask=masks)
    found = cohort(
        source="nifti", unit="volume", path=tmp_path / "scans", sequences=["FLAIR", "T1", "T1POST"],
        labels={"path": labels, "match": "id"}, mask="mask",
    )  # fmt: skip
    assert json.loads(found.images.loc[0, "files"]) == [f"p7/{name}_reg.nii.gz" for name in ("FLAIR", "T1", "T1POST")]
    assert found.images.loc[0, "mask"] == "p7/GOLD_reg.nii.gz"
    assert set(found.rejected["sentence"]) == {"none of cohort.sequences"}


def test_sequences_are_for_nifti_and_distinct():
    from asclepius.cohort.settings import CohortSettings

    for given in ({"source": "images", "sequences": ["a", "b"]}, {"source": "nifti", "sequences": ["a", "a"]}):
        with pytest.raises(ValueError, match="for source nifti, two or more, each once"):
            CohortSettings(**given)
