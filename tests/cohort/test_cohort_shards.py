import os
import stat

import pandas as pd
import pytest

from asclepius import keys
from asclepius.cohort.stamp import stamps
from asclepius.errors import StudyError


@pytest.fixture
def pictures(picture, tmp_path):
    for number in range(40):
        picture(tmp_path / f"set/{'xy'[number % 2]}/{number:02d}.png")
    return tmp_path / "set"


def contents(found):
    return {path.name: path.read_bytes() for path in (found.folder / "shards").iterdir()}


def test_every_patient_has_one_shard_and_every_shard_a_file(cohort, pictures):
    found = cohort(path=pictures, shards=64)
    assert sorted(contents(found)) == [f"shard-{shard:04d}.parquet" for shard in range(64)]
    key = keys.derive(keys.DEMONSTRATION, "shard")
    expected = [keys.number(key, patient, 64) for patient in found.images["patient"]]
    assert found.images["shard"].tolist() == expected
    assert found.images["shard"].nunique() < 64  # so some file is a valid empty table


def test_a_new_patient_leaves_other_shards_alone(cohort, picture, pictures):
    before = contents(cohort(path=pictures, shards=8))
    times = {name: (pictures.parent / "out/shards" / name).stat().st_mtime_ns for name in before}
    picture(pictures / "x/00_new.png")
    found = cohort(path=pictures, shards=8)
    after = contents(found)
    changed = [name for name in before if before[name] != after[name]]
    assert len(changed) == 1
    now = {path.name: path.stat().st_mtime_ns for path in (found.folder / "shards").iterdir()}
    assert [name for name in times if times[name] != now[name]] == changed


def test_fewer_shards_leave_no_old_file(cohort, pictures):
    cohort(path=pictures, shards=8)
    assert len(contents(cohort(path=pictures, shards=4))) == 4


def test_what_identifies_is_for_the_owner_alone(cohort, pictures):
    found = cohort(path=pictures)
    for path in [
        *(found.folder / "shards").iterdir(),
        found.folder / "order.parquet",
        found.folder / "rejected.parquet",
    ]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_extra_columns_keep_their_type_where_empty(cohort, pictures, table, tmp_path):
    files = sorted(path.name for path in pictures.glob("*/*.png"))
    path = table(tmp_path / "t.csv", file=files, label=list("xy") * 20, view=["PA"] + [""] * 39)
    found = cohort(path=pictures, columns=["view"], shards=16, labels={"path": path})
    import pyarrow.parquet as pq

    kinds = {str(pq.read_schema(p).field("x_view").type) for p in (found.folder / "shards").iterdir()}
    assert kinds == {"string"}


def test_an_external_source_keeps_apart(cohort, picture, pictures, table, tmp_path):
    for number in range(10):
        picture(tmp_path / f"other/{'pq'[number % 2]}/{number:02d}.png")
    (tmp_path / "other/p/empty.png").touch()
    other = {"path": tmp_path / "other", "labels": {"merge": {"x": ["p"], "y": ["q"]}}}
    found = cohort(path=pictures, external=other)
    outer = found.images[found.images["official"] == "external"]
    assert len(outer) == 10
    assert outer["source"].str.startswith("external/").all()
    assert outer["patient"].str.startswith("external/").all()
    assert set(outer["label"]) == {"x", "y"}
    assert outer["root"].unique().tolist() == [str(tmp_path / "other")]
    last = found.order.sort_values("position")["source"].iloc[-10:]
    assert last.str.startswith("external/").all()
    assert found.rejected["source"].tolist() == ["external/p/empty.png"]
    with pytest.raises(StudyError, match=r"no classes of the study \(x, y\), such as 'p'"):
        cohort(path=pictures, external={"path": tmp_path / "other"})


def test_a_file_written_anew_changes_its_stamp_alone(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"1")
    images = pd.DataFrame({"files": ['["a.png"]', '["b.png"]'], "mask": [None, None]})
    before = stamps(images, tmp_path)
    os.utime(tmp_path / "a.png", ns=(5, 5))
    after = stamps(images, tmp_path)
    assert after[0] != before[0]
    assert after[1] == before[1]
