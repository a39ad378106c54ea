# Lies directly in workflow/ so that Snakemake puts this folder on the path: `import asclepius` then works in the
# Snakefile, in scripts and in cluster jobs with nothing installed. All functions the rules use are here.
import json
import math
import os
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from asclepius import keys, provenance
from asclepius.audit.stamp import STAMP
from asclepius.balance.settings import BalanceSettings
from asclepius.config import arms, check_paths, load
from asclepius.errors import StudyError
from asclepius.resample import target


def read_study():
    """The validated study, or the reason it is refused in one sentence."""
    try:
        study = load(config)
        check_paths(study)
        return study, arms(study)
    except StudyError as error:
        raise WorkflowError(str(error)) from None


STUDY, ARMS = read_study()
R = f"results/{STUDY.study}"
PRIVATE = f"{R}/restricted"
CPU = "../../envs/cpu.yaml"
SHARDS = [f"{shard:04d}" for shard in range(STUDY.cohort.shards)]
FOLDS = list(range(STUDY.split.count))
RUNS = [f"{fold}:{seed}" for fold in FOLDS for seed in STUDY.seeds]
PHANTOM = STUDY.cohort.source == "phantom"


wildcard_constraints:
    shard=r"\d{4}",
    fold=r"\d+",
    pack=r"\d+",
    arm=r"[a-z0-9][a-z0-9_-]*",
    recipe=r"[a-z0-9][a-z0-9_-]*",
    design=r"fair|naive",
    shuffle=r"\d+",


def results_folder(wildcards):
    """Paths inside tables are relative to it, so that a results folder can be moved as a whole."""
    return R


def section(name):
    """A section of the config as plain values: the only part of it that a rule's params hold."""
    return getattr(STUDY, name).model_dump(mode="json")


def code(stage, entry="command"):
    """The code a stage runs; Snakemake does not see edits of imported modules by itself."""
    return provenance.fingerprint(f"{stage}.{entry}")


def key_path():
    """The study's key; the phantom's patients do not exist and use a published one."""
    if PHANTOM:
        return None
    return str(STUDY.deidentify.key or keys.default_path(STUDY.study))


# --- cohort ---------------------------------------------------------------------------------------------------------


@cache
def source_digest():
    sources = [STUDY.cohort, STUDY.cohort.external]
    paths = [p for s in sources if s for p in (s.path, s.labels.path) if p]
    return provenance.digest(f"{path}\0{provenance.tree_digest(path)}" for path in paths)


def raw(wildcards):
    """Changes when a file of the source is added, removed or written."""
    return source_digest()


def gated(pattern):
    """An input function: the pattern's file of one shard, or of all, known only once `cohort` has run.

    Every per-shard rule and the first gather take their input through it, so that after a new scan
    Snakemake plans again and re-runs only the shards whose manifest changed.
    """

    def paths(wildcards):
        checkpoints.cohort.get()
        if "shard" in wildcards.keys():
            return pattern.format(shard=wildcards.shard)
        return [pattern.format(shard=shard) for shard in SHARDS]

    return paths


def release_path():
    """A shard's released files: one container, or a folder."""
    return f"{R}/deidentify/release/shard-{{shard}}" + (".zip" if STUDY.deidentify.release == "container" else "")


def release_output():
    return release_path() if STUDY.deidentify.release == "container" else directory(release_path())


# --- resample -------------------------------------------------------------------------------------------------------

PLANNED = STUDY.resample.target == "auto" and STUDY.resample.plan is None
PLAN = f"{R}/resample/plan.yaml"
PLAN_FITS = f"{R}/resample/fits.json" if PLANNED else []


def after_plan(wildcards):
    """The plan, if the study wants one. Its age does not count: only another size or spacing re-runs a shard."""
    if not PLANNED:
        return []
    checkpoints.resample_plan.get()
    return ancient(PLAN)


def resample_settings(wildcards=None):
    """The `resample` section with size and spacing of the plan in their place."""
    path = STUDY.resample.plan or (PLAN if PLANNED else None)
    if path is None or (PLANNED and not Path(path).exists()):
        return section("resample")
    try:
        return target.applied(STUDY.resample, path).model_dump(mode="json")
    except StudyError as error:
        raise WorkflowError(str(error)) from None


# --- arms -----------------------------------------------------------------------------------------------------------


def recipe(arm):
    """What decides the files of the balance stage; arms for which it is the same share them."""
    model = ARMS[arm].model
    return ARMS[arm].balance.recipe(model.columns, model.pixels)


def recipe_name(arm):
    values = recipe(arm)
    return f"{values['method']}-{provenance.digest([provenance.write_json(values)])[:6]}"


RECIPES = {recipe_name(arm): recipe(arm) for arm in ARMS}
INPUTS = ("columns", "pixels")


def recipe_settings(wildcards):
    return {name: value for name, value in RECIPES[wildcards.recipe].items() if name not in INPUTS}


def recipe_columns(wildcards):
    return RECIPES[wildcards.recipe].get("columns", [])


def recipe_pixels(wildcards):
    return RECIPES[wildcards.recipe].get("pixels", True)


def recipe_gpu(wildcards):
    """A generative network is trained where there is a device, as others are."""
    return int(RECIPES[wildcards.recipe]["method"] == "gan")


def recipe_threads(wildcards):
    return KERAS_THREADS if recipe_gpu(wildcards) else 1


VALUE_BYTES = {"uint8": 1, "int16": 2, "uint16": 2, "float32": 4}[STUDY.resample.dtype]


def recipe_memory(wildcards, input):
    """MB; a generative network loads TensorFlow, neighbours are sought in twice the fold's training images as float32."""
    if recipe_gpu(wildcards):
        return 4000
    settings = BalanceSettings(**recipe_settings(wildcards))
    if not settings.interpolates or settings.embedded:
        return 2000
    return 2000 + math.ceil(2 * 4 / VALUE_BYTES * sum(map(os.path.getsize, input.stores)) / 1e6)


def recipe_runtime(wildcards):
    """Minutes, with those that a generative network is trained for."""
    return 60 + math.ceil(RECIPES[wildcards.recipe].get("gan", {}).get("minutes", 0))


def packs(arm):
    return range(math.ceil(len(RUNS) / ARMS[arm].train.pack))


def runs_of(wildcards):
    size, pack = ARMS[wildcards.arm].train.pack, int(wildcards.pack)
    return RUNS[pack * size : (pack + 1) * size]


def tables_of(wildcards):
    folds = sorted({int(run.split(":")[0]) for run in runs_of(wildcards)})
    return [f"{R}/balance/{recipe_name(wildcards.arm)}/fold-{fold}/table.parquet" for fold in folds]


def arm_section(name):
    """A params function: one section of the wildcard's arm."""

    def values(wildcards):
        return getattr(ARMS[wildcards.arm], name).model_dump(mode="json")

    return values


def wants_gpu(wildcards):
    return 0 if ARMS[wildcards.arm].model.name == "logistic" else 1


def of_packs(name):
    return [f"{R}/train/{arm}/pack-{pack}/{name}" for arm in ARMS for pack in packs(arm)]


def of_recipes(name):
    return [f"{R}/balance/{recipe}/fold-{fold}/{name}" for recipe in RECIPES for fold in FOLDS]


STORES = expand(f"{R}/resample/store/shard-{{shard}}.npy", shard=SHARDS)
MASKS = expand(f"{R}/resample/masks/shard-{{shard}}.npy", shard=SHARDS)
TRAINED = of_packs("predictions.parquet")
AUGMENTED = {arm: ARMS[arm].augment.model_dump(mode="json") for arm in ARMS if ARMS[arm].augment.active}
SHEETS = [f"{R}/augment/{arm}.png" for arm in AUGMENTED]

# One Keras job at a time on one machine; on a cluster (no --cores) the profile says how many threads.
KERAS_THREADS = workflow._cores or 2


# --- canary: the same rules on shuffled labels ------------------------------------------------------------------------

CANARY = f"{R}/canary/{{design}}/shuffle-{{shuffle}}"
CANARY_METHODS = STUDY.canary.designs(STUDY.cohort.labels.multilabel)
CANARY_FOLDS = list(range(STUDY.canary.folds))
CANARY_SHUFFLES = list(range(STUDY.canary.shuffles))
CANARY_GPU = 0 if STUDY.canary.model.name == "logistic" else 1
CANARY_THREADS = max(1, KERAS_THREADS // 2)  # two networks at once


def canary_folder(wildcards):
    return CANARY.format(**wildcards)


def canary_split(wildcards):
    return STUDY.canary.split(wildcards.design, int(wildcards.shuffle)).model_dump(mode="json")


def canary_recipe(wildcards):
    return STUDY.canary.balanced(STUDY.balance, wildcards.recipe).model_dump(mode="json")


def canary_gpu(wildcards):
    return int(wildcards.recipe == "gan")


def canary_threads(wildcards):
    return CANARY_THREADS if canary_gpu(wildcards) else 1


def canary_memory(wildcards):
    return 4000 if canary_gpu(wildcards) else 2000


def canary_train(wildcards):
    return STUDY.canary.trained(STUDY.train).model_dump(mode="json")


def canary_augment(wildcards):
    """None: random transforms cost time, and labels play no part in them."""
    return {}


def canary_is_naive(wildcards):
    return wildcards.design == "naive"


def canary_trained(name):
    """An input function: a file of each method of the wildcard's design, its folder given by design and shuffle."""

    def paths(wildcards):
        folder = canary_folder(wildcards)
        return [f"{folder}/train/{method}/pack-0/{name}" for method in CANARY_METHODS[wildcards.design]]

    return paths


def canary_balanced(name):
    """An input function: the same of each fold's balancing."""

    def paths(wildcards):
        folder, methods = canary_folder(wildcards), CANARY_METHODS[wildcards.design]
        return [f"{folder}/balance/{method}/fold-{fold}/{name}" for method in methods for fold in CANARY_FOLDS]

    return paths


def canary_fits(wildcards):
    return canary_balanced("fits.json")(wildcards) + canary_trained("fits.json")(wildcards)


def canary_outcome():
    """What the report shows of a canary that has been run. Not an input: a report must not set one off."""
    return f"{R}/canary/canary.json" if Path(f"{R}/canary/canary.json").is_file() else None


def canary_digest():
    """Re-renders the report after another canary."""
    return provenance.tree_digest(canary_outcome()) if canary_outcome() else None


CANARY_RUNS = [(design, shuffle) for design in CANARY_METHODS for shuffle in CANARY_SHUFFLES]
CANARY_FINDINGS = [f"{CANARY}/audit/findings.parquet".format(design=d, shuffle=s) for d, s in CANARY_RUNS]
CANARY_PREDICTIONS = [
    f"{CANARY}/train/{method}/pack-0/predictions.parquet".format(design=design, shuffle=shuffle)
    for design, shuffle in CANARY_RUNS
    for method in CANARY_METHODS[design]
]


# --- start and end --------------------------------------------------------------------------------------------------


def prepare():
    """Before the first job: a private folder and the study's key, made once so that parallel jobs share it."""
    Path(PRIVATE).mkdir(parents=True, exist_ok=True)
    os.chmod(PRIVATE, 0o700)
    if key_path():
        keys.ensure(key_path())


def farewell():
    """Say where to look next."""
    page, receipt = Path(f"{R}/report.html"), Path(f"{R}/track/receipt.json")
    if page.exists() and receipt.exists():
        address = json.loads(receipt.read_text(encoding="utf-8"))["address"]
        programs = os.path.relpath(Path(sys.executable).parent, "results")
        server = "" if STUDY.track.uri else f"(cd results && {programs}/mlflow ui)  and open "
        print(f"\n{STAMP}" if STUDY.demonstration else "", file=sys.stderr)
        canary = f"Canary:  {R}/canary/canary.html\n" if canary_outcome() else ""
        print(f"Report:  {page}\n{canary}MLflow:  {server}{address}\n", file=sys.stderr)
