from asclepius.command import execute
from asclepius.resample.headers import run

execute(run, snakemake)
