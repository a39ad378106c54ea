"""State of unfinished work, so that a killed job goes on where it stopped and ends in the same bits."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asclepius.provenance import environment, fingerprint, tree_digest, write_json
from asclepius.tables import replacing, write_text
from asclepius.train.outcome import Run


def recipe_digest(recipe: dict, files: Iterable[Path], stores: Iterable[Path]) -> str:
    """A digest over all that decides a run's result: settings, code, library versions, tables and stores.

    Args:
        recipe: settings as plain values.
        files: tables, counted by content.
        stores: arrays, counted by size and time.
    """
    state = hashlib.sha256()
    for part in (recipe, fingerprint("train.command"), environment()):
        state.update(write_json(part).encode() + b"\0")
    for path in files:
        state.update(hashlib.sha256(Path(path).read_bytes()).digest())
    for path in stores:
        state.update(tree_digest(path).encode())
    return state.hexdigest()[:16]


class RunState:
    """The folder of one run. Its name holds the digest of the recipe: a changed recipe finds nothing to resume."""

    def __init__(self, root: Path, run: Run, digest: str):
        self.folder = Path(root) / f"{run.name}-{digest}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.progress = self.folder / "progress.npz"

    @property
    def finished(self) -> dict | None:
        """What `finish` was given, if the run ended."""
        path = self.folder / "finished.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def finish(self, summary: dict) -> None:
        """Mark the run as ended; every other file of it must be written by now."""
        write_text(self.folder / "finished.json", write_json(summary))
        self.progress.unlink(missing_ok=True)


@dataclass
class Progress:
    """A network after some epochs.

    Args:
        epochs: finished ones.
        history: one dict per epoch.
        variables: of the model (seed generators included) and of its optimizer.
        best: weights of the best epoch so far; None if they are not kept.
    """

    epochs: int
    history: list[dict[str, float]]
    variables: list[np.ndarray]
    best: list[np.ndarray] | None

    def save(self, path: Path) -> None:
        arrays = {f"variable{i:05d}": value for i, value in enumerate(self.variables)}
        arrays |= {f"best{i:05d}": value for i, value in enumerate(self.best or [])}
        record = np.array(json.dumps({"epochs": self.epochs, "history": self.history}))
        with replacing(path) as temporary, open(temporary, "wb") as handle:
            np.savez(handle, record=record, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Progress | None":
        """What was saved; None if nothing was, or if the disk lost part of it."""
        try:
            with np.load(path) as found:
                record = json.loads(str(found["record"]))
                names = sorted(found.files)
                variables = [found[name] for name in names if name.startswith("variable")]
                best = [found[name] for name in names if name.startswith("best")]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            print(f"{path}: unreadable ({error}); starting this run again", flush=True)
            return None
        return cls(record["epochs"], record["history"], variables, best or None)


def forget(root: Path, runs: Iterable[Run]) -> None:
    """Delete the state of those runs, of older recipes too."""
    for run in runs:
        for folder in Path(root).glob(f"{run.name}-*"):
            shutil.rmtree(folder)
    if Path(root).is_dir() and not any(Path(root).iterdir()):
        Path(root).rmdir()
