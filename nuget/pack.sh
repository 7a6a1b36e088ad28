#!/usr/bin/env bash
# Packs every project under src/ and the packages that people install, looks into them, installs them into fresh programs outside the
# repository, trains there (the README's example; a program of one file; adapters and checkpoints alone; the tool), and publishes in every
# way that a host may.
# Needs the .NET 10 SDK and 5 GB below the temporary folder.
#   bash nuget/pack.sh [FOLDER]     where the packages go; artifacts/packages when not said
set -euo pipefail
packages=${1:+$(realpath -m "$1")}   # as the caller sees it, before the change of folder
cd "$(dirname "$0")/.."
packages=${packages:-$PWD/artifacts/packages}
source tests/need-dotnet.sh
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
run() { # quiet unless it fails
  if ! "$@" > "$work/log" 2>&1; then grep -E 'error' "$work/log" | sort -u | head -n 20 || tail -n 20 "$work/log"; echo "failed: $*"; exit 1; fi
}

echo "packing into $packages"
mkdir -p "$packages"; rm -f "$packages"/StableTune*.nupkg "$packages"/StableTune*.snupkg
for project in src/*/*.csproj; do run dotnet pack "$project" -c Release -o "$packages" -v quiet; done
version=$(basename "$(ls "$packages"/StableTune.Core.*.nupkg)" .nupkg); version=${version#StableTune.Core.}
torchsharp=$(sed -n 's/.*Include="TorchSharp" Version="\([^"]*\)".*/\1/p' Directory.Packages.props)
# Nothing is restored for these: not every feed has the packages with CUDA.
for description in nuget/packages/*.nuspec; do run dotnet pack "$description" -o "$packages" -p "version=$version" -p "torchsharp=$torchsharp"; done
count=$(ls "$packages"/StableTune*.nupkg | wc -l) expected=$(ls src/*/*.csproj nuget/packages/*.nuspec | wc -l)
[ "$count" -eq "$expected" ] || { echo "$count packages, $expected expected"; exit 1; }
(cd "$packages" && ls -l --block-size=K *.nupkg) | awk '{ print "  " $5, $NF }'
cp nuget/programs/CheckPackages.cs "$work/CheckPackages.cs"
dotnet run "$work/CheckPackages.cs" -- "$packages" "$version" "$torchsharp" "$(git rev-parse HEAD 2> /dev/null || true)"

# A package cache of its own: packages that were installed earlier under the same version must not stand in for these.
export NUGET_PACKAGES=$work/cache
cat > "$work/nuget.config" <<XML
<configuration>
  <packageSources><add key="packed here" value="$packages" /></packageSources>
</configuration>
XML

echo "installing StableTune $version into a fresh program"
app=$work/app
run dotnet new console -o "$app" --no-restore
run dotnet add "$app" package StableTune --version "$version"
# The README's example as it stands, on the tiny model, with two steps.
mkdir -p "$app/run/models" "$app/run/images"
cp -r tests/fixtures/models/tiny-sd15 "$app/run/models/sd15"
cp -r "samples/Shared/images/5_sls frog" "$app/run/images/20_sls frog"
{
  echo 'using StableTune;'
  echo 'StableTune.Models.ClipVocabulary.WriteFiles("models/sd15/tokenizer", mergeCount: 486);'
  sed -n '/^```csharp/,/^```/p' README.md | sed '/^```/d' | sed 's/^\( *\)\.SaveTo(/\1.For(TrainingLength.Steps(2))\n&/'
  echo 'Console.WriteLine($"{result.Steps} steps, loss {result.AverageLoss:F4}, {new FileInfo(result.Files[0]).Length} bytes in {result.Files[0]}");'
} > "$app/Program.cs"
run dotnet build "$app" -c Release -v quiet
(cd "$app/run" && dotnet "$app/bin/Release/net10.0/app.dll")
[ -s "$app/run/out/frog.safetensors" ] || { echo "the adapter was not written"; exit 1; }

echo "running a program of one file"
mkdir "$work/script"
{ echo "#:package StableTune@$version"; echo '#:property PublishAot=false'; grep -v '^#' samples/Script/train.cs; } > "$work/script/train.cs"
run dotnet run "$work/script/train.cs" -- "$app/run/models/sd15" "$app/run/images/20_sls frog" "$work/script/out" 2 64
[ -s "$work/script/out/lora.safetensors" ] || { echo "the program of one file wrote no adapter"; exit 1; }

echo "installing StableTune.Adapters and StableTune.Checkpoints alone"
two=$work/two
run dotnet new console -o "$two" --no-restore
for package in "StableTune.Adapters $version" "StableTune.Checkpoints $version" "TorchSharp-cpu $torchsharp"; do
  run dotnet add "$two" package "${package% *}" --version "${package#* }"
done
cp samples/AdaptersOnly/Program.cs samples/Shared/TinyModel.cs "$two"
echo 'global using TorchSharp; global using static TorchSharp.torch;' > "$two/Usings.cs"
run dotnet build "$two" -c Release -v quiet
cp -r tests/fixtures/models/tiny-sd15 "$two/bin/Release/net10.0/model"
dotnet "$two/bin/Release/net10.0/two.dll" "$work/two out" | tee "$work/log"
grep -q 'differs by 0$' "$work/log" || { echo "the adapter that was saved is not the one that was trained"; exit 1; }
[ ! -e "$two/bin/Release/net10.0/StableTune.Training.dll" ] || { echo "adapters and checkpoints bring what trains"; exit 1; }
rm -rf "$two"

echo "installing the tool"
export DOTNET_ROOT=${DOTNET_ROOT:-$(dirname "$(readlink -f "$(command -v dotnet)")")}   # a tool is a program of its own, and looks for .NET
run dotnet tool install StableTune.Tool --version "$version" --tool-path "$work/tools" --configfile "$work/nuget.config"
"$work/tools/stabletune" inspect "$app/run/out/frog.safetensors"
run "$work/tools/stabletune" train-network --pretrained_model_name_or_path "$app/run/models/sd15" --train_data_dir "$app/run/images" \
  --resolution 64 --network_module networks.lora --network_dim 2 --max_train_steps 1 --output_dir "$work/tool out" --output_name frog
[ -s "$work/tool out/frog.safetensors" ] || { echo "the tool wrote no adapter"; exit 1; }
rm -rf "$app" "$work/tools"

bash nuget/programs/try.sh "$work" "StableTune $version"
echo "the packages work: $packages"
