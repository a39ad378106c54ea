"""The GAN of one fold: trained, drawn from, guarded against copies, measured, and kept."""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from asclepius import device
from asclepius.archive import settle
from asclepius.balance.examples import Synthetic
from asclepius.balance.gan import quality
from asclepius.balance.gan.drawing import Drawn, Space, draw
from asclepius.balance.gan.features import Features
from asclepius.balance.gan.memorisation import Guard
from asclepius.balance.gan.settings import GanSettings
from asclepius.balance.gan.sheet import Rows, sheet
from asclepius.balance.gan.training import Gan, train
from asclepius.balance.rows import Stored
from asclepius.balance.sampling import enlarged
from asclepius.balance.settings import BalanceSettings
from asclepius.balance.training import Training
from asclepius.provenance import environment, fingerprint, write_json
from asclepius.tables import replacing, write_text
from asclepius.task import Task

JUDGED = 500  # synthetic images of a class are made at least, or as many as there are real ones, to judge them


@dataclass(frozen=True)
class Pictures:
    """The training images of a fold.

    Args:
        images: (n, y, x, channel) or (n, z, y, x, channel), stored values.
        labels: (n,) class numbers.
        names: (n,) tokens.
        patients: (n,) whatever is equal for images of one person.
    """

    images: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    patients: np.ndarray


def synthesised(
    settings: BalanceSettings, training: Training, folds: pd.DataFrame, stored: Stored, state: Path, folder: Path
) -> Synthetic:
    """What the GAN adds to a fold. It is made of all training images together: each parent is "*".

    Args:
        folds: split/folds; tells which images are of one person.
        stored: the training images, in their order.
        state, folder: see `generate`.
    """
    missing = enlarged(training.counts, settings.ratio) - training.counts
    if not missing.any():
        print(f"gan, fold {training.fold}: the classes are as even as asked for; nothing to draw", flush=True)
        return Synthetic()
    images = training.images["image"]
    here = folds[(folds["fold"] == training.fold) & (folds["role"] == "train")]
    pictures = Pictures(
        stored.store.read(stored.shards, stored.rows),
        training.targets.argmax(axis=1),
        images.to_numpy(),
        images.map(here.set_index("image")["group"]).to_numpy(),
    )
    seed = int(np.random.SeedSequence([settings.seed, training.fold]).generate_state(1)[0])
    made = generate(pictures, training.task, missing, settings.gan, seed, state, folder)
    labels = np.repeat(training.task.classes, [len(each) for each in made])
    table = pd.DataFrame({"label": labels, "parents": json.dumps(["*"]), "values": None}, dtype=object)
    return Synthetic(chain.from_iterable(made), table, {"generator": "generated/generator.keras"})


def generate(
    training: Pictures, task: Task, missing: np.ndarray, settings: GanSettings, seed: int, state: Path, folder: Path
) -> list[np.ndarray]:
    """Make the synthetic images of a fold.

    Args:
        missing: (classes,) images to make of each.
        state: folder for unfinished work; `progress.forget` it when the images are written.
        folder: where quality.json, samples.png and generator.keras are written.

    Returns:
        One array of stored images per class, as many as `missing`, or fewer if the generator only remembers.
    """
    used = device.start(settings.threads)
    unfinished = state / f"{_digest(training, settings, seed)}.npz"
    gan = train(training.images, training.labels, len(task.classes), settings, seed, unfinished)
    print(f"gan: {gan.steps} steps in {gan.seconds:.0f} s on {used}", flush=True)
    spaces = _spaces(training, task, gan, seed)
    found = []
    for label, count in enumerate(missing):
        enough = max(int(count), min(JUDGED, int((training.labels == label).sum())))
        found.append(draw(partial(gan.draw, label), label, enough, spaces))
    document = _document(training, task, gan, missing, found, spaces, seed)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "quality.json", write_json(document))
    _write_sheet(training, task, gan, found, folder / "samples.png", seed)
    _keep(gan.network, folder / "generator.keras")
    for name, each in document["classes"].items():
        for warning in each["warnings"]:
            print(f"gan: {name}: {warning}", flush=True)
        print(f"gan: {name}: {each['copies']['dropped']} of {each['copies']['drawn']} images dropped", flush=True)
    return [each.images[:count] for each, count in zip(found, missing, strict=True)]


def _digest(training: Pictures, settings: GanSettings, seed: int) -> str:
    """A digest over all that decides what the GAN becomes; another recipe finds nothing to resume."""
    recipe = [settings.model_dump(mode="json"), seed, fingerprint("balance.gan.training"), environment()]
    state = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
    for array in (training.images, training.labels):
        state.update(f"{array.dtype}{array.shape}".encode())
        state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()[:16]


def _spaces(training: Pictures, task: Task, gan: Gan, seed: int) -> list[Space]:
    def pixels(images: np.ndarray) -> np.ndarray:
        """Flattened, 0..1, divided by the root of their number: the distance is the root mean square difference."""
        flat = gan.scale.to_unit(images).reshape(len(images), -1)
        return (flat + 1) / (2 * np.sqrt(flat.shape[1]))

    features = Features(training.images, training.labels, task, gan.scale, seed)
    return [
        Space(name, points, Guard(points(training.images), training.labels, training.patients, seed))
        for name, points in (("pixels", pixels), ("features", features))
    ]


def _document(
    training: Pictures,
    task: Task,
    gan: Gan,
    missing: np.ndarray,
    drawn: list[Drawn],
    spaces: list[Space],
    seed: int,
) -> dict[str, Any]:
    """quality.json. Copies dropped name the training image they resembled, by its token."""
    real = next(space for space in spaces if space.name == "features").points(training.images)
    classes = {}
    for label, (name, each, wanted) in enumerate(zip(task.classes, drawn, missing, strict=True)):
        here = training.labels == label
        classes[name] = quality.of_class(real[here], training.patients[here], each, int(wanted), label, spaces, seed)
        classes[name]["used"] = min(int(wanted), len(each.images))
        classes[name]["copies"]["resembled"] = [[str(training.names[row]), *where] for row, where in each.dropped]
    return {
        "steps": gan.steps,
        "seconds": round(gan.seconds, 1),
        "drawn_at": list(gan.scale.drawn),
        "stored_at": list(gan.scale.shape[:-1]),
        "low": gan.scale.low.tolist(),
        "high": gan.scale.high.tolist(),
        "classes": classes,
    }


def _write_sheet(training: Pictures, task: Task, gan: Gan, drawn: list[Drawn], path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)  # a chance sample of the real ones, the first of the synthetic ones
    rows = [
        Rows(name, training.images[random.permutation(np.flatnonzero(training.labels == label))[:10]], each.images)
        for label, (name, each) in enumerate(zip(task.classes, drawn, strict=True))
    ]
    with replacing(path) as temporary:
        sheet(rows, gan.scale.low, gan.scale.high).save(temporary, format="PNG")


def _keep(network: keras.Model, path: Path) -> None:
    network.save(path)
    settle(path)
