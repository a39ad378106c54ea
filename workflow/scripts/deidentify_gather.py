from asclepius.deidentify.gather import run

from asclepius.command import execute

execute(run, snakemake)
