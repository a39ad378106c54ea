from asclepius.command import execute
from asclepius.phantom.command import run

execute(run, snakemake)
