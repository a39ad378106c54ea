"""Digests, code fingerprints and the environment: what a result was made from."""

import ast
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
STACK = (
    "tensorflow",
    "keras",
    "snakemake",
    "mlflow",
    "scikit-learn",
    "imbalanced-learn",
    "pandas",
    "numpy",
    "nibabel",
    "pydicom",
    "SimpleITK",
)


def digest(values: Iterable[str]) -> str:
    """SHA-256 over sorted strings: the same set gives the same digest in any order."""
    state = hashlib.sha256()
    for value in sorted(values):
        state.update(value.encode("utf-8") + b"\0")
    return state.hexdigest()


def fit_record(what: str, roles: list[str], images: Iterable[str]) -> dict:
    """What was fitted to data, for fits.json: always to all images of the named roles of the fold.

    The audit recomputes the digest from split/folds, so a fit that saw one image more or less is found.
    """
    images = list(images)
    return {"what": what, "roles": sorted(roles), "images": digest(images), "n": len(images)}


def write_json(value: object) -> str:
    """JSON as every stage writes it: sorted, indented, with a last newline."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def tree_digest(path: Path) -> str:
    """A digest over (relative path, size, modification time) of a file or of every file below a folder.

    A folder's own time does not change when a file deep inside does; this does. Links are followed once
    (a loop of links ends at the second visit); what cannot be read counts by its name.
    """
    path = Path(path)
    state = hashlib.sha256()
    seen: set[tuple[int, int]] = set()

    def visit(folder: str, prefix: str) -> None:
        try:
            found = os.stat(folder)
            if (found.st_dev, found.st_ino) in seen:
                return
            seen.add((found.st_dev, found.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            state.update(f"{prefix}\0{error.errno}\n".encode("utf-8", "surrogateescape"))
            return
        for entry in entries:
            name = f"{prefix}/{entry.name}"
            try:
                if entry.is_dir():
                    visit(entry.path, name)
                    continue
                found = entry.stat()
                line = f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n"
            except OSError as error:
                line = f"{name}\0{error.errno}\n"
            state.update(line.encode("utf-8", "surrogateescape"))

    if path.is_dir():
        visit(str(path), "")
    elif path.exists():
        found = path.stat()
        state.update(f"{found.st_size}\0{found.st_mtime_ns}".encode())
    else:
        state.update(b"missing")
    return state.hexdigest()


@cache
def fingerprint(module: str) -> str:
    """A digest over the code of a module of the package and of every module it imports, however deep.

    Args:
        module: dotted name below the package, e.g. "balance.command".

    Docstrings and comments do not count: mending a sentence re-runs nothing. Data files that lie beside
    a module (tables, page templates) do.
    """
    names: set[str] = set()
    _follow(f"asclepius.{module}", names)
    state = hashlib.sha256()
    for name in sorted(names):
        state.update(f"{name}\0{_code(name)}\n".encode())
    for folder in sorted({_file(name).parent for name in names}):
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                state.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return state.hexdigest()[:16]


def _file(name: str) -> Path | None:
    base = PACKAGE.parent.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _code(name: str) -> str:
    tree = ast.parse(_file(name).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            node.body = body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _follow(name: str, found: set[str]) -> None:
    path = _file(name)
    if path is None or name in found:
        return
    found.add(name)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            targets = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for target in targets:
            if target.split(".")[0] == "asclepius":
                _follow(target, found)


def environment() -> dict[str, str]:
    """Versions of Python, of the mandated stack and of the machine's architecture."""
    versions = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    for name in STACK:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
