"""Other tools for the benchmark of de-identification, each as a function from a folder to a folder.

Kitware's dicom-anonymizer is installed into a folder of the benchmark, gdcmanon comes from Debian's libgdcm-tools.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

GDCMANON = shutil.which("gdcmanon")
_KITWARE = """
import sys, time, warnings
from pathlib import Path
from dicomanonymizer.simpledicomanonymizer import anonymize_dicom_file
warnings.simplefilter("ignore")
source, out = map(Path, sys.argv[1:3])
paths = [path for path in sorted(source.rglob("*")) if path.is_file()]
start = time.perf_counter()
for path in paths:
    target = out / path.relative_to(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        anonymize_dicom_file(str(path), str(target))
    except Exception:
        target.unlink(missing_ok=True)
print(time.perf_counter() - start)
"""


def files(source: Path) -> list[Path]:
    return [path for path in sorted(source.rglob("*")) if path.is_file()]


def install(folder: Path, *packages: str) -> bool:
    """Install packages, without what they need, into a folder of their own."""
    target = ["install", "--quiet", "--no-deps", "--target", str(folder), *packages]
    for pip in ([sys.executable, "-m", "pip"], ["uv", "pip"]):
        try:
            done = subprocess.run([*pip, *target], capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if not done.returncode:
            return True
    return False


class Kitware:
    """dicom-anonymizer with its defaults, timed without the start of Python."""

    name = "Kitware dicom-anonymizer"

    def __init__(self, folder: Path):
        # Without its dependencies: it shares this environment's pydicom, so that both stand on the same reader.
        if not install(folder, "dicom-anonymizer==2.1.0", "tqdm"):
            pytest.skip("dicom-anonymizer cannot be installed")
        self.environment = {**os.environ, "PYTHONPATH": str(folder)}

    def __call__(self, source: Path, out: Path) -> float:
        command = [sys.executable, "-c", _KITWARE, str(source), str(out)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return float(done.stdout.split()[-1])


class Gdcm:
    """gdcmanon, which encrypts the original attributes into each file; `whole` is one process for a folder."""

    name = "gdcmanon"

    def __init__(self, folder: Path, *, whole: bool = True):
        if not GDCMANON:
            pytest.skip("gdcmanon (Debian's libgdcm-tools) is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        self.whole, self.certificate = whole, folder / "certificate.pem"
        key = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(folder / "key.pem"), "-subj", "/CN=benchmark"]
        words = ["openssl", "req", "-x509", *key, "-out", str(self.certificate)]
        subprocess.run(words, capture_output=True, check=True)

    def __call__(self, source: Path, out: Path) -> float:
        command = [GDCMANON, "-e", "-c", str(self.certificate)]
        start = time.perf_counter()
        if self.whole:
            subprocess.run(
                [*command, "-r", "--continue", "-i", str(source), "-o", str(out)], capture_output=True, check=False
            )
        for path in [] if self.whole else files(source):
            target = out / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            done = subprocess.run([*command, "-i", str(path), "-o", str(target)], capture_output=True, check=False)
            if done.returncode:
                target.unlink(missing_ok=True)
        return time.perf_counter() - start
