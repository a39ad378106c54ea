# Which images, patients and labels there are. A checkpoint: only then is it known which shards changed.
checkpoint cohort:
    input:
        phantom=rules.phantom.output.out if PHANTOM else [],
    output:
        shards=directory(f"{PRIVATE}/cohort/shards"),
        order=f"{PRIVATE}/cohort/order.parquet",
        rejected=f"{PRIVATE}/cohort/rejected.parquet",
    log:
        f"{PRIVATE}/logs/cohort.log",
    benchmark:
        f"{PRIVATE}/benchmarks/cohort.tsv"
    conda:
        CPU
    params:
        settings=section("cohort"),
        key=key_path(),
        raw=raw,
        code=code("cohort"),
    script:
        "../scripts/cohort.py"
