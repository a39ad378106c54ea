"""One function per stage, two ways to call it: a rule's script and the command line."""

import argparse
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from asclepius import __version__
from asclepius.errors import StudyError
from asclepius.settings import Settings

TAIL = 15


def execute(function: Callable[..., None], snakemake: Any) -> None:
    """Call a stage's `run` with what its rule names in input, output, params and wildcards.

    What the stage prints goes to the rule's log; if it fails, the log's last lines are shown as well.
    """
    given = {**dict(snakemake.wildcards.items()), **dict(snakemake.params.items())}
    given |= dict(snakemake.input.items()) | dict(snakemake.output.items())
    hints = get_type_hints(function)
    arguments = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in given:
            arguments[name] = _convert(given[name], hints[name])
        elif parameter.default is inspect.Parameter.empty:
            raise StudyError(f"rule {snakemake.rule}: nothing named {name!r} for {function.__module__}.run")
    log = Path(snakemake.log[0])
    log.parent.mkdir(parents=True, exist_ok=True)
    with _into(log):
        print(_place(), flush=True)
        try:
            function(**arguments)
            return
        except StudyError as error:
            print(f"error: {error}", flush=True)
        except BaseException:
            traceback.print_exc(file=sys.stdout)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    print(f"\n{snakemake.rule} failed; the last lines of {log}:", file=sys.stderr)
    print("\n".join(f"  {line}" for line in lines[-TAIL:]), file=sys.stderr, flush=True)
    sys.exit(1)


@contextmanager
def _into(log: Path) -> Iterator[None]:
    """Everything printed goes to the log, also by libraries that write to the file descriptors (TensorFlow)."""
    mode = 0o600 if "restricted" in log.parts else 0o644
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    kept = {number: os.dup(number) for number in (1, 2)}
    stream = os.fdopen(os.dup(target), "w", encoding="utf-8", buffering=1)
    try:
        for number in kept:
            os.dup2(target, number)
        with stream, redirect_stdout(stream), redirect_stderr(stream):
            yield
    finally:
        for number, descriptor in kept.items():
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(target)


def _place() -> str:
    """Where a job runs, for the first line of its log."""
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES") or "none"
    job = os.environ.get("SLURM_JOB_ID")
    return f"asclepius {__version__}, gpu {gpu}" + (f", slurm job {job}" if job else "")


def _convert(value: Any, hint: Any) -> Any:
    """A value as Snakemake holds it (text, lists of text, plain dicts) as the type the stage asks for."""
    options = [option for option in get_args(hint) if option is not type(None)]
    if get_origin(hint) is list:
        items = [value] if isinstance(value, str | Path) else list(value)
        return [_convert(item, options[0]) for item in items]
    if get_origin(hint) is dict:
        return {name: _convert(item, options[-1]) for name, item in value.items()}
    if type(None) in get_args(hint):
        return None if value is None or value == [] else _convert(value, options[0])
    if inspect.isclass(hint) and issubclass(hint, Settings):
        return hint.model_validate(value)
    if hint is bool:
        return value in (True, "true")
    if hint is Path or hint is int or hint is float or hint is str:
        return hint(value)
    return value


def add_parser(subparsers: Any, stage: str) -> argparse.ArgumentParser:
    """A sub-command whose options are the arguments of the stage's `run`."""
    function = importlib.import_module(f"asclepius.{stage}.command").run
    hints = get_type_hints(function)
    document = inspect.getdoc(function) or ""
    parser = subparsers.add_parser(
        stage, help=document.splitlines()[0], description=document, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints[name]
        text = "YAML file" if _is_structure(hint) else None
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            required=parameter.default is inspect.Parameter.empty,
            default=argparse.SUPPRESS,
            nargs="+" if get_origin(hint) is list else None,
            help=text,
            metavar="YAML" if text else name.upper(),
        )
    parser.set_defaults(call=lambda given: function(**_parsed(given, hints)))
    return parser


def _is_structure(hint: Any) -> bool:
    return get_origin(hint) is dict or (inspect.isclass(hint) and issubclass(hint, Settings))


def _parsed(given: dict[str, Any], hints: dict[str, Any]) -> dict[str, Any]:
    arguments = {}
    for name, value in given.items():
        if _is_structure(hints[name]):
            value = yaml.safe_load(Path(value).read_text(encoding="utf-8"))
        arguments[name] = _convert(value, hints[name])
    return arguments
