#!/usr/bin/env bash
# Estimated and measured peak memory of ways to train an SD 1.5 with random weights at 512x512, batch 1, each in a process of its own. Needs 3 GB of
# disk below the temporary folder and 20 GB of memory.
#   bash benchmarks/memory.sh ["KIND SIDE OPTION ..." ...]
source "$(dirname "$0")/full-size-program.sh"
dotnet "$program" make "$work/sd15" bf16
ways=("$@")
[ ${#ways[@]} -gt 0 ] || ways=("lora 512 bfloat16 cached" "lora 512 bfloat16 cached checkpointing" "lora 512 bfloat16 cached fp8" "lora 512 bfloat16 cached nf4"
  "lora 512 bfloat16 cached chunked" "lora 512 bfloat16 cached tome" "full 512 bfloat16 cached checkpointing" "full 512 bfloat16 cached checkpointing 8bit"
  "full 512 bfloat16 cached checkpointing 8bit fused")
for way in "${ways[@]}"; do
  echo "== $way"
  read -ra options <<< "$way"
  dotnet "$program" memory "$work/sd15" "${options[@]}"
done
