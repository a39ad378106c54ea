from asclepius.augment.command import run
from asclepius.command import execute

execute(run, snakemake)
