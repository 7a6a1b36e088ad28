#!/usr/bin/env bash
# Tagging: images a second from JPEG files of two megapixels to text files, beside the network alone on prepared pictures. The network is a
# stand-in with the products of a ViT-B/16 on 448x448 pixels. Needs 100 MB below the temporary folder. Run on a quiet machine; the turns
# alternate, so that the ratio bears a busy one.
#   bash benchmarks/tagging.sh [IMAGES [TURNS]]
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/need-dotnet.sh
dotnet build benchmarks/StableTune.Loading -c Release -v quiet
program=benchmarks/StableTune.Loading/bin/Release/net10.0/StableTune.Loading.dll
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
echo "== $(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2), load $(cut -d' ' -f1 /proc/loadavg)"
dotnet "$program" photographs "$work/photographs" "${1:-16}"
dotnet "$program" tagger "$work/model"
for batch in 1 4; do dotnet "$program" tag "$work/model" "$work/photographs" "$batch" "${2:-3}"; done
