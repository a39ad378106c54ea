from asclepius.command import execute
from asclepius.track.command import run

execute(run, snakemake)
