#!/usr/bin/env bash
# Each kind of adapter against plain LoRA: seconds a step and peak memory on an SD 1.5 with random weights, 256x256; then the extraction of a
# LoRA from two such models. Needs 12 GB of disk below the temporary folder. Run on a quiet machine.
#   bash benchmarks/adapter-kinds.sh [KIND ...]
source "$(dirname "$0")/full-size-program.sh"
dotnet build src/StableTune.Tool -c Release -v quiet
tool=src/StableTune.Tool/bin/Release/net10.0/StableTune.Tool.dll
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
