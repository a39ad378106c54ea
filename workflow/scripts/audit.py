from asclepius.audit.command import run
from asclepius.command import execute

execute(run, snakemake)
