from asclepius.command import execute
from asclepius.resample.command import run

execute(run, snakemake)
