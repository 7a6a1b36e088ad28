#!/usr/bin/env bash
# Seconds a step and peak memory of each training method on an SD 1.5 with random weights, 256x256, float32, batch 1. Needs 5 GB of disk below
# the temporary folder and 20 GB of memory (full training). Run on a quiet machine.
#   bash benchmarks/methods.sh [METHOD ...]
source "$(dirname "$0")/full-size-program.sh"
dotnet "$program" make "$work/sd15" f32
methods=("$@")
[ ${#methods[@]} -gt 0 ] || read -ra methods <<< "$(dotnet "$program" methods)"
for method in "${methods[@]}"; do
  echo "== $method"
  dotnet "$program" method "$work/sd15" "$method"
done
