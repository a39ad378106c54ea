"""The hard cases through a whole run of each preset: nothing planted survives, what must survive does."""

import csv
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import PurePosixPath

import pytest
from hard_cases import PRESETS, cases
from hard_leaks import Folder, named, of_preset, parsed, searched
from hard_run import KEY, deidentified
from hard_validity import DCIODVFY, Relations, faults, new_errors


class Run:
    """One preset's run over all cases in one folder."""

    def __init__(self, preset: str, root):
        self.preset, self.source = preset, root / "in"
        for case in cases():
            case.write(self.source / f"{case.number:03d}")
        self.result = deidentified(self.source, root, preset)
        self.out = Folder(self.result.out, cases())

    def sources(self, case) -> dict[int, object]:
        """The case's data sets by Instance Number."""
        paths = [self.source / f"{case.number:03d}" / name for name in case.files]
        read = [(parsed(path.read_bytes()), path) for path in paths if path.suffix not in (".zip", ".txt", ".pdf")]
        return {number(one): (one, path) for one, path in read if number(one)}


def number(dataset) -> int:
    """Instance Number, 0 where there is none."""
    said = str(dataset.get("InstanceNumber", ""))
    return int(said) if said.isdigit() else 0


@pytest.fixture(scope="module", params=PRESETS)
def run(request, tmp_path_factory):
    return Run(request.param, tmp_path_factory.mktemp(request.param))


def _told(found: dict[str, list[str]]) -> str:
    return "\n".join(f"{name}: {'; '.join(said[:6])}{' …' * (len(said) > 6)}" for name, said in found.items() if said)


def test_there_are_enough_cases():
    assert len(cases()) >= 70
    assert sum(len({one.text for one in case.planted}) for case in cases()) >= 900
    assert len({case.name for case in cases()}) == len(cases())


def test_the_judge_finds_what_is_planted(tmp_path):
    """On untouched files every identifier must be found, or the judge is blind."""
    missed = {}
    for case in cases():
        left = of_preset(case, "strict")
        blobs = list(case.files.values())
        case.write(tmp_path / case.name)
        for path in (tmp_path / case.name).glob("*.zip"):
            with zipfile.ZipFile(path) as packed:
                blobs += [packed.read(name) for name in packed.namelist()]
        for data in blobs:
            found = searched(data, left)
            left = [one for one in left if one not in found]
        in_names = {one for _, one in named(map(PurePosixPath, case.files), left)}
        missed[case.name] = [one.text for one in left if one not in in_names]
        shutil.rmtree(tmp_path / case.name)
    assert not any(missed.values()), _told(missed)


def test_nothing_planted_survives(run):
    leaks = {case.name: run.out.leaks(case, run.preset) for case in cases()}
    assert not any(leaks.values()), _told(leaks)


def test_what_must_survive_does(run):
    lost = {case.name: run.out.lost(case, run.preset) for case in cases()}
    assert not any(lost.values()), _told(lost)


def test_output_is_valid(run):
    found = {}
    for case in cases():
        sources = run.sources(case)
        found[case.name] = [
            fault for _, data, after in run.out.of[case.name]
            for fault in faults(data, sources.get(number(after), (None, None))[0])
        ]  # fmt: skip
    assert not any(found.values()), _told(found)


def test_relations_are_kept(run):
    """UIDs change alike in all files, UIDs of the standard stay, the dates of a patient move by the same days."""
    relations, found = Relations(dates=run.preset != "strict"), {}
    for case in cases():
        sources = run.sources(case)
        found[case.name] = []
        for _, _, after in run.out.of[case.name]:
            before, _ = sources.get(number(after), (None, None))
            if before is not None and not case.may_quarantine:
                found[case.name] += relations.compare(case.name, before, after)
    assert not any(found.values()), _told(found)
    assert not relations.merged()
    assert len(relations.new) > 400
    kept = sum(old == new for old, new in relations.new.items())
    assert kept == 0, f"{kept} UIDs stayed"
    if run.preset == "research":
        assert len(relations.moved) > 60
        assert len(Counter(min(days) for days in relations.moved.values())) > 50


@pytest.mark.skipif(not DCIODVFY, reason="dciodvfy (Debian's dicom3tools) is not installed")
def test_dciodvfy_finds_nothing_new(run):
    if run.preset != "research":
        pytest.skip("one preset in each run; the studies check real files")
    worse = {}
    plain = next(run.source / f"{case.number:03d}" / "001.dcm" for case in cases() if case.name == "plain_explicit")
    for case in cases():
        if case.may_quarantine:
            continue
        sources = run.sources(case)
        for path, _, after in run.out.of[case.name][:1]:
            source = sources.get(number(after))
            worse[case.name] = new_errors(source[1], path, like=plain) if source else []
    assert not any(worse.values()), _told(worse)


def test_tables_beside_the_output(run):
    """Counts agree with the files, each quarantined file has a reason, the audit holds nothing planted."""
    with open(run.result.restricted / "quarantine.csv", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == run.result.quarantined
    assert all(row["reason"] for row in rows)
    assert run.result.released == len(run.out.paths)
    audit = (run.result.restricted / "audit.csv").read_bytes()
    told = {case.name: [one.text for one in searched(audit, _broad(case))] for case in cases()}
    assert not any(told.values()), _told(told)


def _broad(case):
    """Identifiers that cannot stand in an audit by chance."""
    kinds = ("name", "id", "uid", "phone")
    return [one for one in case.planted if not one.local and len(one.text) > 5 and one.kind in kinds]


@pytest.mark.parametrize(("names", "status"), [(["plain_explicit"], 0), (["plain_explicit", "truncated"], 1), ([], 2)])
def test_exit_status(tmp_path, names, status):
    """0 when all is clean, 1 when files were refused, 2 for a wrong call."""
    pytest.importorskip("asclepius.deidentify.folder", reason="the folder command is not there")
    for case in cases():
        if case.name in names:
            case.write(tmp_path / "in" / case.name)
    (tmp_path / "master.key").write_text(KEY, encoding="ascii")
    words = [str(tmp_path / "in"), str(tmp_path / "out"), "--key", str(tmp_path / "master.key")]
    words += ["--restricted", str(tmp_path / "restricted"), "--preset", "strict" if names else "loose"]
    done = subprocess.run([sys.executable, "-m", "asclepius", "deidentify", *words], capture_output=True, check=False)
    assert done.returncode == status, done.stderr.decode()[-800:]
    assert len([path for path in (tmp_path / "out").rglob("*.dcm")]) == min(len(names), 1)
