#!/usr/bin/env bash
# Accepts the public API as the code has it: writes PublicAPI.Unshipped.txt of every project under src/ anew. Read the diff, then commit it.
#   bash tests/accept-api.sh
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/need-dotnet.sh
source tests/build.sh
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_UI_LANGUAGE=en

# Until every new file is complete, the end of the script puts the old ones back, however it comes.
work=$(mktemp -d) accepted=
finish() {
  [ -n "$accepted" ] || for old in "$work"/src/*/*.txt; do [ ! -e "$old" ] || cp "$old" "${old#"$work"/}"; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

for project in src/*/*.csproj; do
  folder=$(dirname "$project")
  for file in "$folder"/PublicAPI.{Shipped,Unshipped}.txt; do [ -e "$file" ] || echo '#nullable enable' > "$file"; done
  mkdir -p "$work/$folder" && cp "$folder/PublicAPI.Unshipped.txt" "$work/$folder"
  echo '#nullable enable' > "$folder/PublicAPI.Unshipped.txt"
done

# One build: with the files empty, the analyzer names every member (RS0016), and every one that was shipped and is gone (RS0017).
cat > "$work/all.proj" << END
<Project DefaultTargets="Build">
  <ItemGroup><Each Include="$PWD/src/*/*.csproj" /></ItemGroup>
  <Target Name="Restore"><MSBuild Projects="@(Each)" Targets="Restore" /></Target>
  <Target Name="Build"><MSBuild Projects="@(Each)" BuildInParallel="true" /></Target>
</Project>
END
if ! build "$work/all.proj" -c Release -v quiet -p:TreatWarningsAsErrors=false > "$work/log"; then
  { grep ': error' "$work/log" || tail -n 5 "$work/log"; } | sort -u | head -n 20
  echo "the build failed: nothing is accepted"
  exit 1
fi

# The files are written by copying, so that they are newer than this build: the next one compiles with warnings as errors.
for project in src/*/*.csproj; do
  new=$work/PublicAPI.Unshipped.txt
  { echo '#nullable enable'
    tr -d '\r' < "$work/log" | sed -n -e "/[\\\\/]$(basename "$project")]\$/!d" \
      -e "s/^.*: warning RS0016: Symbol '\(.*\)' is not part of the declared public API.*\$/\1/p" \
      -e "s/^.*: warning RS0017: Symbol '\(.*\)' is part of the declared API, but .*\$/*REMOVED*\1/p" | LC_ALL=C sort -u
  } > "$new"
  cp "$new" "$(dirname "$project")"
done
accepted=yes
git diff --stat -- 'src/*/PublicAPI.*.txt'
