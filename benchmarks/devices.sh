#!/usr/bin/env bash
# What sharing a step's batch costs: one process with a batch of 2, two devices (the CPU twice) and two processes with 1 each, over TCP and, where
# Open MPI is installed, by mpirun; a small SD 1.5 with random weights, and the real size where "sd15" is given. Each takes all processors. Run
# on a quiet machine.
#   bash benchmarks/devices.sh [small-sd15|sd15]
model=${1:-small-sd15}
source "$(dirname "$0")/full-size-program.sh"
dotnet "$program" make-model "$model" "$work/model" f32
threads=$(( ($(nproc) + 1) / 2 ))
echo "== one process, batch 2";                 dotnet "$program" devices "$work/model" cpu 2
echo "== two devices in a process, batch 1 each"; dotnet "$program" devices "$work/model" cpu,cpu 1
echo "== two processes over TCP, batch 1 each"
for rank in 0 1; do
  OMP_NUM_THREADS=$threads RANK=$rank WORLD_SIZE=2 MASTER_PORT=29517 dotnet "$program" devices "$work/model" cpu 1 &
done
wait
if command -v mpirun > /dev/null; then
  echo "== two processes by mpirun, batch 1 each"
  OMP_NUM_THREADS=$threads mpirun --allow-run-as-root --oversubscribe --bind-to none -n 2 dotnet "$program" devices "$work/model" cpu 1
else
  echo "== mpirun is not installed: left out"
fi
