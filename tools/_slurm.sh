# Sourced by slurm_train.sh and slurm_test.sh: starts SCRIPT with Slurm.
#   source _slurm.sh SCRIPT COUNT PARTITION JOB_NAME ...
# COUNT arguments from PARTITION on are required; lines 2 and 3 of the script
# that sources this one describe them.
SCRIPT=$1
COUNT=$2
shift 2

if [ $# -lt "$COUNT" ]; then
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
fi
PARTITION=$1
JOB_NAME=$2
NAMED=("${@:3:COUNT-2}")
shift "$COUNT"
GPUS=${GPUS:-8}
PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}

# shellcheck disable=SC2086  # several arguments
srun --partition="$PARTITION" \
    --job-name="$JOB_NAME" \
    --gres="gpu:$PER_NODE" \
    --ntasks="$GPUS" \
    --ntasks-per-node="$PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u "$(dirname "$0")/$SCRIPT" "${NAMED[@]}" --launcher slurm "$@"
