"""PNG, JPEG, TIFF and BMP: a folder per class, or a table with a path column."""

from pathlib import Path

from asclepius.cohort.folder import PICTURES, SIDE_FILES, Tally, file_list, layout, locate, printable, suffix, walk
from asclepius.cohort.inventory import Inventory, Rejects, images
from asclepius.cohort.settings import SourceSettings
from asclepius.errors import Rejected

MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+", b"BM")
OTHER_IMAGES = frozenset(
    (".gif", ".webp", ".svg", ".heic", ".jp2", ".dcm", ".nii", ".nii.gz", ".nrrd", ".mha", ".npy", ".npz")
)
LOOKED_FOR = "PNG, JPEG, TIFF or BMP files"


def read(settings: SourceSettings) -> Inventory:
    """Every picture below the folder; an image's class and official role come from the folders above it."""
    folder, prefix = locate(settings.path, settings.images)
    rejects, tally, paths = Rejects(), Tally(), []
    for path in walk(folder):
        end = suffix(path)
        if end in PICTURES:
            try:
                check(folder / path)
                paths.append(path)
            except Rejected as rejected:
                rejects.add(printable(path), printable(prefix + path), rejected)
        elif end in OTHER_IMAGES:
            sentence = f"a {end} file; {LOOKED_FOR} are read"
            rejects.add(printable(path), printable(prefix + path), Rejected("not-an-image", sentence))
        else:
            tally.skip(path)
    official, classes = layout(paths)
    names = [printable(path) for path in paths]
    found = images(
        len(paths),
        source=names,
        root=str(settings.path),
        files=[file_list([path], prefix) for path in paths],
        format="picture",
        official=official,
        label=classes,
        file=names,
    )
    odd = {end: n for end, n in tally.endings.items() if end not in SIDE_FILES}
    notes = [f"passed over, no pictures: {tally}"] if odd else []
    return Inventory(found, rejects.frame(), notes)


def check(path: Path) -> None:
    """A look at the first bytes: does the file begin as a picture?

    Raises:
        Rejected: empty or unreadable.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(8)
    except OSError as error:
        raise Rejected("unreadable", f"the file cannot be opened ({error.strerror})") from None
    if not head:
        raise Rejected("empty", "a file of 0 bytes; copy it again from its origin")
    if not head.startswith(MAGIC):
        raise Rejected("unreadable", "the file does not begin as PNG, JPEG, TIFF or BMP; export it again")
