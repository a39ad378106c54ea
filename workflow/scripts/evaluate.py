from asclepius.command import execute
from asclepius.evaluate.command import run

execute(run, snakemake)
