from asclepius.command import execute
from asclepius.train.command import run

execute(run, snakemake)
