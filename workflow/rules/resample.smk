# One grid and one compact type for every image: the array store.
rule resample:
    input:
        manifest=gated(f"{R}/deidentify/shards/shard-{{shard}}.parquet"),
        release=gated(release_path()),
    output:
        index=f"{R}/resample/index/shard-{{shard}}.parquet",
        store=f"{R}/resample/store/shard-{{shard}}.npy",
        masks=f"{R}/resample/masks/shard-{{shard}}.npy",
        quarantine=f"{R}/resample/quarantine/shard-{{shard}}.parquet",
    log:
        f"{R}/logs/resample/shard-{{shard}}.log",
    benchmark:
        f"{R}/benchmarks/resample/shard-{{shard}}.tsv"
    conda:
        CPU
    params:
        settings=section("resample"),
        code=code("resample"),
    script:
        "../scripts/resample.py"
