import os

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asclepius import tables
from asclepius.errors import StudyError

SCHEMA = tables.Schema(
    "test/table", {"name": "str", "count": "int", "share": "float", "note": "str"}, ("name",), frozenset({"note"})
)
ROWS = st.lists(
    st.tuples(st.text(max_size=5), st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.none() | st.text()),
    unique_by=lambda row: row[0],
)


def frame(rows):
    return pd.DataFrame(rows, columns=list(SCHEMA.columns))


@given(rows=ROWS)
def test_a_table_comes_back_as_it_was_written(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("t") / "a.parquet"
    tables.write(path, frame(rows), SCHEMA)
    found = tables.read(path, SCHEMA)
    assert list(found.itertuples(index=False, name=None)) == rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("a", 1, 0.0, None), ("a", 2, 0.0, None)], "key"),
        ([(None, 1, 0.0, None)], "empty values"),
        ([("a", "many", 0.0, None)], "'count' is not"),
    ],
)
def test_a_wrong_table_is_refused_and_nothing_is_written(tmp_path, rows, words):
    with pytest.raises(StudyError, match=words):
        tables.write(tmp_path / "a.parquet", frame(rows), SCHEMA)
    assert os.listdir(tmp_path) == []


def test_missing_and_unknown_columns_are_named(tmp_path):
    with pytest.raises(StudyError, match=r"missing columns \['share'\], unknown columns \['shar'\]"):
        tables.write(tmp_path / "a.parquet", frame([]).rename(columns={"share": "shar"}), SCHEMA)


def test_a_writer_that_dies_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    tables.write_text(path, "old")

    def die_half_way():
        with tables.replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die_half_way()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_private_files_are_for_their_owner_alone(tmp_path):
    tables.write(tmp_path / "a.parquet", frame([]), SCHEMA, private=True)
    assert (tmp_path / "a.parquet").stat().st_mode & 0o777 == 0o600


def test_label_tables_keep_their_cells_as_text(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("\ufeffid;label\n007;\nN/A;yes\n", encoding="utf-8")
    found = tables.read_labels(path)
    assert found.to_dict("list") == {"id": ["007", "N/A"], "label": [None, "yes"]}
