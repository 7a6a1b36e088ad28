#!/usr/bin/env bash
# Packs every project under src/, installs the result into a fresh program outside the repository, and trains two steps there.
#   bash nuget/pack.sh [FOLDER]     where the packages go; artifacts/packages when not said
set -euo pipefail
packages=${1:+$(realpath -m "$1")}   # as the caller sees it, before the change of folder
cd "$(dirname "$0")/.."
packages=${packages:-$PWD/artifacts/packages}
command -v dotnet > /dev/null || { echo "missing: the .NET 10 SDK ('dotnet' is not on the PATH)"; exit 1; }
bash src/StableTune.LibTorch/native/install-deps.sh
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
run() { # quiet unless it fails
  if ! "$@" > "$work/log" 2>&1; then grep -E 'error' "$work/log" | sort -u | head -n 20 || tail -n 20 "$work/log"; echo "failed: $*"; exit 1; fi
}

echo "packing into $packages"
mkdir -p "$packages"; rm -f "$packages"/StableTune.*nupkg
for project in src/*/*.csproj; do run dotnet pack "$project" -c Release -o "$packages" -v quiet; done
count=$(ls "$packages"/*.nupkg | wc -l)
[ "$count" -eq "$(ls src/*/*.csproj | wc -l)" ] || { echo "$count packages for $(ls src/*/*.csproj | wc -l) projects"; exit 1; }
version=$(basename "$(ls "$packages"/StableTune.Core.*.nupkg)" .nupkg); version=${version#StableTune.Core.}
ls -l --block-size=K "$packages"/*.nupkg | awk '{ print "  " $5, $NF }' | sed "s|$packages/||"

echo "installing StableTune $version into a fresh program"
app=$work/app
run dotnet new console -o "$app" --no-restore
cat > "$app/nuget.config" <<XML
<configuration>
  <packageSources><add key="packed here" value="$packages" /></packageSources>
</configuration>
XML
# A package cache of its own: packages that were installed earlier under the same version must not stand in for these.
export NUGET_PACKAGES=$work/cache
run dotnet add "$app" package StableTune --version "$version"

# The README's example as it stands, on the tiny model, with two steps.
mkdir -p "$app/run/models" "$app/run/images"
cp -r tests/fixtures/models/tiny-sd15 "$app/run/models/sd15"
cp -r "samples/Quickstart/images/5_sls frog" "$app/run/images/20_sls frog"
{
  echo 'using StableTune;'
  echo 'StableTune.Models.ClipVocabulary.WriteFiles("models/sd15/tokenizer", mergeCount: 486);'
  sed -n '/^```csharp/,/^```/p' README.md | sed '/^```/d' | sed 's/^\( *\)\.SaveTo(/\1.For(TrainingLength.Steps(2))\n&/'
  echo 'Console.WriteLine($"{result.Steps} steps, loss {result.AverageLoss:F4}, {new FileInfo(result.Files[0]).Length} bytes in {result.Files[0]}");'
} > "$app/Program.cs"
run dotnet build "$app" -c Release -v quiet
for shim in libstabletune_torch.so libSkiaSharp.so; do
  [ -f "$app/bin/Release/net10.0/runtimes/linux-x64/native/$shim" ] || { echo "$shim did not come with the packages"; exit 1; }
done
unset STABLETUNE_NATIVE
(cd "$app/run" && dotnet "$app/bin/Release/net10.0/app.dll")
[ -s "$app/run/out/frog.safetensors" ] || { echo "the adapter was not written"; exit 1; }
echo "the packages work: $packages"
