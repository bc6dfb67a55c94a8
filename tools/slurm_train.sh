#!/usr/bin/env bash
# Usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of train.py]
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS as in mmaction2.
set -euo pipefail

source "$(dirname "$0")/_slurm.sh" train.py 3 "$@"
