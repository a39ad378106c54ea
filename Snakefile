# The whole workflow at a glance. `make run` starts it; docs/architecture.md explains it.
from snakemake.utils import min_version

min_version("9.27")

# A study given with --configfile stands alone; it is not laid over the default one.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/common.smk"
include: "workflow/rules/phantom.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/deidentify.smk"
include: "workflow/rules/resample.smk"
include: "workflow/rules/quality.smk"
include: "workflow/rules/split.smk"
include: "workflow/rules/augment.smk"
include: "workflow/rules/balance.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/explain.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/track.smk"
include: "workflow/rules/canary.smk"


rule all:
    default_target: True
    input:
        f"{R}/report.html",
        f"{R}/track/receipt.json",


# Everything up to the point named, e.g. `snakemake --cores all data`.
rule data:
    input:
        f"{R}/quality/images.parquet",
        f"{R}/quality/quarantine.csv",
        after_plan,


rule trained:
    input:
        TRAINED,
        f"{R}/audit/findings.parquet",


onstart:
    prepare()


onsuccess:
    farewell()
