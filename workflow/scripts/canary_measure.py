from asclepius.canary.command import run
from asclepius.command import execute

execute(run, snakemake)
