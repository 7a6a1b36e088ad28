#!/usr/bin/env bash
# Builds a sample, and runs it with the arguments that follow:  bash samples/run.sh Datasets --steps 20
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
sample=${1:-}
[ -n "$sample" ] && [ -e "samples/$sample/$sample.csproj" ] || { echo "\"$sample\" is no sample; there are:$(cd samples && printf ' %s' */*.csproj | sed -E 's|/[^ ]*||g')"; exit 1; }
shift
source tests/need-dotnet.sh
source tests/build.sh

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
log=$(mktemp); trap 'rm -f "$log"' EXIT
echo "building ..."
if ! build "samples/$sample" -c Release -v quiet > "$log" 2>&1; then
  grep -E 'error' "$log" | sort -u | head -n 20 || tail -n 20 "$log"
  echo "the build failed"
  exit 1
fi
dotnet "samples/$sample/bin/Release/net10.0/$sample.dll" "$@"
