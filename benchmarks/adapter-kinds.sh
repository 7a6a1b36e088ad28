#!/usr/bin/env bash
# Each kind of adapter against plain LoRA: seconds a step and peak memory on an SD 1.5 with random weights, 256x256; then the extraction of a
# LoRA from two such models. Needs 12 GB of disk below the temporary folder. Run on a quiet machine.
#   bash benchmarks/adapter-kinds.sh [KIND ...]
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/need-dotnet.sh
dotnet build benchmarks/StableTune.FullSize -c Release -v quiet
dotnet build src/StableTune.Tool -c Release -v quiet
program=benchmarks/StableTune.FullSize/bin/Release/net10.0/StableTune.FullSize.dll
tool=src/StableTune.Tool/bin/Release/net10.0/StableTune.Tool.dll
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
echo "== $(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2)"
dotnet "$program" make "$work/sd15" f32
kinds=("$@")
[ ${#kinds[@]} -gt 0 ] || read -ra kinds <<< "$(dotnet "$program" kinds)"
for kind in "${kinds[@]}"; do
  echo "== $kind"
  dotnet "$program" train "$work/sd15" float32 kind "$kind"
done
echo "== extraction, rank 16"
dotnet "$program" make "$work/tuned" f32 2
time dotnet "$tool" extract-lora --model_org "$work/sd15" --model_tuned "$work/tuned" --save_to "$work/out.safetensors" --dim 16
