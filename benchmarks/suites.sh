#!/usr/bin/env bash
# Runs BenchmarkDotNet's suites and writes their tables into docs/performance.md, between its markers. Run on a quiet machine: ten to twenty minutes.
#   bash benchmarks/suites.sh [SUITE ...]      Operator Layer Step AdamW Safetensors Data Tokenizer Imaging when not said
#   JOB=dry bash benchmarks/suites.sh Layer    one call of each, to try it out (short and medium are the others); writes nothing
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/need-dotnet.sh
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
job=${JOB:-short} page=docs/performance.md
[ $# -gt 0 ] || set -- Operator Layer Step AdamW Safetensors Data Tokenizer Imaging
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
dotnet build benchmarks/StableTune.Benchmarks -c Release -v quiet
program=benchmarks/StableTune.Benchmarks/bin/Release/net10.0/StableTune.Benchmarks.dll
{
  echo
  echo "$(nproc) cores,$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2), $(date -u +%Y-%m-%d), job \`$job\`, \`bash benchmarks/suites.sh $*\`:"
  for suite in "$@"; do
    # In this process: BenchmarkDotNet's own copy of the project would not have the native libraries of this repository's build.
    # It measures nothing in a program below the temporary folder, so that one is another.
    TMPDIR=$work dotnet "$program" --filter "*.${suite}Benchmarks.*" --job "$job" --inProcess --artifacts "$work/$suite" --exporters GitHub > "$work/log" 2>&1 || true
    table=$(ls "$work/$suite"/results/*-report-github.md 2> /dev/null) || { tail -n 20 "$work/log" >&2; echo "$suite gave no table" >&2; exit 1; }
    echo; echo "### $suite"; echo
    # The table alone, without the description of the machine and columns that say nothing to a reader.
    grep '^|' "$table" | sed -E 's/ +\|/ |/g; s/\| +/| /g; s/-{3,}/---/g' | sed -E "s/\*\*|&#39;//g"
  done
  echo
} > "$work/tables.md"
cat "$work/tables.md"
[ "$job" != dry ] || exit 0
awk -v tables="$work/tables.md" '
  /^<!-- suites: / { print; while ((getline line < tables) > 0) print line; skip = 1 }
  /^<!-- end of suites -->/ { skip = 0 }
  !skip || /^<!-- end of suites -->/ { if ($0 !~ /^<!-- suites: /) print }' "$page" > "$work/page.md"
grep -q '^<!-- end of suites -->' "$work/page.md" || { echo "$page lacks its markers" >&2; exit 1; }
cp "$work/page.md" "$page"
echo "written into $page"
