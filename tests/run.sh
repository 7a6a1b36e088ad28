#!/usr/bin/env bash
# Builds and runs all tests. The last line is "N passed, N failed".
#   bash tests/run.sh          the normal run
#   bash tests/run.sh --all    also the slow, exhaustive variants (STABLETUNE_ALL_TESTS=1)
set -uo pipefail

# However the run ends, its last line is the summary: nothing has passed until the results are counted.
summary="0 passed, 1 failed" results=""
finish() { [ -n "$results" ] && rm -rf "$results"; echo "$summary"; }
trap finish EXIT
trap 'echo "interrupted"; exit 130' INT TERM
stop() { echo "$1"; exit 1; }

cd "$(dirname "$0")/.." || stop "the repository's folder cannot be entered"
case "${1:-}" in
  "") ;;
  --all) export STABLETUNE_ALL_TESTS=1 ;;
  *) stop "unknown argument: $1 (only --all is known)" ;;
esac

source tests/need-dotnet.sh
source tests/build.sh

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
# Tests run most code a few times: measuring it to compile it better, and guarding compiled code, would take a fifth of their time.
# Collecting garbage every 64 MiB takes a twentieth less.
export DOTNET_TieredPGO=0 DOTNET_EnableWriteXorExecute=0 DOTNET_GCgen0size=0x4000000
results=$(mktemp -d) || stop "no temporary folder can be made"
if ! build StableTune.sln -c Release -v quiet > "$results/build.log" 2>&1; then
  grep -E 'error|warning' "$results/build.log" | sort -u | head -n 40
  [ -s "$results/build.log" ] && tail -n 5 "$results/build.log"
  stop "the build failed"
fi

# Tests compute on small tensors, where further threads only wait for each other: two processes of one thread each do more. The engine's own
# tests, and all in the exhaustive run, have every thread.
# A project, or a part of one: the tests that a filter leaves.
run() {
  local number=$1 name=$2 filter=${3:-} threads=() only=()
  [ -z "$filter" ] || only=(--filter "$filter")
  [ -n "${STABLETUNE_ALL_TESTS:-}${OMP_NUM_THREADS:-}" ] || [ "$name" = StableTune.Torch.Tests ] || threads=(OMP_NUM_THREADS=1)
  env "${threads[@]}" dotnet test "tests/$name" -c Release --no-build --nologo "${only[@]}" --logger "trx;LogFileName=$name-$number.trx" \
    --results-directory "$results/trx" 2>&1 |
    grep -vE '^(Test run for|A total of|Starting test execution|VSTest version|Results File:|\s*$)'
  return "${PIPESTATUS[0]}"
}
# The longest first, so that both processes end at about the same time; whole runs take half of it all, in two parts.
resuming='FullyQualifiedName~.Resume.|FullyQualifiedName~.Several.'
parts=("StableTune.Runs.Tests $(sed 's/|/\&/g; s/~/!~/g' <<< "$resuming")" "StableTune.Runs.Tests $resuming" StableTune.Tests
  StableTune.Checkpoints.Tests StableTune.Training.Tests StableTune.Models.Tests StableTune.SmallWorld.Tests)
for name in $(ls -d tests/*.Tests | xargs -n 1 basename); do
  [[ " ${parts[*]} " == *" $name "* ]] || parts+=("$name")
done
status=0 number=0
for part in "${parts[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || status=$?; done
  read -r name filter <<< "$part"
  number=$((number + 1))
  run "$number" "$name" "$filter" &
done
while [ "$(jobs -rp | wc -l)" -gt 0 ]; do wait -n || status=$?; done

passed=0 failed=0 files=0
for file in "$results"/trx/*.trx; do
  [ -e "$file" ] || break
  files=$((files + 1))
  counters=$(grep -o '<Counters [^>]*>' "$file" | head -n 1)
  [[ $counters =~ \ passed=\"([0-9]+)\" ]] && passed=$((passed + BASH_REMATCH[1]))
  [[ $counters =~ \ failed=\"([0-9]+)\" ]] && failed=$((failed + BASH_REMATCH[1]))
done

# A test project that crashed writes no result file, or fails without a failed test: that is a failure too.
if [ "$files" -ne "${#parts[@]}" ] || { [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; }; then
  echo "$((${#parts[@]} - files)) of ${#parts[@]} test projects and parts gave no result (exit code $status)"
  failed=$((failed + 1))
fi
summary="$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
