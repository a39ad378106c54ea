"""One step of an optimizer on any loss, whichever backend Keras runs on."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


class Descent:
    """Lowers a loss by changing one network; compiled once per shape of its array arguments.

    `Model.train_on_batch` would serve one network with one loss; here two networks share each loss.
    """

    def __init__(
        self,
        loss: Callable[..., Any],
        network: keras.Model,
        others: list[keras.Model],
        optimizer: keras.optimizers.Optimizer,
    ):
        """Args:
        loss: a scalar of array arguments.
        network: what the optimizer changes.
        others: networks whose variables the loss reads or, if not trainable, may change.
        """
        self._loss, self._optimizer = loss, optimizer
        self._variables = network.trainable_variables
        self._rest = network.non_trainable_variables + [each for other in others for each in other.variables]
        optimizer.build(self._variables)
        backend = keras.backend.backend()
        if backend not in ("tensorflow", "jax"):
            raise ValueError(f"balance.method gan: Keras runs on {backend}; set KERAS_BACKEND to tensorflow or jax")
        self._step = self._tensorflow() if backend == "tensorflow" else self._jax()

    def step(self, *arrays: np.ndarray) -> float:
        """Change the network once; the loss before it."""
        return float(self._step(*map(keras.ops.convert_to_tensor, arrays)))

    def _tensorflow(self) -> Callable[..., Any]:
        import tensorflow as tf

        @tf.function
        def step(*arrays):
            with tf.GradientTape() as tape:
                loss = self._loss(*arrays)
            self._optimizer.apply(tape.gradient(loss, [each.value for each in self._variables]), self._variables)
            return loss

        return step

    def _jax(self) -> Callable[..., Any]:
        import jax

        groups = (self._variables, self._rest, self._optimizer.variables)

        def scoped(values, rest, arrays):
            mapping = [*zip(self._variables, values, strict=True), *zip(self._rest, rest, strict=True)]
            with keras.StatelessScope(state_mapping=mapping) as scope:
                loss = self._loss(*arrays)
            return loss, [scope.get_current_value(each) for each in self._rest]

        @jax.jit
        def pure(values, rest, held, *arrays):
            (loss, rest), found = jax.value_and_grad(scoped, has_aux=True)(values, rest, arrays)
            values, held = self._optimizer.stateless_apply(held, found, values)
            return loss, (values, rest, held)

        def step(*arrays):
            loss, changed = pure(*([each.value for each in group] for group in groups), *arrays)
            for group, new in zip(groups, changed, strict=True):
                for variable, value in zip(group, new, strict=True):
                    variable.assign(value)
            return loss

        return step
