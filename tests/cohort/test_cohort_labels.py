import pytest

from asclepius.cohort.labels import check_columns
from asclepius.cohort.settings import SourceSettings
from asclepius.errors import StudyError


@pytest.fixture
def pictures(picture, tmp_path):
    for name in "abcdef":
        picture(tmp_path / f"set/{name}.png")
    return tmp_path / "set"


def test_a_missing_column_is_named_with_the_nearest(table, tmp_path):
    path = table(tmp_path / "t.csv", file=["a"], finding=["x"], patientid=["1"])
    source = SourceSettings(path=tmp_path, patient="patient_id", labels={"path": path, "column": "finding"})
    with pytest.raises(StudyError, match=r"cohort\.patient: .* no column 'patient_id'; did you mean 'patientid'\?"):
        check_columns(source, "cohort")
    check_columns(source.model_copy(update={"patient": "patientid"}), "cohort")


@pytest.mark.parametrize("option", ["visit", "site", "age", "sex", "mask", "boxes", "official"])
def test_every_column_option_is_checked(table, tmp_path, option):
    path = table(tmp_path / "t.csv", file=["a"], label=["x"])
    with pytest.raises(StudyError, match=rf"outer\.{option}: "):
        check_columns(SourceSettings(path=tmp_path, labels={"path": path}, **{option: "gone"}), "outer")
    with pytest.raises(StudyError, match="no table"):
        check_columns(SourceSettings(path=tmp_path, **{option: "gone"}), "outer")


def test_extra_and_filter_columns_are_checked(table, tmp_path):
    path = table(tmp_path / "t.tsv", file=["a"], label=["x"])
    for change in ({"columns": ["view"]}, {"where": {"view": ["PA"]}}):
        with pytest.raises(StudyError, match="'view'"):
            check_columns(SourceSettings(path=tmp_path, labels={"path": path}, **change), "cohort")


def test_reading_goes_from_table_to_manifest(cohort, pictures, table, tmp_path):
    labels = table(
        tmp_path / "t.csv",
        name=["a.png", "b", "set/c.png", "d.png", "e.png", "gone.png"],
        dx=["ill", "Ill", "well", "odd", "well", "ill"],
        view=["PA", "PA", "PA", "PA", "L", "PA"],
        years=["060Y", "45", "411Y", "1", "1", "1"],
        gender=["male", "f", "1", "2", "M", "M"],
        day=["2020-01-31", "20200131", "May 10, 2015", "", "", ""],
    )
    found = cohort(
        path=pictures,
        age="years",
        sex="gender",
        visit="day",
        columns=["view"],
        where={"view": ["PA"]},
        max_rejected=0.5,
        labels={
            "path": labels,
            "match": "name",
            "column": "dx",
            "classes": ["well", "ill"],
            "merge": {"ill": ["ill", "Ill"]},
        },
    )
    images = found.images
    assert images["label"].tolist() == ["ill", "ill", "well"]
    assert images["age"].tolist()[:2] == [60.0, 45.0]
    assert images["age"].isna().tolist() == [False, False, True]
    assert images["sex"].tolist() == ["M", "F", "M"]
    assert images["date"].tolist() == ["2020-01-31", "2020-01-31", "2015-05-10"]
    assert images["x_view"].tolist() == ["PA"] * 3
    rejected = found.rejected.set_index("source")
    assert rejected["reason"].to_dict() == {"d.png": "excluded", "e.png": "excluded", "f.png": "unlabelled"}
    assert rejected.loc["d.png", "sentence"] == "a label outside labels.classes"  # written once: may be free text


def test_rows_without_image_and_counts_are_printed(cohort, pictures, table, tmp_path, capsys):
    labels = table(tmp_path / "t.csv", file=["a", "b", "c", "d", "e", "f", "g"], label=list("xyxyxyx"))
    cohort(path=pictures, labels={"path": labels})
    printed = capsys.readouterr().out
    assert "classes: x 3, y 3" in printed
    assert "1 rows of" in printed


def test_a_table_of_other_names_is_refused_without_telling_any(cohort, pictures, table, tmp_path):
    labels = table(tmp_path / "t.csv", file=["Doe_12"], label=["x"])
    with pytest.raises(StudyError, match="aaa_99") as caught:
        cohort(path=pictures, labels={"path": labels})
    assert "Doe" not in str(caught.value)


def patients(table, tmp_path, labels, visits=None):
    rows = {"file": list("abcdef"), "who": list("ppqqrr"), "label": labels, "day": visits or ["2020-01-01"] * 6}
    return table(tmp_path / "t.csv", **rows)


def test_conflicts_are_refused_only_where_the_label_is_declared_wider(cohort, pictures, table, tmp_path):
    days = ["2020-01-01", "2020-02-01"] * 3
    path = patients(table, tmp_path, ["x", "y", "x", "x", "y", "y"], days)

    def study(per):
        return cohort(per, path=pictures, patient="who", visit="day", labels={"path": path, "per": per})

    assert len(study("image").images) == 6
    assert len(study("visit").images) == 6
    with pytest.raises(StudyError, match=r"1 of the patients carry .* \(lines 2, 3 of .*labels.per: visit or image"):
        study("patient")


def test_a_visit_of_two_labels_is_refused(cohort, pictures, table, tmp_path):
    path = patients(table, tmp_path, ["x", "y", "x", "x", "y", "y"])
    with pytest.raises(StudyError, match="1 of the visits"):
        cohort(path=pictures, patient="who", visit="day", labels={"path": path, "per": "visit"})


def test_two_rows_that_contradict_each_other_are_refused(cohort, pictures, table, tmp_path):
    path = table(tmp_path / "t.csv", file=[*"abcdef", "a"], label=[*"xyxyxy", "y"])
    with pytest.raises(StudyError, match=r"1 images carry two labels \(lines 2, 8 of"):
        cohort(path=pictures, labels={"path": path})


def test_several_labels_are_joined_in_class_order(cohort, pictures, table, tmp_path):
    path = table(tmp_path / "t.csv", file=[*"abcdef", "f"], label=["v;u", "u", "none", "w", "u;w", "v", "u"])
    labels = {"path": path, "multilabel": True, "separator": ";", "classes": ["u", "v"]}
    found = cohort(path=pictures, labels=labels).images["label"].tolist()
    assert found == ["u|v", "u", "", "", "u", "u|v"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"classes": ["x"]}, "all 3 images have the same one"),
        ({"classes": ["x", "y", "Y"]}, "no image is labelled 'Y'"),
        ({"positive": "X"}, "'X' is no class of this study"),
        ({"classes": ["x", "y"], "merge": {"z": ["x"]}}, "'z' is not in labels.classes"),
        ({"merge": {"p": ["x"], "q": ["x", "y"]}}, "'x' goes to both 'p' and 'q'"),
    ],
)
def test_classes_that_cannot_work_are_refused(cohort, pictures, table, tmp_path, labels, message):
    path = table(tmp_path / "t.csv", file=list("abcdef"), label=list("xyxyxy"))
    with pytest.raises(StudyError, match=message):
        cohort(path=pictures, labels={"path": path, **labels})


def test_a_column_of_names_is_no_label(cohort, picture, table, tmp_path):
    names = [f"f{i}" for i in range(30)]
    for name in names:
        picture(tmp_path / f"set/{name}.png")
    path = table(tmp_path / "t.csv", file=names, label=[f"Doe {i}" for i in range(30)])
    with pytest.raises(StudyError, match="30 different labels on 30 images look like names"):
        cohort(path=tmp_path / "set", labels={"path": path})


def test_a_bare_name_in_two_folders_is_refused(cohort, picture, table, tmp_path):
    for name in ("u/1", "v/1", "v/2"):
        picture(tmp_path / f"set/{name}.png")
    path = table(tmp_path / "t.csv", file=["1.png", "2.png"], label=["x", "y"])
    with pytest.raises(StudyError, match=r"1 rows name a file that lies in several folders \(first in line 2\)"):
        cohort(path=tmp_path / "set", labels={"path": path})
    path = table(tmp_path / "t.csv", file=["u/1.png", "v/1.png", "2"], label=["x", "y", "y"])
    assert cohort(path=tmp_path / "set", labels={"path": path}).images["label"].tolist() == ["x", "y", "y"]


def test_boxes_must_be_boxes(cohort, pictures, table, tmp_path):
    path = table(tmp_path / "t.csv", file=list("abcdef"), label=list("xyxyxy"), box=["[[0,0,0,1,1]]", *[""] * 5])
    with pytest.raises(StudyError, match=r"cohort\.boxes: line 2"):
        cohort(path=pictures, boxes="box", labels={"path": path})


def test_an_official_column_is_the_split(cohort, pictures, table, tmp_path):
    roles = ["Train", "training", "val", "TEST", "test", ""]
    path = table(tmp_path / "t.csv", file=list("abcdef"), label=list("xyxyxy"), part=roles)
    found = cohort(path=pictures, official="part", labels={"path": path}).images["official"].tolist()
    assert found == ["train", "train", "validation", "test", "test", None]
