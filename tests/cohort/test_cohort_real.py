"""The real sets, where they are."""

import json

import pytest


def test_pneumoniamnist(cohort, real_data):
    path = real_data / "pneumoniamnist/pneumoniamnist.npz"
    images = cohort(source="medmnist", path=path, labels={"classes": ["normal", "pneumonia"]}).images
    table = images.groupby(["official", "label"]).size().to_dict()
    assert table[("train", "normal")] == 1214
    assert table[("train", "pneumonia")] == 3494
    assert table[("validation", "normal")] == 135
    assert table[("test", "pneumonia")] == 390


def test_adrenalmnist3d(cohort, real_data):
    path = real_data / "adrenalmnist3d/adrenalmnist3d.npz"
    images = cohort(source="medmnist", unit="volume", path=path, labels={"classes": ["normal", "hyperplasia"]}).images
    assert images["label"].value_counts().to_dict() == {"normal": 1234, "hyperplasia": 350}


def test_mednist_subset(cohort, real_data):
    images = cohort(path=real_data / "mednist_subset").images
    assert images["label"].value_counts().to_dict() == dict.fromkeys(
        ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"], 200
    )


def test_brain_tumor_mri_2d(cohort, real_data):
    images = cohort(path=real_data / "brain_tumor_mri_2d").images
    table = images.groupby(["official", "label"]).size().to_dict()
    assert table[("train", "no_tumor")] == 53
    assert table[("test", "meningioma_tumor")] == 28
    assert len(images) == 459


def test_covid_chest_xray_has_files_of_two_patients(cohort, real_data):
    root = real_data / "covid_chest_xray"
    found = cohort(
        path=root,
        images="images",
        patient="patientid",
        age="age",
        sex="sex",
        visit="date",
        columns=["view"],
        where={"view": ["PA", "AP", "AP Supine", "L"]},
        labels={
            "path": root / "metadata.csv",
            "match": "filename",
            "column": "finding",
            "merge": {"covid": ["COVID-19", "COVID-19, ARDS"]},
        },
    )
    assert len(found.images) == 144
    assert found.images["patient"].nunique() == 72
    shared = found.images[found.images["files"].duplicated(keep=False)]
    assert len(shared) == 10
    assert set(shared["patient"]) == {"285", "287", "339", "340"}
    assert found.images["label"].value_counts()["covid"] == 67
    assert found.images["sex"].value_counts().to_dict() == {"M": 80, "F": 55}


def test_brain_tumor_mr_dicom(cohort, real_data, table, tmp_path):
    root = real_data / "brain_tumor_mr_dicom"
    names = ["FLAIRreg", "MaskTumor", "T1post"]
    labels = table(
        tmp_path / "t.csv", file=[f"PGBM-001/1991-11-19/{name}" for name in names], label=["image", "mask", "image"]
    )
    images = cohort(source="dicom", unit="volume", path=root, labels={"path": labels}).images
    assert [len(json.loads(cell)) for cell in images["files"]] == [25, 25, 25]
    assert images["label"].tolist() == ["image", "mask", "image"]
    assert images[["patient", "sex", "age", "modality"]].drop_duplicates().to_numpy().tolist() == [
        ["PGBM-001", "M", 51.0, "MR"]
    ]


def test_dicom_formats_end_in_a_manifest_or_a_reason(cohort, real_data):
    root = real_data / "dicom_formats"
    found = cohort(source="dicom", unit="image", path=root, max_rejected=1, labels={"classes": ["pydicom", "wg04"]})
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix not in (".md", ".txt"))
    named = set(found.images["source"]) | set(found.rejected["path"])
    silent = [path.name for path in files if str(path.relative_to(root)) not in named]
    assert len(silent) <= 1
    assert found.reasons()["not-an-image"] >= 70
    assert "pydicom/no_meta.dcm" in set(found.rejected.loc[found.rejected["reason"] == "unreadable", "path"])


def test_hippocampus_with_a_table(cohort, real_data, table, tmp_path):
    root = tmp_path / "Task04_Hippocampus"
    root.mkdir()
    names = sorted(path.name for path in (real_data / "hippocampus_msd/images").glob("*.nii.gz"))
    for theirs, ours in (("images", "imagesTr"), ("labels", "labelsTr")):
        (root / ours).symlink_to(real_data / "hippocampus_msd" / theirs)
    training = [{"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"} for name in names]
    (root / "dataset.json").write_text(json.dumps({"modality": {"0": "MRI"}, "training": training}))
    labels = table(tmp_path / "t.csv", file=names, label=["low", "high"] * 50)
    images = cohort(source="msd", unit="volume", path=root, labels={"path": labels}).images
    assert len(images) == 100
    assert images["mask"].notna().all()


@pytest.mark.parametrize("unit", ["volume", "slice"])
def test_faulty_series_pass_on_for_the_next_stage_to_judge(cohort, real_data, unit):
    folders = ["gantrytilting", "slicecount", "sliceincrement"]
    root = real_data / "dicom_faulty_series"
    images = cohort(source="dicom", unit=unit, path=root, labels={"classes": folders}).images
    assert len(images) == (3 if unit == "volume" else 10)
