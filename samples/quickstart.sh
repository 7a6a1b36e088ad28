#!/usr/bin/env bash
# Trains a LoRA on eight small pictures with an embedded tiny model, and shows where the results are.
# Arguments go to the sample: see samples/Quickstart/Program.cs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
command -v dotnet >/dev/null || { echo "missing: the .NET 10 SDK ('dotnet' is not on the PATH)"; exit 1; }
bash src/StableTune.LibTorch/native/install-deps.sh || exit 1

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
log=$(mktemp); trap 'rm -f "$log"' EXIT
echo "building ..."
if ! dotnet build samples/Quickstart -c Release -v quiet > "$log" 2>&1; then
  grep -E 'error' "$log" | sort -u | head -n 20 || tail -n 20 "$log"
  echo "the build failed"
  exit 1
fi
dotnet samples/Quickstart/bin/Release/net10.0/Quickstart.dll "$@"
