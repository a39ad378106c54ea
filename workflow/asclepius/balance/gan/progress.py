"""Unfinished work of a GAN."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asclepius.tables import replacing


@dataclass
class Progress:
    """Args:
    steps, seconds: done, over all interruptions.
    variables: of both networks and both optimizers, then the averages.
    """

    steps: int
    seconds: float
    variables: list[np.ndarray]

    def save(self, path: Path) -> None:
        arrays = {f"variable{i:05d}": value for i, value in enumerate(self.variables)}
        with replacing(path) as temporary, open(temporary, "wb") as handle:
            np.savez(handle, steps=self.steps, seconds=self.seconds, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Progress | None":
        """What was saved; None if nothing was, or if the disk lost part of it."""
        try:
            with np.load(path) as found:
                names = sorted(name for name in found.files if name.startswith("variable"))
                return cls(int(found["steps"]), float(found["seconds"]), [found[name] for name in names])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            print(f"{path}: unreadable ({error}); training the GAN again", flush=True)
            return None


def forget(folder: Path) -> None:
    """Delete the unfinished work of a fold, of older recipes too."""
    for path in folder.glob("*.npz"):
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
