"""Training the GAN, so that it can stop at any moment and go on."""

import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from asclepius.augment.parameters import generator as stream
from asclepius.balance.gan import diffaugment, networks
from asclepius.balance.gan.gradients import Descent
from asclepius.balance.gan.grid import Scale
from asclepius.balance.gan.progress import Progress
from asclepius.balance.gan.settings import GanSettings
from asclepius.errors import StudyError

_STEP, _DRAW = 5, 6  # streams; augmentation and training have 1 to 4
# Two time scales (Heusel et al. 2017); beta_1 = 0 as in the works with spectral normalisation and hinge loss.
# Large rates first, or a short training learns nothing; small ones at the end, or variety is lost.
RATES, LAST = {"discriminator": 2e-3, "generator": 1e-3}, 0.1
BETA_1, BETA_2 = 0.0, 0.9
AVERAGED_EVERY, AVERAGE = 5, 0.99  # of the generator's weights: half of it is the last 350 steps
FILTERS = {2: 16, 3: 8}  # at full size
SAVED_EVERY = 60  # seconds
CHUNK = 128  # images drawn at a time


def train(
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    settings: GanSettings,
    seed: int,
    state: Path | None = None,
) -> "Gan":
    """Train on all images from the state's last save to the end of the budget.

    Hinge loss (Lim and Ye 2017); as many images of each class in a batch, in groups of one class.

    Args:
        images: (n, y, x, channel) or (n, z, y, x, channel), stored values.
        labels: (n,) class numbers; every class occurs.
        state: file to keep unfinished work in; none is kept without.

    Raises:
        StudyError: the loss is no number any more.
    """
    scale = Scale.of(images, settings.size)
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    trainer = Trainer(images, labels, classes, scale, settings, seed)
    progress = (Progress.load(state) if state else None) or Progress(0, 0.0, [])
    trainer.run(progress, state)
    return Gan(trainer.finished(), scale, classes, seed, progress.steps, progress.seconds)


@dataclass(frozen=True)
class Gan:
    """A trained generator.

    Args:
        network: from noise and one-hot labels to images in -1..1.
        scale: from there to the store.
        steps, seconds: of training.
    """

    network: keras.Model
    scale: Scale
    classes: int
    seed: int
    steps: int
    seconds: float

    def draw(self, label: int, start: int, count: int) -> np.ndarray:
        """Images start, start + 1, ... of a class in stored values: (count, *shape)."""
        found = []
        whole = networks.one_hot(np.full(CHUNK, label), self.classes)
        for number in range(start // CHUNK, -(-(start + count) // CHUNK)):
            latent = stream(_DRAW, self.seed, label, number).standard_normal((CHUNK, networks.LATENT), np.float32)
            made = ops.convert_to_numpy(self.network([latent, whole], training=False))
            here = slice(max(start - number * CHUNK, 0), start + count - number * CHUNK)
            found.append(self.scale.to_stored(made[here]))
        return np.concatenate(found)


class Trainer:
    """Steps of one GAN. A step depends on the variables before it and on (seed, step) alone."""

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, classes: int, scale: Scale, settings: GanSettings, seed: int
    ):
        self.images, self.classes, self.scale, self.settings, self.seed = images, classes, scale, settings, seed
        self.members = [np.flatnonzero(labels == number) for number in range(classes)]
        filters = settings.filters or FILTERS[len(scale.drawn)]
        shape = (scale.drawn, images.shape[-1], classes, filters)
        self.generator, self.discriminator = networks.generator(*shape), networks.discriminator(*shape)
        adam = keras.optimizers.Adam
        self.optimizers = [adam(RATES[name], BETA_1, BETA_2) for name in RATES]
        self.average = [np.array(each) for each in self.generator.trainable_variables]
        self._criticise = Descent(self._loss_of_critic, self.discriminator, [self.generator], self.optimizers[0])
        self._create = Descent(self._loss_of_creator, self.generator, [self.discriminator], self.optimizers[1])

    @property
    def variables(self) -> list[keras.Variable]:
        return [each for part in (self.generator, self.discriminator, *self.optimizers) for each in part.variables]

    def finished(self) -> keras.Model:
        """The generator with the moving average of its weights; training cannot go on afterwards."""
        for variable, value in zip(self.generator.trainable_variables, self.average, strict=True):
            variable.assign(value)
        return self.generator

    def _follow(self, number: int) -> None:
        """Move the average; slowly only once there is something to average, or a short training would end at its start.

        Keras' own average has one pace.
        """
        times = number // AVERAGED_EVERY
        pace = 1 - min(AVERAGE, times / (times + 9))
        for value, variable in zip(self.average, self.generator.trainable_variables, strict=True):
            value += pace * (ops.convert_to_numpy(variable) - value)

    def run(self, progress: Progress, state: Path | None) -> None:
        """All steps still to do; `progress` follows, and is written to `state` every minute and at the end."""
        if progress.steps:
            count = len(self.variables)
            for variable, value in zip(self.variables, progress.variables[:count], strict=True):
                variable.assign(value)
            self.average = progress.variables[count:]
            print(f"gan: resumed after step {progress.steps}", flush=True)
        before, begin = progress.seconds, time.perf_counter()
        saved, losses = begin, []
        while (share := self._share(progress)) < 1:
            self._slow_down(share)
            losses.append(self.step(progress.steps + 1))
            now = time.perf_counter()
            progress.steps += 1
            progress.seconds = before + now - begin
            if now - saved > SAVED_EVERY or self._share(progress) >= 1:
                mean = np.mean(np.array(losses, dtype=np.float64), axis=0)
                if not np.isfinite(mean).all():
                    raise StudyError(
                        f"balance gan: the losses before step {progress.steps} are {mean}; use another seed"
                    )
                print(
                    f"gan: step {progress.steps}, {progress.seconds:.0f} s: discriminator {mean[0]:.3f}, "
                    f"generator {mean[1]:.3f}",
                    flush=True,
                )
                if state:
                    progress.variables = [*(np.array(each) for each in self.variables), *self.average]
                    progress.save(state)
                saved, losses = now, []

    def _share(self, progress: Progress) -> float:
        """How much of the budget is spent, from 0."""
        if self.settings.steps is not None:
            return progress.steps / self.settings.steps
        return progress.seconds / (60 * self.settings.minutes)

    def _slow_down(self, share: float) -> None:
        pace = LAST + (1 - LAST) * (1 + np.cos(np.pi * share)) / 2
        for optimizer, rate in zip(self.optimizers, RATES.values(), strict=True):
            optimizer.learning_rate = pace * rate

    def step(self, number: int) -> tuple[float, float]:
        """One step of each network; their losses before it."""
        random = stream(_STEP, self.seed, number)
        groups = self.settings.batch_size // networks.NEIGHBOURS
        of_group = np.resize(random.permutation(self.classes), groups)
        rows = np.concatenate([self._some(label, random) for label in of_group])
        real = self.scale.to_unit(self.images[rows])
        label = networks.one_hot(np.repeat(of_group, networks.NEIGHBOURS), self.classes)
        d, n = real.ndim - 2, len(real)
        latent = random.standard_normal((2, n, networks.LATENT), np.float32)
        u = np.repeat(diffaugment.numbers(random, 3 * groups, d), networks.NEIGHBOURS, axis=0)
        critic = self._criticise.step(real, latent[0], label, u[: 2 * n])
        creator = self._create.step(latent[1], label, u[2 * n :])
        if number == 1 or number % AVERAGED_EVERY == 0:
            self._follow(number)
        return critic, creator

    def _some(self, label: int, random: np.random.Generator) -> np.ndarray:
        """A group's images, different ones if there are enough."""
        members = self.members[label]
        return random.choice(members, networks.NEIGHBOURS, replace=len(members) < networks.NEIGHBOURS)

    def _loss_of_critic(self, real, latent, label, u):
        drawn = ops.stop_gradient(self.generator([latent, label], training=True))
        images = diffaugment.augment(ops.concatenate([real, drawn]), u)
        of_real = self.discriminator([images[: real.shape[0]], label], training=True)
        of_drawn = self.discriminator([images[real.shape[0] :], label], training=False)  # one power iteration per step
        return ops.mean(ops.relu(1 - of_real)) + ops.mean(ops.relu(1 + of_drawn))

    def _loss_of_creator(self, latent, label, u):
        images = diffaugment.augment(self.generator([latent, label], training=True), u)
        return -ops.mean(self.discriminator([images, label], training=False))
