"""The networks by name."""

from collections.abc import Callable

import keras

from asclepius.models import convnet
from asclepius.models.settings import ModelSettings
from asclepius.task import Task

NETWORKS: dict[str, Callable[..., keras.Model]] = {"convnet": convnet.build}


def build(settings: ModelSettings, input_shape: tuple[int, ...], task: Task, seed: int) -> keras.Model:
    """A freshly initialised network: its last feature map is the layer `features`, its output the layer `output`.

    What comes after the layer `embedding` is its head; see `parts`.

    Args:
        input_shape: of one image, (y, x, channel) or (z, y, x, channel).
        task: gives the outputs: softmax over its classes, or a sigmoid per class when multi-label.
        seed: of initial weights and dropout; the same seed gives the same network.

    Returns:
        A model from normalised images (n, *input_shape) to float32 probabilities (n, classes).

    Raises:
        ValueError: the name is not a network (`logistic` is fitted by train.classical).
        StudyError: the network does not fit the image.
    """
    if settings.name not in NETWORKS:
        raise ValueError(f"model.name: {settings.name!r} is not a network; known: {', '.join(NETWORKS)}")
    return NETWORKS[settings.name](settings, tuple(input_shape), task, seed)


def parts(network: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Body and head, sharing the network's layers: from images to the embedding (n, values), and on to the output."""
    embedding = network.get_layer("embedding").output
    return keras.Model(network.inputs, embedding), keras.Model(embedding, network.outputs)
