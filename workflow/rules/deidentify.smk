# Removing identity. Behind this stage nothing opens raw data.
rule deidentify:
    input:
        manifest=gated(f"{PRIVATE}/cohort/shards/shard-{{shard}}.parquet"),
    output:
        table=f"{R}/deidentify/shards/shard-{{shard}}.parquet",
        release=release_output(),
        quarantine=f"{R}/deidentify/quarantine/shard-{{shard}}.parquet",
        audit=f"{R}/deidentify/audit/shard-{{shard}}.parquet",
        crosswalk=f"{PRIVATE}/deidentify/crosswalk/shard-{{shard}}.bin",
    log:
        f"{PRIVATE}/logs/deidentify/shard-{{shard}}.log",
    benchmark:
        f"{PRIVATE}/benchmarks/deidentify/shard-{{shard}}.tsv"
    conda:
        CPU
    params:
        settings=section("deidentify"),
        key=key_path(),
        code=code("deidentify"),
    script:
        "../scripts/deidentify.py"


rule deidentify_gather:
    input:
        tables=gated(f"{R}/deidentify/shards/shard-{{shard}}.parquet"),
        quarantines=gated(f"{R}/deidentify/quarantine/shard-{{shard}}.parquet"),
        audits=gated(f"{R}/deidentify/audit/shard-{{shard}}.parquet"),
        order=f"{PRIVATE}/cohort/order.parquet",
        rejected=f"{PRIVATE}/cohort/rejected.parquet",
    output:
        manifest=f"{R}/deidentify/manifest.parquet",
        quarantine=f"{R}/deidentify/quarantine.parquet",
        audit=f"{R}/deidentify/audit.csv",
        certificate=f"{R}/deidentify/certificate.html",
    log:
        f"{PRIVATE}/logs/deidentify/gather.log",
    benchmark:
        f"{PRIVATE}/benchmarks/deidentify/gather.tsv"
    conda:
        CPU
    params:
        study=STUDY.study,
        settings=section("deidentify"),
        key=key_path(),
        code=code("deidentify", "gather"),
    script:
        "../scripts/deidentify_gather.py"
