from asclepius.command import execute
from asclepius.deidentify.command import run

execute(run, snakemake)
