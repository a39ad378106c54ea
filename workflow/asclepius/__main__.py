"""The `asclepius` command: each stage on its own, the config's reference, and a check of a study."""

import argparse
import importlib
import sys

from asclepius import __version__
from asclepius.command import add_parser
from asclepius.errors import StudyError

STAGES = {
    "phantom": "write a simulated chest-CT cohort as DICOM",
    "cohort": "find the images, patients and labels of a source",
    "deidentify": "remove identity from a folder of files",
    "resample": "one grid and one compact type for every image of a shard",
    "quality": "what is kept, what is not, and why",
    "split": "folds by patient",
    "augment": "contact sheets of what augmentation does",
    "balance": "the training table of a fold and its synthetic examples",
    "train": "fit one arm on its folds and seeds",
    "audit": "prove that nothing leaked",
    "evaluate": "metrics with patient-level intervals",
    "explain": "where the chosen network looks",
    "report": "the page",
    "track": "MLflow runs",
    "canary": "whether shuffled labels gave chance",
}

# Sub-commands that are no stage of the workflow, or more than one: the module that adds each.
OWN = {
    "deidentify": "asclepius.deidentify.folder.command",
    "reidentify": "asclepius.deidentify.reidentify",
    "compare": "asclepius.evaluate.markdown",
}
OTHERS = {
    "compare": "print a finished study's arms and metrics as a Markdown table",
    "reidentify": "say what pseudonyms stand for, and write down that it was asked",
    "schema": "write the config's JSON schema and commented defaults",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one sub-command; 0 done, 1 done in part, 2 refused or used wrongly."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="asclepius",
        description="Stages of an Asclepius study. The workflow itself is `snakemake --cores all`.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="stage", metavar="STAGE", required=True)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for name, text in {**STAGES, **OTHERS}.items():
        # Only the one asked for is imported: the list must not wait for TensorFlow.
        if name != chosen or name == "schema":
            subparsers.add_parser(name, help=text)
        elif name in OWN:
            importlib.import_module(OWN[name]).add_parser(subparsers, text)
        else:
            add_parser(subparsers, name)
    given = vars(parser.parse_args(arguments))
    try:
        if given.pop("stage") == "schema":
            from asclepius.reference import write

            write()
            return 0
        return given.pop("call")(given) or 0
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
