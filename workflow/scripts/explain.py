from asclepius.command import execute
from asclepius.explain.command import run

execute(run, snakemake)
