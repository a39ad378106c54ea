"""When an image's files were last written, so that a file replaced under its old name is read anew."""

import hashlib
import json
import os
from pathlib import Path

import pandas as pd


def stamps(images: pd.DataFrame, root: Path) -> list[str]:
    """Per image a digest over size and modification time of its files and mask.

    Args:
        images: with the manifest's columns `files` (JSON list, relative to root) and `mask`.
    """
    known: dict[tuple[str, str], str] = {}
    found = []
    for pair in zip(images["files"], images["mask"].fillna(""), strict=True):
        if pair not in known:
            files, mask = pair
            known[pair] = _stamp([*(root / name for name in json.loads(files)), *_of_mask(root, mask)])
        found.append(known[pair])
    return found


def _of_mask(root: Path, mask: str) -> list[Path]:
    """The files of a mask, which may be a folder."""
    if not mask:
        return []
    return sorted((root / mask).iterdir()) if (root / mask).is_dir() else [root / mask]


def _stamp(paths: list[Path]) -> str:
    state = hashlib.sha256()
    for path in paths:
        try:
            seen = os.stat(path)
            state.update(f"{seen.st_size} {seen.st_mtime_ns}\n".encode())
        except OSError:
            state.update(b"gone\n")
    return state.hexdigest()[:16]
