#!/bin/sh
# Slurm's TaskProlog: tells a job which NPUs are its own. Slurm sets CUDA_VISIBLE_DEVICES for GPUs and nothing for NPUs.
# Prints `export NPU_VISIBLE_DEVICES=0,1,2` for a job with NPUs, nothing for any other. Needs `File=` in gres.conf.
[ -n "$SLURM_JOB_ID" ] || exit 0
assigned=$(scontrol -d -o show job "$SLURM_JOB_ID" 2>/dev/null | tr ' ' '\n' |
  sed -n "s/^GRES=.*npu:[a-z0-9_]*:[0-9]*(IDX:\([0-9,-]*\)).*/\1/p" | head -n 1)
[ -n "$assigned" ] || exit 0
devices=
for part in $(echo "$assigned" | tr ',' ' '); do
  first=${part%-*} last=${part#*-}
  while [ "$first" -le "$last" ]; do
    devices=$devices${devices:+,}$first
    first=$((first + 1))
  done
done
echo "export NPU_VISIBLE_DEVICES=$devices"
