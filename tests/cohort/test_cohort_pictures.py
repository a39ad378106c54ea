import json

import pytest

from asclepius.cohort.folder import layout, walk
from asclepius.errors import StudyError


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "bmp"])
def test_a_folder_per_class(cohort, picture, tmp_path, ending):
    for name in ("ill/a", "ill/b", "well/deep/er/c"):
        picture(tmp_path / f"set/{name}.{ending}")
    found = cohort(path=tmp_path / "set")
    assert found.images["label"].tolist() == ["ill", "ill", "well"]
    assert found.images["official"].isna().all()
    assert found.images["patient"].tolist() == found.images["source"].tolist()
    assert json.loads(found.images["files"][0]) == [f"ill/a.{ending}"]


def test_sixteen_bits_pass(cohort, picture, tmp_path):
    picture(tmp_path / "set/a/1.png", 60000, bits=16)
    picture(tmp_path / "set/b/1.tif", 60000, bits=16)
    assert len(cohort(path=tmp_path / "set").images) == 2


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Training", "Testing"), ("TRAIN", "Test")])
def test_split_folders_are_the_official_split(train, test):
    official, classes = layout([f"{train}/ill/1.png", f"{test}/well/1.png", "Valid/ill/2.png"])
    assert official == ["train", "test", "validation"]
    assert classes == ["ill", "well", "ill"]


def test_a_file_beside_the_split_folders_has_no_class():
    official, classes = layout(["train/a/1.png", "test/b/1.png", "masks/a/1.png", "loose.png"])
    assert official == ["train", "test", None, None]
    assert classes == ["a", "b", None, None]


def test_a_class_named_like_a_split_stays_a_class():
    assert layout(["test/1.png", "ill/1.png"]) == ([None, None], ["test", "ill"])


def test_bad_files_are_set_aside_and_named_nowhere(cohort, picture, tmp_path, capsys):
    for number in range(20):
        picture(tmp_path / f"set/{'ab'[number % 2]}/{number}.png")
    (tmp_path / "set/a/Jane_Doe_empty.png").touch()
    (tmp_path / "set/a/Jane_Doe_text.jpg").write_text("hello")
    (tmp_path / "set/a/Jane_Doe.dcm").write_bytes(b"\0" * 200)
    (tmp_path / "set/Thumbs.db").write_bytes(b"x")
    (tmp_path / "set/.DS_Store").write_bytes(b"x")
    found = cohort(path=tmp_path / "set", max_rejected=0.2)
    assert found.reasons() == {"empty": 1, "unreadable": 1, "not-an-image": 1}
    assert "Doe" not in " ".join(found.rejected["sentence"]) + capsys.readouterr().out


def test_a_folder_outside_the_classes_is_not_named(cohort, picture, tmp_path):
    for name in ("a/1", "b/2", "Doe_Jane/3", "Doe_Jane/4"):
        picture(tmp_path / f"set/{name}.png")
    found = cohort(path=tmp_path / "set", labels={"classes": ["a", "b"]})
    assert found.rejected["sentence"].tolist() == ["a label outside labels.classes"] * 2


def test_too_many_failures_stop_the_study(cohort, picture, tmp_path):
    for number in range(8):
        picture(tmp_path / f"set/{'ab'[number % 2]}/{number}.png")
    (tmp_path / "set/a/empty.png").touch()
    with pytest.raises(StudyError, match=r"cohort: 1 of 9 images fail \(1 empty\)"):
        cohort(path=tmp_path / "set")
    assert len(cohort(path=tmp_path / "set", max_rejected=0.2).images) == 8


def test_names_in_another_encoding_survive(cohort, picture, tmp_path):
    picture(tmp_path / "set/b/x.png")
    odd = picture(tmp_path / "set/a/y.png")
    raw = bytes(odd.parent) + b"/\xd6\xd0.png"  # GB18030
    try:
        odd.rename(raw.decode("utf-8", "surrogateescape"))
    except OSError:
        pytest.skip("this file system holds UTF-8 names only")
    found = cohort(path=tmp_path / "set").images
    [name] = json.loads(found.loc[found["label"] == "a", "files"].iloc[0])
    assert (tmp_path / "set" / name).is_file()


def test_a_loop_of_links_ends(picture, tmp_path):
    picture(tmp_path / "set/a/1.png")
    (tmp_path / "set/a/again").symlink_to(tmp_path / "set")
    assert list(walk(tmp_path / "set")) == ["a/1.png"]


def test_a_file_under_two_patients_becomes_two_images(cohort, picture, table, tmp_path):
    for name in ("1", "2", "3"):
        picture(tmp_path / f"set/images/{name}.png")
    labels = table(
        tmp_path / "set/meta.csv",
        filename=["1.png", "2.png", "3.png", "1.png", "2.png"],
        patient=["A", "B", "C", "D", "B"],
        finding=["x", "y", "x", "x", "y"],
    )
    found = cohort(
        path=tmp_path / "set",
        images="images",
        patient="patient",
        labels={"path": labels, "match": "filename", "column": "finding"},
    ).images
    assert found[["source", "patient"]].to_numpy().tolist() == [
        ["1.png", "A"],
        ["1.png#2", "D"],
        ["2.png", "B"],
        ["3.png", "C"],
    ]
    assert found["files"].tolist()[:2] == ['["images/1.png"]'] * 2


def test_nothing_found_says_what_was_looked_for(cohort, tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(StudyError, match="looked for PNG, JPEG, TIFF or BMP"):
        cohort(path=tmp_path / "set")
    with pytest.raises(StudyError, match="does not exist"):
        cohort(path=tmp_path / "nowhere")
