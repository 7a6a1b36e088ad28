#!/usr/bin/env bash
# Load, save and convert times and peak memory of whole models with random weights, per format, against reading or writing the same bytes once.
#   bash benchmarks/model-files.sh                            SD 1.5 in float32 and float16, SDXL in float16 (30 GB of disk, 16 GB of memory)
#   bash benchmarks/model-files.sh "sdxl f32" "sd15 bf16"     others; "small-sd15 f16" and "small-sdxl f16" to try it out
# Run on a quiet machine.
source "$(dirname "$0")/full-size-program.sh"
[ $# -gt 0 ] || set -- "sd15 f32" "sd15 f16" "sdxl f16"
for what in "$@"; do
  read -r model type <<< "$what"
  echo "== $model $type"
  dotnet "$program" make-model "$model" "$work/model" "$type"
  # Each form is made from the first (which is the measured conversion), measured, and removed, so that at most three models lie on the disk.
  for format in DiffusersSafetensors Diffusers Safetensors Ckpt; do
    case $format in Safetensors) form=form.safetensors ;; Ckpt) form=form.ckpt ;; *) form=form ;; esac
    dotnet "$program" convert "$work/model" "$work/$form" "$format"
    dotnet "$program" load "$work/$form"
    rm -rf "${work:?}/$form"
    dotnet "$program" save "$work/model" "$work/$form" "$format"
    [ "$format" != DiffusersSafetensors ] && dotnet "$program" convert "$work/$form" "$work/back" DiffusersSafetensors
    rm -rf "${work:?}/$form" "${work:?}/back"
  done
  rm -rf "${work:?}/model"
done
