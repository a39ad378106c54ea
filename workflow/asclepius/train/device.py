"""Settings of the process that decide bits and speed: threads, determinism, precision."""

import os
from pathlib import Path

from asclepius.errors import StudyError
from asclepius.train.settings import TrainSettings

BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


def start(settings: TrainSettings) -> str:
    """Set up Keras' backend; call it before anything is computed. Returns the device's name.

    Raises:
        StudyError: this process already computes with another number of threads.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    name = keras.backend.backend()
    if name == "tensorflow":
        name = _start_tensorflow(settings.threads)
    keras.config.set_dtype_policy(settings.precision)
    if settings.precision == "mixed_bfloat16" and name == "cpu" and not BFLOAT16_FLAGS & _cpu_flags():
        print("train.precision: this processor has no bfloat16 arithmetic; mixed_bfloat16 will be slow", flush=True)
    return name


def _start_tensorflow(threads: int) -> str:
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise StudyError(
            f"train.threads: {threads} threads asked for, but this process already computes with "
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


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return BFLOAT16_FLAGS  # no way to tell: say nothing
    return set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())
