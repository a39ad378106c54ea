"""Settings of the process that decide bits and speed: threads, determinism, precision."""

from pathlib import Path

from asclepius import device
from asclepius.train.settings import TrainSettings

BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


def start(settings: TrainSettings) -> str:
    """Set up Keras' backend; call it before anything is computed. Returns the device's name.

    Raises:
        StudyError: this process already computes with another number of threads.
    """
    name = device.start(settings.threads)
    import keras

    keras.config.set_dtype_policy(settings.precision)
    if settings.precision == "mixed_bfloat16" and name == "cpu" and not BFLOAT16_FLAGS & _cpu_flags():
        print("train.precision: this processor has no bfloat16 arithmetic; mixed_bfloat16 will be slow", flush=True)
    return name


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return BFLOAT16_FLAGS  # no way to tell: say nothing
    return set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())
