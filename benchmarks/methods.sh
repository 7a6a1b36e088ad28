#!/usr/bin/env bash
# Seconds a step and peak memory of each training method on an SD 1.5 with random weights, 256x256, float32, batch 1. Needs 5 GB of disk below
# the temporary folder and 20 GB of memory (full training). Run on a quiet machine.
#   bash benchmarks/methods.sh [METHOD ...]
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/need-dotnet.sh
dotnet build benchmarks/StableTune.FullSize -c Release -v quiet
program=benchmarks/StableTune.FullSize/bin/Release/net10.0/StableTune.FullSize.dll
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
echo "== $(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2)"
dotnet "$program" make "$work/sd15" f32
methods=("$@")
[ ${#methods[@]} -gt 0 ] || read -ra methods <<< "$(dotnet "$program" methods)"
for method in "${methods[@]}"; do
  echo "== $method"
  dotnet "$program" method "$work/sd15" "$method"
done
