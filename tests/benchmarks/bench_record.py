"""Where benchmarks write what they measured."""

import json
import os
import platform
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "results" / "benchmarks"


def record(bench: str, name: str, found: object) -> None:
    """Add a figure to results/benchmarks/<bench>.json, beside the machine it was measured on."""
    path = FOLDER / f"{bench}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known["machine"] = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    known[name] = found
    path.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
