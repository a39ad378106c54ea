from asclepius.canary.shuffling import run
from asclepius.command import execute

execute(run, snakemake)
