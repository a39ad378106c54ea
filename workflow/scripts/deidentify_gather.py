from asclepius.command import execute
from asclepius.deidentify.gather import run

execute(run, snakemake)
