"""The explain stage."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import tables
from asclepius.errors import StudyError
from asclepius.explain.display import hottest, overlap, resized, shade, write_npz
from asclepius.explain.schema import GALLERY
from asclepius.explain.selection import select
from asclepius.explain.settings import ExplainSettings
from asclepius.quality.schema import IMAGES
from asclepius.store import Store
from asclepius.task import Task
from asclepius.train import device
from asclepius.train.preprocess import Preprocess
from asclepius.train.schema import PREDICTIONS
from asclepius.train.settings import TrainSettings


def run(
    *,
    settings: ExplainSettings,
    choice: Path,
    predictions: Path,
    images: Path,
    task: Path,
    stores: list[Path],
    masks: list[Path],
    gallery: Path,
    heat: Path,
    results: Path,
) -> None:
    """Show where the chosen model looked, on right and wrong test cases: Grad-CAM, or a linear model's contributions.

    Args:
        choice, predictions: of the evaluate stage.
        stores, masks: a file per shard, of the resample stage.
        gallery: table of the cases.
        heat: .npz with the arrays image, heat and mask, each (n, y, x); of a volume one slice.
        results: results/{study}, which the paths in `choice` are relative to.

    Raises:
        StudyError: the chosen run has no test predictions, or its network no layer `features`.
    """
    chosen = json.loads(Path(choice).read_text(encoding="utf-8"))
    question = Task.read(task)
    cohort = tables.read(images, IMAGES)
    predicted = tables.read(predictions, PREDICTIONS)
    cases = select(_test_rows(predicted, chosen, cohort), question, chosen["threshold"], settings.cases)
    print(f"{len(cases)} test cases of arm {chosen['arm']}, fold {chosen['fold']}, seed {chosen['seed']}", flush=True)

    where = cohort.set_index("image").loc[cases["image"]]
    stored = Store(_folder(stores)).read(where["shard"].to_numpy(), where["row"].to_numpy())
    columns = np.array([question.classes.index(name) for name in cases["class"]])
    maps = heat_maps(Path(results), chosen, stored, where, columns, settings.threads)

    shapes = _masks(where, masks, stored.shape[1:-1])
    rows, shown = [], {"image": [], "heat": [], "mask": []}
    for row, case in enumerate(cases.to_dict("records")):
        image, warm, mask = shade(stored[row]), resized(maps[row], stored.shape[1:-1]), shapes[row]
        share = overlap(warm, mask)
        level = -1
        if warm.ndim == 3:
            level = hottest(warm)
            image, warm, mask = image[level], warm[level], mask[level]
        for name, array in zip(shown, (image, warm, mask), strict=True):
            shown[name].append(array)
        whose = {"arm": chosen["arm"], "fold": chosen["fold"], "seed": chosen["seed"]}
        rows.append(case | whose | {"overlap": share, "slice": level, "row": row})
    tables.write(gallery, pd.DataFrame(rows)[list(GALLERY.columns)], GALLERY)
    write_npz(heat, {name: np.stack(arrays) for name, arrays in shown.items()})


def heat_maps(
    results: Path, chosen: dict, stored: np.ndarray, where: pd.DataFrame, columns: np.ndarray, threads: int
) -> np.ndarray:
    """Heat of each image for one class.

    Args:
        stored: values of the store, shape (n, y, x, channel) or (n, z, y, x, channel).
        where: rows of quality/images of those images.
        columns: number of the class, shape (n,).

    Returns:
        Not negative, (n, y, x) or (n, z, y, x), perhaps coarser than the image.
    """
    preprocess, model = Preprocess.read(results / chosen["preprocess"]), results / chosen["model"]
    if model.suffix == ".skops":
        from asclepius.explain.linear import contributions

        return contributions(model, preprocess, stored, where, columns)
    device.start(TrainSettings(threads=threads))
    from asclepius.explain.gradcam import GradCam

    return GradCam.read(model)(preprocess.apply(stored, where), columns)


def _test_rows(predictions: pd.DataFrame, chosen: dict, images: pd.DataFrame) -> pd.DataFrame:
    """Undisturbed test predictions of the chosen run, in the order of the images."""
    wanted = (
        (predictions["arm"] == chosen["arm"])
        & (predictions["fold"] == chosen["fold"])
        & (predictions["seed"] == chosen["seed"])
        & (predictions["role"] == "test")
        & (predictions["condition"] == "clean")
    )
    found = predictions[wanted]
    position = pd.Index(images["image"]).get_indexer(found["image"])
    return found.iloc[np.argsort(position, kind="stable")]


def _folder(files: list[Path]) -> Path:
    folders = {Path(file).parent for file in files}
    if len(folders) != 1:
        raise StudyError(f"explain: the files of a store lie in one folder, found {sorted(map(str, folders))}")
    return folders.pop()


def _masks(where: pd.DataFrame, files: list[Path], shape: tuple[int, ...]) -> np.ndarray:
    """Masks of the cases, uint8 0 or 1, shape (n, *shape); zeros for images without one."""
    out = np.zeros((len(where), *shape), dtype=np.uint8)
    has = np.flatnonzero(where["mask_row"].to_numpy() >= 0)
    if len(has):
        part = where.iloc[has]
        found = Store(_folder(files)).read(part["shard"].to_numpy(), part["mask_row"].to_numpy())
        out[has] = found.reshape(len(has), *shape, -1).max(axis=-1) > 0
    return out
