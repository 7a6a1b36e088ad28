#!/usr/bin/env bash
# Data sets: images a second from JPEG files to tensors, with one worker and two, exactly and with reduced decoding; cached latents; scanning 10,000 files.
# Each line is a process of its own. Needs 300 MB below the temporary folder. Run on a quiet machine; processor times bear a busy one.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/need-dotnet.sh
dotnet build benchmarks/StableTune.Loading -c Release -v quiet
program=benchmarks/StableTune.Loading/bin/Release/net10.0/StableTune.Loading.dll
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
echo "== $(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2), load $(cut -d' ' -f1 /proc/loadavg)"
dotnet "$program" photographs "$work/photographs" 200
dotnet "$program" plain "$work/photographs"
for mode in 1 2 "1 fast" "2 fast"; do
  # shellcheck disable=SC2086
  dotnet "$program" load "$work/photographs" $mode
done
dotnet "$program" plain "$work/photographs"
dotnet "$program" stages "$work/photographs"
dotnet "$program" cached "$work/photographs"
dotnet "$program" many "$work/many" 10000
dotnet "$program" scan "$work/many"
