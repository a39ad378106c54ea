from asclepius.command import execute
from asclepius.split.command import run

execute(run, snakemake)
