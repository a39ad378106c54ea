"""One contender of the augmentation benchmark, in a process of its own: `python augment_contenders.py NAME CASE`.

Each line it reads makes it augment COUNT images once, and tell seconds and processor seconds as JSON. Peers do per
image what a script of few lines would, with the steps of ours that they have, every probability and limit the same.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np

COUNT = 8
SHAPES = {"six steps": (64, 64, 64), "mri": (64, 64, 64), "xray": (224, 224)}
SIX = {
    "flip": ["x"],
    "affine": {"scale": [0.9, 1.1], "shear": [-5, 5]},
    "rotate": [-10, 10],
    "bias_field": [0, 0.3],
    "blur": [0.5, 1.5],
    "gamma": [0.7, 1.4],
    "noise": [0, 0.1],
}


def images(case: str) -> np.ndarray:
    """(COUNT, *shape), float32: a blurred blob with noise."""
    shape = SHAPES[case]
    grids = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    body = np.exp(-3 * sum(grid**2 for grid in grids))
    random = np.random.default_rng(1)
    return np.stack([body + random.normal(0, 0.1, shape) for _ in range(COUNT)]).astype(np.float32)


def asclepius(case: str) -> Callable[[int], None]:
    from asclepius.augment.augmenter import Augmenter
    from asclepius.augment.settings import AugmentSettings
    from asclepius.train import device
    from asclepius.train.settings import TrainSettings

    device.start(TrainSettings())
    settings = AugmentSettings(**(SIX if case == "six steps" else {"preset": case}))
    given, rest = images(case)[..., None], (np.zeros((COUNT, 2), np.float32), np.ones(COUNT, np.float32))
    augmenter = Augmenter(settings, given.shape[1:], COUNT)
    augmenter.start(1, 1)
    return lambda number: np.array(augmenter(given, *rest, np.arange(COUNT) + COUNT * number, number)[0])


def training_step(case: str) -> Callable[[int], None]:
    """One step of the default network on a batch of the same images."""
    import keras

    from asclepius.models.registry import build
    from asclepius.models.settings import ModelSettings
    from asclepius.task import Task
    from asclepius.train import device
    from asclepius.train.settings import TrainSettings

    device.start(TrainSettings())
    keras.utils.set_random_seed(1)
    given = images(case)[..., None]
    network = build(ModelSettings(), given.shape[1:], Task("binary", ("no", "yes"), "yes"), 1)
    network.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy", jit_compile=False)
    targets = np.eye(2, dtype=np.float32)[np.arange(COUNT) % 2]
    return lambda number: network.train_on_batch(given, targets)


def torchio(case: str) -> Callable[[int], None]:
    import torch
    import torchio as tio

    torch.set_num_threads(2)
    flat = len(SHAPES[case]) == 2
    turn = (0, 0, 0, 0, -7, 7) if flat else (-10, 10)
    steps = {
        "six steps": [
            tio.RandomFlip(axes=(2,), flip_probability=0.5),
            tio.RandomAffine(scales=(0.9, 1.1), degrees=(-10, 10), default_pad_value="minimum"),
            tio.RandomBiasField(coefficients=0.3),
            tio.RandomBlur(std=(0.5, 1.5)),
            tio.RandomGamma(log_gamma=(-0.35, 0.35)),
            tio.RandomNoise(std=(0, 0.1)),
        ],
        "mri": [
            tio.RandomFlip(axes=(2,), flip_probability=0.5),
            tio.RandomAffine(scales=(0.9, 1.1), degrees=(-10, 10), translation=3, default_pad_value="minimum"),
            tio.RandomElasticDeformation(max_displacement=2, p=0.2),
            tio.RandomBiasField(coefficients=0.3, p=0.3),
            tio.RandomMotion(degrees=0, translation=3, num_transforms=1, p=0.1),
            tio.RandomGhosting(intensity=(0, 0.5), p=0.1),
            tio.RandomSpike(p=0.05),
            tio.RandomBlur(std=(0.3, 1), p=0.2),
            tio.RandomAnisotropy(downsampling=(1, 2), p=0.2),
            tio.RandomGamma(log_gamma=(-0.35, 0.35), p=0.3),
            tio.RandomNoise(std=(0, 0.1), p=0.3),
        ],
        "xray": [
            tio.RandomAffine(scales=(0.9, 1.1, 0.9, 1.1, 1, 1), degrees=turn, translation=(-11, 11, -11, 11, 0, 0),
                             default_pad_value="minimum"),
            tio.RandomBlur(std=(0.3, 1, 0.3, 1, 0, 0), p=0.2),
            tio.RandomGamma(log_gamma=(-0.35, 0.35), p=0.3),
            tio.RandomNoise(std=(0, 0.1), p=0.3),
        ],
    }  # fmt: skip
    transform = tio.Compose(steps[case])
    given = [torch.from_numpy(one[None, ..., None] if flat else one[None]) for one in images(case)]
    return lambda number: [transform(one) for one in given]


def monai(case: str) -> Callable[[int], None]:
    import torch
    from monai import transforms as m

    torch.set_num_threads(2)
    spline = {"padding_mode": "border", "mode": "bilinear"}
    turn, grow, aside = [np.radians(10)] * 3, [0.1] * 3, [11] * 2
    steps = {
        "six steps": [
            m.RandFlip(prob=0.5, spatial_axis=2),
            m.RandAffine(prob=1, rotate_range=turn, scale_range=grow, shear_range=[0.09] * 6, **spline),
            m.RandBiasField(prob=1, coeff_range=(0, 0.3)),
            m.RandGaussianSmooth(prob=1, sigma_x=(0.5, 1.5), sigma_y=(0.5, 1.5), sigma_z=(0.5, 1.5)),
            m.RandAdjustContrast(prob=1, gamma=(0.7, 1.4)),
            m.RandGaussianNoise(prob=1, std=0.1),
        ],
        "mri": [
            m.RandFlip(prob=0.5, spatial_axis=2),
            m.RandAffine(prob=1, rotate_range=turn, scale_range=grow, translate_range=[3] * 3, **spline),
            m.Rand3DElastic(prob=0.2, sigma_range=(5, 7), magnitude_range=(0, 50), **spline),
            m.RandBiasField(prob=0.3, coeff_range=(0, 0.3)),
            m.RandKSpaceSpikeNoise(prob=0.05),
            m.RandGaussianSmooth(prob=0.2, sigma_x=(0.3, 1), sigma_y=(0.3, 1), sigma_z=(0.3, 1)),
            m.RandSimulateLowResolution(prob=0.2, zoom_range=(0.5, 1)),
            m.RandAdjustContrast(prob=0.3, gamma=(0.7, 1.4)),
            m.RandScaleIntensityFixedMean(prob=0.3, factors=0.2),
            m.RandStdShiftIntensity(prob=0.3, factors=0.2),
            m.RandRicianNoise(prob=0.3, std=0.1),
        ],
        "xray": [
            m.RandAffine(prob=1, rotate_range=[0.12], scale_range=grow[:2], translate_range=aside, **spline),
            m.RandGaussianSmooth(prob=0.2, sigma_x=(0.3, 1), sigma_y=(0.3, 1)),
            m.RandAdjustContrast(prob=0.3, gamma=(0.7, 1.4)),
            m.RandScaleIntensityFixedMean(prob=0.5, factors=0.2),
            m.RandStdShiftIntensity(prob=0.5, factors=0.2),
            m.RandGaussianNoise(prob=0.3, std=0.1),
        ],
    }
    transform = m.Compose(steps[case])
    transform.set_random_state(1)
    given = [torch.from_numpy(one[None]) for one in images(case)]
    assert transform(given[0]).shape == (1, *SHAPES[case])
    return lambda number: [transform(one) for one in given]


def keras_layers(case: str) -> Callable[[int], None]:
    """Those of the 2D preset that Keras has; no gamma, noise only as a constant."""
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    keras.utils.set_random_seed(1)
    layers = keras.layers
    augment = keras.Sequential(
        [
            layers.RandomRotation(7 / 360, fill_mode="nearest"),
            layers.RandomTranslation(0.05, 0.05, fill_mode="nearest"),
            layers.RandomZoom((-0.1, 0.1), fill_mode="nearest"),
            layers.RandomContrast(0.2, value_range=(-1, 1)),
            layers.RandomBrightness(0.1, value_range=(-1, 1)),
            layers.RandomGaussianBlur(0.2, 3, 0.5, value_range=(-1, 1)),
        ]
    )
    call = tf.function(lambda given: augment(given, training=True))
    given = images(case)[..., None]
    return lambda number: np.asarray(call(given))


CONTENDERS = {
    "asclepius": asclepius,
    "TorchIO": torchio,
    "MONAI": monai,
    "keras.layers": keras_layers,
    "training step": training_step,
}


def main(name: str, case: str) -> None:
    work = CONTENDERS[name](case)
    for number, _ in enumerate(sys.stdin):
        begin, processor = time.perf_counter(), time.process_time()
        work(number)
        found = {"seconds": time.perf_counter() - begin, "processor": time.process_time() - processor}
        sys.__stdout__.write(json.dumps(found) + "\n")
        sys.__stdout__.flush()


if __name__ == "__main__":
    main(*sys.argv[1:3])
