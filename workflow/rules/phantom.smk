# A simulated chest-CT cohort, written as DICOM; only for cohort.source: phantom.
rule phantom:
    output:
        out=directory(f"{PRIVATE}/phantom"),
    log:
        f"{PRIVATE}/logs/phantom.log",
    benchmark:
        f"{PRIVATE}/benchmarks/phantom.tsv"
    conda:
        CPU
    params:
        settings=section("phantom"),
        code=code("phantom"),
    script:
        "../scripts/phantom.py"
