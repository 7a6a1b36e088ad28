#!/usr/bin/env bash
# Full-size figures: load time, seconds a step and peak memory of LoRA training on an SD 1.5 with random weights; then 1,000 tiny steps.
# Needs 8 GB of disk below the temporary folder. Run on a quiet machine.
source "$(dirname "$0")/full-size-program.sh"
dotnet "$program" make "$work/sd15" f32
dotnet "$program" read "$work/sd15"
for mode in float32 "float32 checkpointing" bfloat16 "bfloat16 checkpointing"; do
  echo "== $mode"
  # shellcheck disable=SC2086
  dotnet "$program" train "$work/sd15" $mode
done
echo "== 1,000 tiny steps"
dotnet "$program" make-tiny "$work/tiny" && dotnet "$program" soak "$work/tiny" 1000
