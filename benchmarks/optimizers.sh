#!/usr/bin/env bash
# A step of every optimizer (or of those that are named) over an adapter's 528 tensors, against the same formula as a loop of TorchSharp's calls,
# and over 100 million parameters, with the bytes that are remembered of each. Needs 4 GB of memory. Run on a quiet machine.
#   bash benchmarks/optimizers.sh [NAME ...]       RANK=4 bash ... for an adapter of that rank; 8 when not said
source "$(dirname "$0")/full-size-program.sh"
dotnet "$program" optimizers "${RANK:-8}" "$@"
