"""Tables of the de-identification stage; later stages know no other source of truth."""

from asclepius.tables import Schema

MANIFEST = Schema(
    "deidentify/manifest",
    {
        "image": "str",  # keyed token, 16 hexadecimal digits
        "patient": "str",  # pseudonym, P- and 10 hexadecimal digits
        "visit": "int",  # 1, 2, ... in order of date
        "site": "str",  # S- and 4 hexadecimal digits
        "scanner": "str",
        "modality": "str",
        "label": "str",
        "official": "str",
        "age": "float",  # years, at most 89
        "sex": "str",
        "format": "str",  # dicom, nifti, picture or npz
        "path": "str",  # the shard's release (.zip or folder), or the .npz a view looks into
        "member": "str",  # JSON list of the container's members in reading order, or the array's name
        "row": "int",
        "mask": "str",  # the mask's member in the container, or a JSON list of a DICOM series' members
        "boxes": "str",
        "shard": "int",
        "position": "int",  # rank in the source, independent of the key; -1 in a shard's own table, set when gathered
    },
    key=("image",),
    nullable=frozenset({"site", "scanner", "modality", "label", "official", "sex", "member", "mask", "boxes"}),
    extra=True,
)

AUDIT = Schema(
    "deidentify/audit",
    {
        "image": "str",
        "file": "str",  # in the container; <token>/*.dcm stands for all slices of an image
        "tag": "str",  # DICOM tag, NIfTI field, PNG chunk or JPEG segment
        "keyword": "str",
        "action": "str",  # X removed, Z emptied, D dummy, U new UID, C changed or emptied after a check
        "count": "int",  # values changed
    },
    key=("image", "file", "tag", "keyword", "action"),
)
