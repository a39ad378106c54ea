# What each stored image's values say about it, and the image seen small.
rule quality_measure:
    input:
        index=gated(f"{R}/resample/index/shard-{{shard}}.parquet"),
        store=gated(f"{R}/resample/store/shard-{{shard}}.npy"),
    output:
        measures=f"{R}/quality/measures/shard-{{shard}}.parquet",
        miniatures=f"{R}/quality/miniatures/shard-{{shard}}.npy",
        pictures=f"{R}/quality/pictures/shard-{{shard}}.npy",
    log:
        f"{R}/logs/quality/shard-{{shard}}.log",
    benchmark:
        f"{R}/benchmarks/quality/shard-{{shard}}.tsv"
    conda:
        CPU
    params:
        text=STUDY.quality.burned_in_text,
        code=code("quality", "shard"),
    script:
        "../scripts/quality_measure.py"


# What is kept, what is not, and why.
rule quality:
    input:
        manifest=f"{R}/deidentify/manifest.parquet",
        indexes=gated(f"{R}/resample/index/shard-{{shard}}.parquet"),
        quarantines=[f"{R}/deidentify/quarantine.parquet"]
        + expand(f"{R}/resample/quarantine/shard-{{shard}}.parquet", shard=SHARDS),
        measures=gated(f"{R}/quality/measures/shard-{{shard}}.parquet"),
        miniatures=gated(f"{R}/quality/miniatures/shard-{{shard}}.npy"),
        pictures=gated(f"{R}/quality/pictures/shard-{{shard}}.npy"),
    output:
        images=f"{R}/quality/images.parquet",
        flags=f"{R}/quality/flags.parquet",
        duplicates=f"{R}/quality/duplicates.parquet",
        quarantine=f"{R}/quality/quarantine.parquet",
        listing=f"{R}/quality/quarantine.csv",
        flow=f"{R}/quality/flow.json",
        task=f"{R}/quality/task.json",
        page=report(f"{R}/quality/quality.html", caption="../report/quality.rst", category="Report"),
    log:
        f"{R}/logs/quality.log",
    benchmark:
        f"{R}/benchmarks/quality.tsv"
    conda:
        CPU
    params:
        study=STUDY.study,
        settings=section("quality"),
        labels=section("cohort")["labels"],
        max_rejected=STUDY.cohort.max_rejected,
        code=code("quality"),
    script:
        "../scripts/quality.py"
