# One rule for each stage; each takes the receipt of the stage before it.


rule run_ingest:
    input:
        PROJECT,
    output:
        f"{RECEIPTS}/ingest.json",
    shell:
        "firesat ingest --config {PROJECT} --json > {output}"


rule run_sample:
    input:
        rules.run_ingest.output,
    output:
        f"{RECEIPTS}/sample.json",
    shell:
        "firesat sample --config {PROJECT} --json > {output}"


rule run_train:
    input:
        rules.run_sample.output,
    output:
        f"{RECEIPTS}/train.json",
    shell:
        "firesat train fit --config {PROJECT} --json > {output}"


rule run_calibrate:
    input:
        rules.run_train.output,
    output:
        f"{RECEIPTS}/calibrate.json",
    shell:
        "firesat calibrate --config {PROJECT} --if-held-out --json > {output}"


rule run_forecast:
    input:
        rules.run_calibrate.output,
    output:
        f"{RECEIPTS}/forecast.json",
    shell:
        "firesat predict --config {PROJECT} --json > {output}"


rule run_evaluate:
    input:
        rules.run_forecast.output,
    output:
        f"{RECEIPTS}/evaluate.json",
    shell:
        "firesat evaluate --config {PROJECT} --json > {output}"
