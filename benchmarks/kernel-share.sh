#!/usr/bin/env bash
# Where the time of a step goes: samples of the third step of LoRA training on an SD 1.5 with random weights (float32, 256x256, one thread), by
# what they fall into. Needs Linux's perf, 5 GB of disk below the temporary folder, and a quiet machine.
#   bash benchmarks/kernel-share.sh
command -v perf > /dev/null || { echo "perf is missing: install linux-perf (Debian) or linux-tools (Ubuntu)"; exit 1; }
source "$(dirname "$0")/full-size-program.sh"
dotnet "$program" make "$work/sd15" f32
mkfifo "$work/control" "$work/ack"
export OMP_NUM_THREADS=1 DOTNET_PerfMapEnabled=1 DOTNET_EnableWriteXorExecute=0
# oneDNN tells perf the names of what it generates (2: a map file); .NET's map has the same name, so oneDNN's goes without.
PERF_CONTROL=$work/control PERF_ACK=$work/ack perf record --quiet --freq 2000 --delay=-1 --control "fifo:$work/control,$work/ack" \
  --output "$work/data" dotnet "$program" train "$work/sd15" float32 kept 1024
perf report --input "$work/data" --no-children --sort dso,symbol --percentage absolute --stdio 2> /dev/null > "$work/report"
cp "$work/report" "${KEEP_REPORT:-/dev/null}"
