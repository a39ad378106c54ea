"""Tables of the cohort stage; all lie under restricted/."""

from asclepius.tables import Schema

MANIFEST = Schema(
    "restricted/cohort/manifest",
    {
        "source": "str",  # names the image within the source, e.g. its path; "external/..." in the second
        "root": "str",  # folder or file as given in the config
        "files": "str",  # JSON list of paths relative to root, in reading order
        "member": "str",  # array name inside an .npz
        "row": "int",  # row inside that array, or volume of a multi-frame object; -1 otherwise
        "stamp": "str",  # of the files' sizes and times: a file written anew changes its shard's manifest
        "format": "str",  # dicom, nifti, picture or npz
        "patient": "str",
        "visit": "str",
        "date": "str",  # of the visit, ISO 8601, to order visits
        "site": "str",
        "scanner": "str",
        "modality": "str",
        "label": "str",  # a class; several of a multi-label study joined by "|"; null without a label
        "official": "str",  # role in the source's own split: train, validation, test, or external
        "age": "float",  # years
        "sex": "str",  # F, M or O
        "mask": "str",  # path of a mask relative to root: a file, or the folder of a DICOM series
        "boxes": "str",  # JSON list of [x0, y0, z0, x1, y1, z1] in source voxels, upper end exclusive
        "shard": "int",
    },
    key=("source",),
    nullable=frozenset({"member", "date", "site", "scanner", "modality", "label", "official", "sex", "mask", "boxes"}),
    extra=True,  # cohort.columns, each as x_<name>
)

ORDER = Schema("restricted/cohort/order", {"source": "str", "position": "int"}, key=("source",))

REJECTED = Schema(
    "restricted/cohort/rejected",
    {"source": "str", "path": "str", "patient": "str", "reason": "str", "sentence": "str"},
    nullable=frozenset({"patient"}),
)
