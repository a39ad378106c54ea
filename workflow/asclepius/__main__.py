"""The `asclepius` command: each stage on its own, the config's reference, and a check of a study."""

import argparse
import sys

from asclepius import __version__
from asclepius.command import add_parser
from asclepius.errors import StudyError

STAGES = {
    "phantom": "write a simulated chest-CT cohort as DICOM",
    "cohort": "find the images, patients and labels of a source",
    "deidentify": "remove identity from one shard of a cohort",
    "resample": "one grid and one compact type for every image of a shard",
    "quality": "what is kept, what is not, and why",
    "split": "folds by patient",
    "balance": "the training table of a fold and its synthetic examples",
    "train": "fit one arm on its folds and seeds",
    "audit": "prove that nothing leaked",
    "evaluate": "metrics with patient-level intervals",
    "explain": "where the chosen network looks",
    "report": "the page",
    "track": "MLflow runs",
}
OTHERS = {"schema": "write the config's JSON schema and commented defaults"}


def main(arguments: list[str] | None = None) -> int:
    """Run one sub-command; 0 done, 2 refused or used wrongly."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="asclepius",
        description="Stages of an Asclepius study. The workflow itself is `snakemake --cores all`.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="stage", metavar="STAGE", required=True)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for stage, text in STAGES.items():
        # Only the stage asked for is imported: the list of stages must not wait for TensorFlow.
        if stage == chosen:
            add_parser(subparsers, stage)
        else:
            subparsers.add_parser(stage, help=text)
    for name, text in OTHERS.items():
        subparsers.add_parser(name, help=text)
    given = vars(parser.parse_args(arguments))
    try:
        if given.pop("stage") == "schema":
            from asclepius.reference import write

            write()
        else:
            given.pop("call")(given)
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
