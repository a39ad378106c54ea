# What is kept, what is not, and why.
rule quality:
    input:
        manifest=f"{R}/deidentify/manifest.parquet",
        indexes=gated(f"{R}/resample/index/shard-{{shard}}.parquet"),
        quarantines=[f"{R}/deidentify/quarantine.parquet"]
        + expand(f"{R}/resample/quarantine/shard-{{shard}}.parquet", shard=SHARDS),
    output:
        images=f"{R}/quality/images.parquet",
        flags=f"{R}/quality/flags.parquet",
        quarantine=f"{R}/quality/quarantine.parquet",
        listing=f"{R}/quality/quarantine.csv",
        flow=f"{R}/quality/flow.json",
        task=f"{R}/quality/task.json",
    log:
        f"{R}/logs/quality.log",
    benchmark:
        f"{R}/benchmarks/quality.tsv"
    conda:
        CPU
    params:
        settings=section("quality"),
        labels=section("cohort")["labels"],
        max_rejected=STUDY.cohort.max_rejected,
        code=code("quality"),
    script:
        "../scripts/quality.py"
