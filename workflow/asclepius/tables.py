"""Reading, writing and checking the Parquet tables that pass between stages."""

import csv
import errno
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from asclepius.errors import StudyError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_KINDS = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


@dataclass(frozen=True)
class Schema:
    """The columns of one table.

    Args:
        name: what messages call the table, e.g. "split/folds".
        columns: column name to kind: "str", "int", "float" or "bool".
        key: columns that together identify a row; duplicates are refused.
        nullable: "str" columns that may hold nulls ("float" columns may always hold NaN).
        extra: whether further columns may follow (a cohort's allow-listed ones).
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...] = ()
    nullable: frozenset[str] = field(default_factory=frozenset)
    extra: bool = False

    def empty(self) -> pd.DataFrame:
        """A valid table without rows."""
        return self._arrow(pd.DataFrame({name: [] for name in self.columns})).to_pandas()

    def check(self, frame: pd.DataFrame) -> pa.Table:
        """The frame as a typed Arrow table.

        Raises:
            StudyError: a column is missing, unknown, of another kind, null where it must not be, or the key repeats.
        """
        missing = [name for name in self.columns if name not in frame.columns]
        unknown = [name for name in frame.columns if name not in self.columns]
        if missing or (unknown and not self.extra):
            raise StudyError(f"table {self.name}: missing columns {missing}, unknown columns {unknown}")
        table = self._arrow(frame)
        for name, kind in self.columns.items():
            if kind != "float" and name not in self.nullable and table.column(name).null_count:
                raise StudyError(f"table {self.name}: column {name!r} has empty values and must not")
        if self.key and frame.duplicated(list(self.key)).any():
            row = frame[frame.duplicated(list(self.key))].iloc[0]
            raise StudyError(f"table {self.name}: key {self.key} repeats, first at {[row[k] for k in self.key]}")
        return table

    def _arrow(self, frame: pd.DataFrame) -> pa.Table:
        arrays, names = [], []
        for name in [*self.columns, *(c for c in frame.columns if c not in self.columns)]:
            kind = _KINDS.get(self.columns.get(name, ""))
            try:
                arrays.append(pa.array(frame[name], type=kind, from_pandas=True))
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise StudyError(f"table {self.name}: column {name!r} is not {kind}: {error}") from None
            names.append(name)
        return pa.table(arrays, names=names)


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place only if the block ends well.

    A reader therefore never meets a half-written file. `private` leaves it readable by its owner alone.

    Raises:
        StudyError: the disk, the quota or a limit of file sizes leaves no room.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    os.chmod(name, 0o600 if private else 0o644)
    try:
        yield Path(name)
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise StudyError(f"{path}: {error.strerror}; make room and run again, nothing half-written stays") from None
        raise


def write(path: Path, frame: pd.DataFrame, schema: Schema, *, private: bool = False) -> None:
    """Check the frame against its schema and write it whole; equal frames give equal bytes."""
    table = schema.check(frame).replace_schema_metadata(None)
    with replacing(path, private=private) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Write a text file whole."""
    with replacing(path, private=private) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read(path: Path, schema: Schema) -> pd.DataFrame:
    """Read a table and check that it is what its name says; nulls in "str" columns come back as None."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise StudyError(f"{path}: no such file; a {schema.name} table is needed here") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise StudyError(f"{path}: not a readable table ({error}); delete it and run again") from None
    missing = [name for name in schema.columns if name not in table.column_names]
    if missing:
        raise StudyError(f"{path}: not a {schema.name} table, columns {missing} are missing; delete it and run again")
    frame = table.to_pandas()
    for name in frame.columns:
        if pa.types.is_string(kind := table.schema.field(name).type) or pa.types.is_large_string(kind):
            frame[name] = pd.Series(table.column(name).to_pylist(), dtype=object, index=frame.index)
    return frame


def concat(frames: list[pd.DataFrame], schema: Schema) -> pd.DataFrame:
    """Stack tables of one schema; extra columns absent from some are null there."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else schema.empty()


def read_labels(path: Path) -> pd.DataFrame:
    """Read a table a person wrote (CSV, TSV or Excel-exported text) with every cell as text, blanks as None.

    Raises:
        StudyError: the file is missing, empty or not a table.
    """
    path = Path(path)
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            sample = handle.read(65536)
        if path.suffix.lower() == ".tsv":
            separator = "\t"
        else:
            separator = csv.Sniffer().sniff(sample.splitlines()[0], delimiters=",;\t|").delimiter
    except FileNotFoundError:
        raise StudyError(f"{path}: no such file; check the path in config.yaml") from None
    except (UnicodeDecodeError, IndexError) as error:
        raise StudyError(f"{path}: not a UTF-8 table with a header line ({error}); export it again as CSV") from None
    except csv.Error:
        separator = ","
    try:
        frame = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: not a well-formed UTF-8 table ({error}); export it again as CSV") from None
    frame = frame.astype(object)
    return frame.where(frame != "", None)
