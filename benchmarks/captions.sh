#!/usr/bin/env bash
# Captions: images a second of a BLIP base with random weights over a folder of photographs, beside the model alone and beside reading alone.
# Needs 3 GB of memory and 50 MB below the temporary folder. Run on a quiet machine.
#   bash benchmarks/captions.sh [PHOTOGRAPHS [tiny|base|large]]
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/need-dotnet.sh
dotnet build benchmarks/StableTune.Loading -c Release -v quiet
program=benchmarks/StableTune.Loading/bin/Release/net10.0/StableTune.Loading.dll
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
echo "== $(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2), load $(cut -d' ' -f1 /proc/loadavg)"
dotnet "$program" photographs "$work" "${1:-24}"
for batch in 1 8; do dotnet "$program" captions "$work" "${2:-base}" $batch 1; done
