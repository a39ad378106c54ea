from asclepius.command import execute
from asclepius.resample.planning import run

execute(run, snakemake)
