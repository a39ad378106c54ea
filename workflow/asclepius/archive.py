"""Model files that are equal byte for byte when the models are."""

import json
import re
import zipfile
from pathlib import Path

from asclepius.tables import replacing

EPOCH = (1980, 1, 1, 0, 0, 0)
KERAS = re.compile(rb'"shared_object_id": (\d+)')
SKOPS = re.compile(rb'"__id__": (\d+)|"(\d+)\.npy"')


def settle(path: Path) -> None:
    """Rewrite a .keras or .skops file without what differs between two processes: dates and memory addresses."""
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in sorted(source.namelist())}
    if "schema.json" in members:
        members = _settled_skops(members)
    else:
        members["config.json"], _ = _renumbered(members["config.json"], KERAS)
        about = json.loads(members["metadata.json"]) | {"date_saved": ""}
        members["metadata.json"] = json.dumps(about, sort_keys=True).encode()
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as target:
        for name in sorted(members):
            target.writestr(zipfile.ZipInfo(name, EPOCH), members[name])


def _settled_skops(members: dict[str, bytes]) -> dict[str, bytes]:
    schema, numbers = _renumbered(members.pop("schema.json"), SKOPS)
    arrays = {f"{numbers[Path(name).stem.encode()]}.npy": content for name, content in members.items()}
    return arrays | {"schema.json": schema}


def _renumbered(text: bytes, addresses: re.Pattern) -> tuple[bytes, dict[bytes, int]]:
    """Objects named by their address in memory, named 1, 2, ... in order of appearance."""
    numbers: dict[bytes, int] = {}

    def renumber(found: re.Match) -> bytes:
        address = next(group for group in found.groups() if group is not None)
        number = numbers.setdefault(address, len(numbers) + 1)
        return found[0].replace(address, str(number).encode())

    return addresses.sub(renumber, text), numbers
