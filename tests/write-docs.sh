#!/usr/bin/env bash
# Writes anew what the pages docs/coming-from-*.md take from the catalogue of options. Read the diff, then commit it.
#   bash tests/write-docs.sh
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/need-dotnet.sh
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
STABLETUNE_WRITE_DOCS=1 dotnet test tests/StableTune.Tests -c Release --nologo -v quiet --filter "FullyQualifiedName~ComingFromTests"
git diff --stat -- docs
