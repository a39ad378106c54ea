"""Settings of a process that decide what Keras computes on, and its bits."""

import os

from asclepius.errors import StudyError


def start(threads: int) -> str:
    """Set up Keras' backend, deterministic; call it before anything is computed. Returns the device's name.

    Raises:
        StudyError: this process already computes with another number of threads.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    name = keras.backend.backend()
    return _start_tensorflow(threads) if name == "tensorflow" else name


def _start_tensorflow(threads: int) -> str:
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise StudyError(
            f"{threads} threads asked for, but this process already computes with "
            f"{tf.config.threading.get_intra_op_parallelism_threads()}; start a new process"
        ) from None
    tf.config.experimental.enable_op_determinism()
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return "cpu"
    if not tf.config.experimental.get_memory_growth(devices[0]):
        for device in devices:
            tf.config.experimental.set_memory_growth(device, True)
    return tf.config.experimental.get_device_details(devices[0]).get("device_name", "gpu")
