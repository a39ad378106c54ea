"""The convolutional network of the field's introductions: convolution blocks, then dense layers, in 2D or 3D."""

import math
from collections.abc import Iterator

import keras
import numpy as np
from keras import layers

from asclepius.errors import StudyError
from asclepius.models.settings import ModelSettings
from asclepius.task import Task

# Keras' 0.99 needs hundreds of steps to forget its start; a small cohort has a few dozen in all.
MOMENTUM = 0.9
GROUPS = 8


def build(settings: ModelSettings, input_shape: tuple[int, ...], task: Task, seed: int) -> keras.Model:
    """Blocks of 3-wide convolutions and max pooling, then pooling, an optional dense layer and the head.

    He initialisation (He et al. 2015) before each ReLU. Every layer is named, so that equal settings give equal files.

    Args:
        input_shape: (y, x, channel) or (z, y, x, channel).
    """
    seeds = _seeds(seed)
    dimensions = len(input_shape) - 1
    convolution = {2: layers.Conv2D, 3: layers.Conv3D}[dimensions]
    pool = {2: layers.MaxPooling2D, 3: layers.MaxPooling3D}[dimensions]
    average = {2: layers.GlobalAveragePooling2D, 3: layers.GlobalAveragePooling3D}[dimensions]

    image = keras.Input(input_shape, name="image")
    x = image
    sizes = _pool_sizes(input_shape[:-1], settings.blocks)
    for block, size in enumerate(sizes, start=1):
        filters = settings.filters * 2 ** (block - 1)
        for number in range(1, settings.convolutions + 1):
            name = f"block{block}_conv{number}"
            x = convolution(
                filters,
                3,
                padding="same",
                use_bias=settings.normalisation == "none",
                kernel_initializer=keras.initializers.HeNormal(next(seeds)),
                name=name,
            )(x)
            if settings.normalisation == "batch":
                x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
            elif settings.normalisation == "group":
                x = layers.GroupNormalization(math.gcd(filters, GROUPS), name=f"{name}_norm")(x)
            last = block == settings.blocks and number == settings.convolutions
            x = layers.ReLU(name="features" if last else f"{name}_relu")(x)
        x = pool(size, name=f"block{block}_pool")(x)

    if settings.pooling == "average":
        x = average(name="average")(x)
        if settings.normalisation == "batch":
            # A finding of a few voxels moves a volume's average little: without a scale of its own it is learned late.
            x = layers.BatchNormalization(momentum=MOMENTUM, name="average_norm")(x)
    else:
        x = layers.Flatten(name="flatten")(x)
    x = layers.Identity(name="embedding")(x)
    if settings.dense:
        if settings.dropout:
            x = layers.Dropout(settings.dropout, seed=next(seeds), name="dense_dropout")(x)
        x = layers.Dense(
            settings.dense,
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(next(seeds)),
            name="dense",
        )(x)
    if settings.dropout:
        x = layers.Dropout(settings.dropout, seed=next(seeds), name="output_dropout")(x)
    output = layers.Dense(
        len(task.classes),
        activation="sigmoid" if task.kind == "multilabel" else "softmax",
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        dtype="float32",  # also under mixed precision: bfloat16 logits have three digits
        name="output",
    )(x)
    return keras.Model(image, output, name="convnet")


def _seeds(seed: int) -> Iterator[int]:
    for number in range(10_000):
        yield int(np.random.SeedSequence((seed, number)).generate_state(1)[0] >> 1)


def _pool_sizes(shape: tuple[int, ...], blocks: int) -> list[tuple[int, ...]]:
    """What each block divides the axes by: 2, and 1 along an axis already down to one pixel (thin volumes)."""
    sizes, rest = [], shape
    for block in range(blocks):
        if max(rest) < 2:
            raise StudyError(
                f"model.blocks: {blocks} blocks halve an image of {list(shape)} pixels below one pixel; "
                f"use at most {block}, or a larger resample.size"
            )
        sizes.append(tuple(2 if length >= 2 else 1 for length in rest))
        rest = tuple(length // size for length, size in zip(rest, sizes[-1], strict=True))
    return sizes
