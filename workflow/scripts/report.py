from asclepius.command import execute
from asclepius.report.command import run

execute(run, snakemake)
