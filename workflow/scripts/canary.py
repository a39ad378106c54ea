from asclepius.canary.verdict import run
from asclepius.command import execute

execute(run, snakemake)
