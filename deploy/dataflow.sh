#!/bin/sh
# A run on Dataflow, with the image of deploy/Dockerfile and one GPU per worker. docs/cluster.md explains it.
#
# Not run by this project's tests, which only check that Beam knows the options. Sources:
# - options: https://docs.cloud.google.com/dataflow/docs/reference/pipeline-options
# - worker_accelerator: https://docs.cloud.google.com/dataflow/docs/gpu/use-gpus
# - no_use_multiple_sdk_containers (one Python process per worker, with the whole GPU):
#   https://docs.cloud.google.com/dataflow/docs/gpu/use-nvidia-mps
set -eu

PROJECT=${PROJECT:?the project}
REGION=${REGION:-us-central1}
BUCKET=${BUCKET:?the bucket, without gs://}
IMAGE=${IMAGE:?the image of deploy/Dockerfile, in the Artifact Registry of the project}

exec gritmill run cluster --input "gs://$BUCKET/pairs/*.tar" --output "gs://$BUCKET/out" -- \
    --runner=DataflowRunner \
    --project="$PROJECT" \
    --region="$REGION" \
    --temp_location="gs://$BUCKET/tmp" \
    --sdk_container_image="$IMAGE" \
    --sdk_location=container \
    --worker_machine_type=g2-standard-4 \
    --disk_size_gb=100 \
    --max_num_workers=16 \
    --autoscaling_algorithm=THROUGHPUT_BASED \
    --number_of_worker_harness_threads=1 \
    --experiments=no_use_multiple_sdk_containers \
    --dataflow_service_options='worker_accelerator=type:nvidia-l4;count:1;install-nvidia-driver'
