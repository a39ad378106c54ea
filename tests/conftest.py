"""What all tests share: the repository, the real sets where there are any, and a way to run the workflow."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


def pytest_collection_modifyitems(items):
    """Whole workflows take longest and come first, so that of two processes none waits for the other at the end;
    of them those without the tiny study, while the other process makes it.
    """

    def place(item):
        return not any(item.iter_markers("workflow")), "tiny" in item.fixturenames

    items.sort(key=place)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Keras as in training for the rooms that compute with it: threads must be set before a process computes at all."""
    if item.path.parent.name in {"augment", "balance", "explain", "models", "train"}:
        from asclepius.train import device
        from asclepius.train.settings import TrainSettings

        device.start(TrainSettings())


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real sets; tests that need it skip where it is not there."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the real sets (../shared/data) are not on this machine")
    return SHARED / "data"


class Workflow:
    """Runs the workflow in a folder of its own, so that a user's results/ are left alone."""

    def __init__(self, folder: Path, home: Path):
        self.folder = folder
        self.snakefile = ROOT / "Snakefile"
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "2"}

    def _command(self, words: tuple[str, ...], study: str | Path) -> list[str]:
        config = study if isinstance(study, Path) else ROOT / "studies" / f"{study}.yaml"
        cores = [] if {"--cores", "--jobs"} & set(words) else ["--cores", "2"]
        return [sys.executable, "-m", "snakemake", "--snakefile", str(self.snakefile), "--directory", str(self.folder),
                "--configfile", str(config), "--nocolor", *words, *cores]  # fmt: skip

    def __call__(self, *words: str, check: bool = True, study: str | Path = "tiny", **options):
        command = self._command(words, study)
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=self.environment, cwd=ROOT, **options
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}")
        return done

    def kill_when(self, reached: Callable[[], bool], timeout: float = 300) -> None:
        """Start the tiny study and kill it, with all its jobs, as soon as `reached` says so."""
        process = subprocess.Popen(
            self._command((), "tiny"), env=self.environment, cwd=ROOT, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + timeout
        while not reached() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        assert process.poll() is None, "the run ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def jobs(self, *words: str, **options) -> list[str]:
        """What would run, as "rule" or "rule wildcard=value, ..."."""
        done = self(*words, "--dry-run", **options)
        lines = (done.stdout + done.stderr).splitlines()
        found, name = [], None
        for line in lines:
            if line.startswith(("rule ", "checkpoint ", "localrule ", "localcheckpoint ")) and line.endswith(":"):
                name = line.split()[1].rstrip(":")
                found.append(name)
            elif name and line.strip().startswith("wildcards:"):
                found[-1] = f"{name} {line.split(':', 1)[1].strip()}"
        return [job for job in found if job != "all"]


@pytest.fixture(scope="session")
def workflow_in(tmp_path_factory):
    """A Workflow in the folder given, or in a fresh one."""

    def make(folder: Path | None = None) -> Workflow:
        folder = folder or tmp_path_factory.mktemp("run")
        return Workflow(folder, tmp_path_factory.mktemp("home"))

    return make


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The tiny study run to its end once, for all processes; tests that change it must work on a copy."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    workflow, done = Workflow(base / "tiny", base / "tiny-home"), base / "tiny-done"
    with FileLock(base / "tiny.lock"):
        if not done.exists():
            for folder in (workflow.folder, base / "tiny-home"):
                folder.mkdir(exist_ok=True)
            workflow()
            done.touch()
    return workflow
