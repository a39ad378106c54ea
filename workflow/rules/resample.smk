# With `target: auto`: what the headers of a shard say of geometry.
rule resample_geometry:
    input:
        manifest=gated(f"{R}/deidentify/shards/shard-{{shard}}.parquet"),
        release=gated(release_path()),
    output:
        geometry=f"{R}/resample/geometry/shard-{{shard}}.parquet",
    log:
        f"{R}/logs/resample/geometry-{{shard}}.log",
    benchmark:
        f"{R}/benchmarks/resample/geometry-{{shard}}.tsv"
    conda:
        CPU
    params:
        settings=section("resample"),
        code=code("resample", "headers"),
    script:
        "../scripts/resample_geometry.py"


# One grid for all shards. A checkpoint, so that a plan that comes out the same re-runs no shard.
checkpoint resample_plan:
    input:
        geometry=gated(f"{R}/resample/geometry/shard-{{shard}}.parquet"),
    output:
        plan=update(PLAN),
        fits=f"{R}/resample/fits.json",
    log:
        f"{R}/logs/resample/plan.log",
    benchmark:
        f"{R}/benchmarks/resample/plan.tsv"
    conda:
        CPU
    params:
        settings=section("resample"),
        code=code("resample", "planning"),
    script:
        "../scripts/resample_plan.py"


# One grid and one compact type for every image: the array store.
rule resample:
    input:
        manifest=gated(f"{R}/deidentify/shards/shard-{{shard}}.parquet"),
        release=gated(release_path()),
        plan=after_plan,
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
        settings=resample_settings,
        code=code("resample"),
    script:
        "../scripts/resample.py"
