#!/usr/bin/env bash
# Full-size figures: load time, seconds a step and peak memory of LoRA training on an SD 1.5 with random weights; then 1,000 tiny steps.
# Needs 8 GB of disk below the temporary folder. Run on a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/need-dotnet.sh
dotnet build benchmarks/StableTune.FullSize -c Release -v quiet
program=benchmarks/StableTune.FullSize/bin/Release/net10.0/StableTune.FullSize.dll
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
echo "== $(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2)"
dotnet "$program" make "$work/sd15" f32
dotnet "$program" read "$work/sd15"
for mode in float32 "float32 checkpointing" bfloat16 "bfloat16 checkpointing"; do
  echo "== $mode"
  # shellcheck disable=SC2086
  dotnet "$program" train "$work/sd15" $mode
done
echo "== 1,000 tiny steps"
dotnet "$program" make-tiny "$work/tiny" && dotnet "$program" soak "$work/tiny" 1000
