from asclepius.command import execute
from asclepius.quality.command import run

execute(run, snakemake)
