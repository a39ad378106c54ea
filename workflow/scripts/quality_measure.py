from asclepius.command import execute
from asclepius.quality.shard import run

execute(run, snakemake)
