from asclepius.evaluate.command import run

from asclepius.command import execute

execute(run, snakemake)
