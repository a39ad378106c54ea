"""The two networks of the GAN, in 2D or 3D: a generator and a projection discriminator."""

import math

import keras
import numpy as np
from keras import layers, ops

from asclepius.balance.gan.grid import levels

LATENT = 64
WIDEST = 4  # times the filters at full size
GROUPS = 8
NEIGHBOURS = 4  # images of a batch that the discriminator sees side by side
SLOPE = 0.2
GAIN = 2**0.5  # what a leaky ReLU takes from the size of features
STYLE = 64


def generator(shape: tuple[int, ...], channels: int, classes: int, filters: int) -> keras.Model:
    """From noise (n, LATENT) and one-hot labels (n, classes) to images (n, *shape, channels) in -1..1.

    Each level doubles the image, then convolves; scale and offset of its features depend on class and noise
    (conditional normalisation: de Vries et al. 2017; on the noise too: Karras et al. 2019). Group normalisation
    (Wu and He 2018) instead of batch normalisation: an image does not depend on the others of its batch.
    """
    sizes = levels(shape)[::-1]
    convolution, up, crop = _layers(len(shape))
    latent, label = keras.Input((LATENT,), name="latent"), keras.Input((classes,), name="label")
    style = layers.Concatenate(name="joined")([latent, layers.Dense(LATENT, use_bias=False, name="embedding")(label)])
    style = layers.LeakyReLU(SLOPE, name="style_relu")(layers.Dense(STYLE, name="style")(style))

    widths = [min(WIDEST, 2**level) * filters for level in range(len(sizes))][::-1]
    x = layers.Dense(math.prod(sizes[0]) * widths[0], name="seed")(layers.Concatenate(name="start")([latent, style]))
    x = layers.Reshape((*sizes[0], widths[0]), name="seed_image")(x)
    for number, (size, width) in enumerate(zip(sizes, widths, strict=True)):
        name = f"level{number}"
        if number:
            factor = tuple(-(-new // old) for new, old in zip(size, sizes[number - 1], strict=True))
            x = up(factor, name=f"{name}_up")(x)
            excess = [old * by - new for old, by, new in zip(sizes[number - 1], factor, size, strict=True)]
            if any(excess):
                x = crop([(0, over) for over in excess], name=f"{name}_crop")(x)
        x = convolution(width, 3, padding="same", name=f"{name}_conv")(x)
        x = layers.GroupNormalization(math.gcd(GROUPS, width), center=False, scale=False, name=f"{name}_norm")(x)
        for what, join in (("scale", layers.Multiply), ("offset", layers.Add)):
            value = layers.Dense(width, bias_initializer="ones" if what == "scale" else "zeros", name=f"{name}_{what}")(
                style
            )
            value = layers.Reshape((*[1] * len(shape), width), name=f"{name}_{what}_all")(value)
            x = join(name=f"{name}_{what}d")([x, value])
        x = layers.LeakyReLU(SLOPE, name=f"{name}_relu")(x)
    image = convolution(channels, 3, padding="same", activation="tanh", name="image")(x)
    return keras.Model([latent, label], image, name="generator")


def discriminator(shape: tuple[int, ...], channels: int, classes: int, filters: int) -> keras.Model:
    """From images (n, *shape, channels) and one-hot labels to scores (n, 1): high where real.

    The label enters as an inner product with the features (projection: Miyato and Koyama 2018); every layer
    is spectrally normalised. It sees how much four neighbours in the batch differ, and so a generator that repeats
    itself, if they are of one class, all real or all drawn, and augmented alike.
    """
    image, label = keras.Input((*shape, channels), name="image"), keras.Input((classes,), name="label")
    sizes = levels(shape)
    x = image
    for number, size in enumerate(sizes):
        width = min(WIDEST, 2**number) * filters
        strides = tuple(1 if not number or old == new else 2 for old, new in zip(sizes[number - 1], size, strict=True))
        x = SpectralConvolution(width, 4 if number else 3, strides, name=f"level{number}_conv")(x)
        x = layers.LeakyReLU(SLOPE, name=f"level{number}_relu")(x)
    x = layers.Flatten(name="flat")(Variety(name="variety")(x))
    x = layers.LeakyReLU(SLOPE, name="features")(SpectralDense(WIDEST * filters, name="dense")(x))
    projected = layers.Dot(axes=1, name="projected")([x, SpectralDense(WIDEST * filters, False, name="class")(label)])
    score = layers.Add(name="score")([SpectralDense(1, name="realness")(x), projected])
    return keras.Model([image, label], score, name="discriminator")


def _layers(dimensions: int) -> tuple[type, type, type]:
    return {
        2: (layers.Conv2D, layers.UpSampling2D, layers.Cropping2D),
        3: (layers.Conv3D, layers.UpSampling3D, layers.Cropping3D),
    }[dimensions]


class Spectral(layers.Layer):
    """A layer whose kernel is divided by its largest singular value (Miyato et al. 2018).

    One step of power iteration per call in training. keras.layers.SpectralNormalization instead overwrites the
    kernel while the loss is computed, so that no gradient passes through the norm.
    """

    def add_kernel(self, shape: tuple[int, ...], bias: bool) -> None:
        self.kernel = self.add_weight(shape=shape, initializer="orthogonal", name="kernel")
        self.bias = self.add_weight(shape=shape[-1:], initializer="zeros", name="bias") if bias else None
        self.direction = self.add_weight(
            shape=shape[-1:], initializer=keras.initializers.RandomNormal(), trainable=False, name="direction"
        )

    def normalised(self, training: bool) -> keras.KerasTensor:
        flat = ops.reshape(self.kernel, (-1, self.kernel.shape[-1]))
        fixed = ops.stop_gradient(flat)
        left = _unit(ops.matmul(fixed, self.direction))
        right = _unit(ops.matmul(left, fixed))
        if training:
            self.direction.assign(right)
        return self.kernel / ops.sum(left * ops.matmul(flat, right))

    def with_bias(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return x if self.bias is None else x + self.bias


class SpectralConvolution(Spectral):
    def __init__(self, filters: int, size: int, strides: tuple[int, ...], **options):
        super().__init__(**options)
        self.filters, self.size, self.strides = filters, size, strides

    def build(self, input_shape):
        self.add_kernel((*[self.size] * len(self.strides), input_shape[-1], self.filters), bias=True)

    def call(self, x, training=False):
        return GAIN * self.with_bias(ops.conv(x, self.normalised(training), self.strides, padding="same"))


class SpectralDense(Spectral):
    def __init__(self, units: int, use_bias: bool = True, **options):
        super().__init__(**options)
        self.units, self.use_bias = units, use_bias

    def build(self, input_shape):
        self.add_kernel((input_shape[-1], self.units), self.use_bias)

    def call(self, x, training=False):
        return self.with_bias(ops.matmul(x, self.normalised(training)))


class Variety(layers.Layer):
    """Adds a channel that holds how much the features of four neighbours in the batch differ (Karras et al. 2018)."""

    def call(self, x):
        groups = ops.reshape(x, (-1, NEIGHBOURS, math.prod(x.shape[1:])))
        spread = ops.mean(ops.sqrt(ops.var(groups, axis=1) + 1e-8), axis=1)
        spread = ops.reshape(ops.repeat(spread, NEIGHBOURS), (-1, *[1] * (len(x.shape) - 1)))
        return ops.concatenate([x, ops.ones_like(x[..., :1]) * spread], axis=-1)

    def compute_output_shape(self, input_shape):
        """Said, not traced: of a batch of unknown size JAX cannot tell whether it comes in fours."""
        return (*input_shape[:-1], input_shape[-1] + 1)


def _unit(x: keras.KerasTensor) -> keras.KerasTensor:
    return x / (ops.sqrt(ops.sum(x * x)) + 1e-12)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(n, classes) float32."""
    return np.eye(classes, dtype=np.float32)[labels]
