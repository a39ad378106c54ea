import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from asclepius import command
from asclepius.__main__ import STAGES, main
from asclepius.errors import StudyError
from asclepius.split.settings import SplitSettings


class Named(dict):
    """Looks like Snakemake's input, output, params and wildcards."""


def job(tmp_path, log="logs/split.log", **params):
    return SimpleNamespace(
        rule="split",
        wildcards=Named(fold="3"),
        params=Named(settings={"folds": 4}, **params),
        input=Named(images="a.parquet", tables=["t1", "t2"], phantom=[]),
        output=Named(out="b"),
        log=[str(tmp_path / log)],
    )


def test_a_stage_gets_its_arguments_in_their_types(tmp_path):
    seen = {}

    def run(*, fold: int, settings: SplitSettings, images: Path, tables: list[Path], out: Path, phantom: Path | None):
        seen.update(locals())

    command.execute(run, job(tmp_path))
    assert seen["fold"] == 3
    assert seen["settings"] == SplitSettings(folds=4)
    assert seen["images"] == Path("a.parquet")
    assert seen["tables"] == [Path("t1"), Path("t2")]
    assert seen["phantom"] is None


def test_what_a_stage_and_its_libraries_print_goes_to_the_log(tmp_path, capfd):
    def run(*, fold: int):
        print("from python")
        os.write(2, b"from a library\n")

    command.execute(run, job(tmp_path))
    log = (tmp_path / "logs" / "split.log").read_text()
    assert log.startswith("asclepius ")
    assert "from python" in log
    assert "from a library" in log
    assert capfd.readouterr() == ("", "")


def test_a_failing_stage_shows_the_end_of_its_log(tmp_path, capfd):
    def run(*, fold: int):
        raise StudyError("split.folds: too many; write 2")

    with pytest.raises(SystemExit):
        command.execute(run, job(tmp_path))
    shown = capfd.readouterr().err
    assert "split failed" in shown
    assert "error: split.folds: too many; write 2" in shown
    assert "Traceback" not in shown


def test_logs_of_raw_data_are_private(tmp_path):
    def run(*, fold: int):
        pass

    command.execute(run, job(tmp_path, log="restricted/logs/cohort.log"))
    assert (tmp_path / "restricted/logs/cohort.log").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_is_a_command(stage, capsys):
    with pytest.raises(SystemExit) as done:
        main([stage, "--help"])
    assert done.value.code == 0
    assert f"asclepius {stage}" in capsys.readouterr().out


def test_a_refusal_is_one_sentence_and_status_2(tmp_path, capsys):
    settings = tmp_path / "split.yaml"
    settings.write_text("method: kfold\n")
    given = {"settings": settings, "images": tmp_path / "none.parquet", "task": "t", "folds": "f", "dropped": "d"}
    status = main(["split", *(word for name, value in given.items() for word in (f"--{name}", str(value)))])
    assert status == 2
    assert "none.parquet" in capsys.readouterr().err
