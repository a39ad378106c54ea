import io
import json
import re
import stat
import zipfile

import numpy as np
import pandas as pd
import pydicom
import pytest
from deidentify_cases import Stage, ct, encoded, row
from PIL import Image

from asclepius import keys, tables
from asclepius.deidentify.crosswalk import Crosswalk
from asclepius.deidentify.pseudonyms import Pseudonyms
from asclepius.deidentify.release import Container
from asclepius.deidentify.schema import MANIFEST
from asclepius.errors import StudyError


def write(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return name


@pytest.fixture
def raw(tmp_path):
    """Two visits of one patient (the later one listed first), a picture with a mask, and three damaged images."""
    root = tmp_path / "raw"
    series = {
        "gruenwald/b": [ct(i, day="20220506") for i in (1, 2, 3)],
        "gruenwald/a": [ct(i) for i in (1, 2)],
    }
    rows = []
    for (source, slices), visit in zip(series.items(), ("2022", "2021"), strict=True):
        files = [write(root, f"{source}/{i}.dcm", encoded(d)) for i, d in enumerate(slices)]
        rows.append(row(source, root, files, visit=visit, date=f"{visit}-01-01", age=93.0, x_view="axial"))
    buffer = io.BytesIO()
    Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(buffer, "PNG")
    picture = write(root, "pics/meyer.png", buffer.getvalue())
    rows.append(row("pics/meyer.png", root, [picture], format="picture", patient="meyer", mask=picture, x_view=None))
    for name, data in (("cut", encoded(ct())[:-50]), ("empty", b""), ("text", b"hello" * 100)):
        rows.append(row(name, root, [write(root, name, data)], patient="broken", x_view=None))
    rows.append(row("gone", root, ["gone.dcm"], patient="broken", x_view=None))
    return rows


def test_a_shard_from_raw_files_to_a_container(tmp_path, raw):
    stage = Stage(tmp_path).run(raw)
    table = tables.read(stage.out["table"], MANIFEST).set_index("x_view")
    scans = tables.read(stage.out["table"], MANIFEST)
    scans = scans[scans["format"] == "dicom"]
    assert list(scans["visit"]) == [2, 1]
    assert set(scans["age"]) == {89.0}
    assert scans["patient"].nunique() == 1
    assert re.fullmatch(r"S-[0-9a-f]{4}", scans["site"].iloc[0])
    assert "axial" in table.index
    reasons = dict(zip(*(stage.frame("quarantine")[name] for name in ("image", "reason")), strict=True))
    image = Pseudonyms(keys.DEMONSTRATION).image
    assert reasons == {
        image("cut"): "truncated",
        image("empty"): "empty",
        image("text"): "unreadable",
        image("gone"): "unreadable",
    }
    with zipfile.ZipFile(stage.out["release"]) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert all(re.fullmatch(r"[0-9a-f]{16}/(\d{5}|mask)\.(dcm|png)", name) for name in names)
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        for _, found in scans.iterrows():
            members = json.loads(found["member"])
            numbers = [pydicom.dcmread(io.BytesIO(archive.read(name))).InstanceNumber for name in members]
            assert numbers == list(range(1, len(members) + 1))
        picture = tables.read(stage.out["table"], MANIFEST).query("format == 'picture'").iloc[0]
        assert archive.read(picture["mask"])
        assert set(names) == {
            m for text in tables.read(stage.out["table"], MANIFEST)["member"] for m in json.loads(text)
        } | {picture["mask"]}


def test_nothing_written_names_a_patient(tmp_path, raw):
    stage = Stage(tmp_path).run(raw)
    paths = stage.gather([item["source"] for item in raw])
    written = b"".join(stage.out["release"].read_bytes().split())
    written += "".join(stage.frame(name).to_csv() for name in ("table", "quarantine", "audit")).encode()
    written += pd.read_parquet(paths["manifest"]).to_csv().encode() + paths["audit"].read_bytes()
    for secret in (b"gruenwald", "grünwald".encode(), b"778899", b"meyer", b"20210304", b"elsewhere", b"zweistein"):
        assert secret not in written.lower().replace(str(tmp_path).encode().lower(), b""), secret


def test_crosswalk_is_private_encrypted_and_complete(tmp_path, raw):
    stage = Stage(tmp_path).run(raw)
    path = stage.out["crosswalk"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"meyer" not in path.read_bytes()
    rows = list(Crosswalk(path, keys.DEMONSTRATION).rows())
    assert {old for kind, old, _ in rows if kind == "image"} == {item["source"] for item in raw}
    assert {old for kind, old, _ in rows if kind == "patient"} == {"PID-778899", "meyer", "broken"}
    assert ct(1).SOPInstanceUID in {old for kind, old, _ in rows if kind == "uid"}
    with pytest.raises(StudyError, match="key is of another study"):
        list(Crosswalk(path, b"x" * 32).rows())


def test_no_crosswalk_where_none_is_wanted(tmp_path, raw):
    stage = Stage(tmp_path, crosswalk=False).run(raw)
    assert list(Crosswalk(stage.out["crosswalk"], keys.DEMONSTRATION).rows()) == []


def test_a_frame_of_the_crosswalk_cannot_be_dropped_or_moved(tmp_path):
    one = Crosswalk(tmp_path / "one.bin", b"k" * 32)
    for name in ("first", "second"):
        one.append([("patient", name, "P-1")])
    data = one.path.read_bytes()
    begin = data.index(b"\n") + 1
    end = begin + 16 + int.from_bytes(data[begin : begin + 4], "big")
    for changed in (data[:begin] + data[end:], data[:begin] + data[end:] + data[begin:end], data[:-1]):
        one.path.write_bytes(changed)
        with pytest.raises(StudyError, match="changed"):
            list(Crosswalk(one.path, b"k" * 32).rows())


def test_audit_has_a_row_per_image_tag_and_action(tmp_path, raw):
    frame = Stage(tmp_path).run(raw).frame("audit")
    assert not frame.duplicated(["image", "file", "tag", "action"]).any()
    names = frame[frame["keyword"] == "PatientName"]
    assert sorted(names["count"]) == [2, 3]
    assert set(frame["action"]) <= {"X", "Z", "D", "U", "C"}


def test_same_key_same_bytes_other_key_unlinkable(tmp_path, raw):
    def all_bytes(name, key=None):
        folder = tmp_path / name
        folder.mkdir()
        stage = Stage(folder, key).run(raw)
        return stage, stage.out["release"].read_bytes()

    key = tmp_path / "other.key"
    keys.ensure(key)
    (one, first), (_, second), (other, third) = all_bytes("a"), all_bytes("b"), all_bytes("c", key)
    assert first == second
    assert first != third
    for column in ("image", "patient", "site"):
        assert not set(one.frame("table")[column]) & set(other.frame("table")[column]), column
    orders = []
    for stage in (one, other):
        gathered = stage.gather([item["source"] for item in raw])
        frame = pd.read_parquet(gathered["manifest"])
        assert list(frame["position"]) == [0, 1, 2]
        orders.append(list(frame["format"] + frame["visit"].astype(str)))
        assert list(pd.read_parquet(gathered["quarantine"])["reason"]) == [
            "truncated", "empty", "unreadable", "unreadable"
        ]  # fmt: skip
        assert "PatientName" in gathered["audit"].read_text()
    assert orders[0] == orders[1]


def test_a_name_told_late_is_taken_out_of_earlier_files(tmp_path):
    first, second, third = ct(1), ct(2), ct(3)
    first.Manufacturer = "Scanner of Dr Quatermass"
    third.PerformingPhysicianName = "Quatermass^Bernard"
    files = [write(tmp_path / "raw", f"{i}.dcm", encoded(d)) for i, d in enumerate((first, second, third))]
    stage = Stage(tmp_path).run([row("one", tmp_path / "raw", files)])
    with zipfile.ZipFile(stage.out["release"]) as archive:
        assert archive.testzip() is None
        slices = [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()]
    assert [d.Manufacturer for d in slices] == ["ANONYMIZED", "Acme", "Acme"]


def test_gather_takes_in_what_the_cohort_stage_rejected(tmp_path, raw):
    stage = Stage(tmp_path).run(raw)
    rejected = [
        {
            "source": "x/johndoe.dcm",
            "path": "x/johndoe.dcm",
            "patient": "johndoe",
            "reason": "wrong-modality",
            "sentence": "an MR",
        },
        {"source": "y.dcm", "path": "y.dcm", "patient": None, "reason": "unreadable", "sentence": "no header"},
    ]
    frame = pd.read_parquet(stage.gather([item["source"] for item in raw], rejected)["quarantine"])
    assert list(frame["stage"]) == ["cohort"] * 2 + ["deidentify"] * 4
    assert frame["patient"].iloc[0] == Pseudonyms(keys.DEMONSTRATION).patient("johndoe")
    assert "johndoe" not in frame.to_csv()


def test_gather_refuses_shards_of_another_cohort(tmp_path, raw):
    stage = Stage(tmp_path).run(raw)
    with pytest.raises(StudyError, match="key changed"):
        stage.gather([item["source"] for item in raw] + ["never seen"])
    with pytest.raises(StudyError, match="key changed"):
        stage.gather([item["source"] for item in raw][1:])


def test_arrays_without_identity_pass_as_views(tmp_path):
    file = tmp_path / "set.npz"
    np.savez(file, train_images=np.zeros((2, 4, 4), np.uint8))
    rows = [
        row(f"train/{i}", file, [], format="npz", member="train_images", row=i, patient=f"train/{i}") for i in range(2)
    ]
    table = tables.read(Stage(tmp_path).run(rows).out["table"], MANIFEST)
    assert list(table["path"]) == [str(file)] * 2
    assert list(table["member"]) == ["train_images"] * 2
    assert sorted(table["row"]) == [0, 1]


def test_an_image_that_fails_midway_leaves_no_byte_behind(tmp_path):
    good = write(tmp_path / "raw", "good.dcm", encoded(ct()))
    cut = write(tmp_path / "raw", "cut.dcm", encoded(ct(2))[:-9])
    sound, broken = row("a", tmp_path / "raw", [good]), row("b", tmp_path / "raw", [good, good, cut])
    alone = Stage(tmp_path).run([sound]).out["release"].read_bytes()
    both = Stage(tmp_path).run([sound, broken])
    assert len(both.frame("quarantine")) == 1
    assert both.out["release"].read_bytes() == alone


def test_an_empty_shard_writes_valid_empty_files(tmp_path):
    stage = Stage(tmp_path).run([])
    assert len(tables.read(stage.out["table"], MANIFEST)) == 0
    assert zipfile.ZipFile(stage.out["release"]).namelist() == []
    manifest = stage.gather([])["manifest"]
    assert len(tables.read(manifest, MANIFEST)) == 0


def test_burned_in_text_is_quarantined_unless_told_otherwise(tmp_path):
    source = ct()
    source.BurnedInAnnotation = "YES"
    files = [write(tmp_path / "raw", "1.dcm", encoded(source))]
    for setting, count in (("quarantine", 0), ("keep", 1)):
        stage = Stage(tmp_path, burned_in_text=setting, options=["modified_dates"]).run(
            [row("one", tmp_path / "raw", files)]
        )
        assert len(stage.frame("table")) == count


def test_a_missing_source_stops_the_study(tmp_path):
    with pytest.raises(StudyError, match="gone"):
        Stage(tmp_path).run([row("one", tmp_path / "nowhere", ["1.dcm"])])


def test_a_failure_leaves_no_half_written_container(tmp_path):
    def crash():
        with Container.writing(tmp_path / "release.zip") as release:
            release.add("a/0.dcm", [b"half"], lambda _: None)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()
    assert list(tmp_path.iterdir()) == []


def test_visits_are_numbered_by_date_then_name(tmp_path):
    files = [write(tmp_path / "raw", "1.dcm", encoded(ct()))]
    visits = ["ses-10", "ses-2", "later"]
    rows = [row(v, tmp_path / "raw", files, visit=v, date="2030-01-01" if v == "later" else None) for v in visits]
    assert list(Stage(tmp_path).run(rows).frame("table")["visit"]) == [2, 1, 3]
