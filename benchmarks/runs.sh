#!/usr/bin/env bash
# What it costs that a run is watched and never lost: logs and progress for each step (on a tiny model, where a step is short enough to see it), the time to
# write and to take up the state of an adapter and of a whole SD 1.5 with random weights (8-bit AdamW), and how long a save in the background holds the run
# up. Needs 16 GB of disk below the temporary folder and 20 GB of memory. Run on a quiet machine; "small" tries it out on a narrow model.
#   bash benchmarks/runs.sh [small]
source "$(dirname "$0")/full-size-program.sh"
model=sd15 side=256; [ "${1:-}" = small ] && model=small-sd15 side=64
dotnet "$program" make-tiny "$work/tiny"
dotnet "$program" make-model "$model" "$work/model" f32
echo "== logs and progress"
dotnet "$program" watch "$work/tiny" 200 3
for kind in lora full; do
  echo "== the state of $kind"
  dotnet "$program" states "$work/model" "$kind" "$side"
done
