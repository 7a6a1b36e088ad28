# Sourced: builds the program of the full-size measurements, and makes a folder that is removed at the end. Gives $program and $work.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/need-dotnet.sh
source tests/build.sh
build benchmarks/StableTune.FullSize -c Release -v quiet
program=benchmarks/StableTune.FullSize/bin/Release/net10.0/StableTune.FullSize.dll
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
echo "== $(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2), $(df --output=avail -BG "$work" | tail -n 1) free"
