#!/usr/bin/env bash
# Installs packages into a fresh program that touches TorchSharp before anything of StableTune, runs it, and publishes and runs it in every
# way that a host may. Called by nuget/pack.sh.
#   bash nuget/programs/try.sh FOLDER "PACKAGE VERSION"...     an empty folder, or one with a nuget.config
set -euo pipefail
work=$1; shift
cp -r "$(dirname "$0")" "$work/fresh program"; rm "$work/fresh program/CheckPackages.cs"   # a blank in a path must not matter
cd "$work/fresh program"
run() { # quiet unless it fails
  if ! "$@" > "$work/log" 2>&1; then grep -E 'error' "$work/log" | sort -u | head -n 20 || tail -n 20 "$work/log"; echo "failed: $*"; exit 1; fi
}
start() { # starts a program from another folder, with a home of its own
  if ! (cd / && XDG_CACHE_HOME= HOME=$work/home DOTNET_BUNDLE_EXTRACT_BASE_DIR=$work/home/.net "$@") > "$work/log" 2>&1; then cat "$work/log"; echo "failed: $*"; exit 1; fi
  sed 's/^/    /' "$work/log"
}
publish() { # NAME ARGUMENTS...
  local name=$1 published=$work/published; shift
  rm -rf "$published" "$work/home/.net"
  run dotnet publish -c Release -o "$published" -v quiet "$@"
  echo "  published: $name, $(du -sm "$published" | cut -f 1) MB"
  start "$published/TorchFirst"
}
refuse() { # CODE PROPERTY: publishing in this way must fail with this code
  if dotnet msbuild -t:StableTuneCheckPublish "-p:$2=true" > "$work/log" 2>&1 || ! grep -q "$1" "$work/log"; then
    cat "$work/log"; echo "failed: $2 was not refused with $1"; exit 1
  fi
  echo "  refused: $2"
}

mkdir -p "$work/home"
for package in "$@"; do run dotnet add package "${package% *}" --version "${package#* }"; done
echo "  a program that touches TorchSharp first"
run dotnet build -c Release -v quiet
start dotnet "$PWD/bin/Release/net10.0/TorchFirst.dll"
run dotnet build -c Release -v quiet -p:StableTunePrepareTorch=false -o "$work/unprepared"
if grep -q PrepareTorch "$work/unprepared/TorchFirst.dll"; then echo "failed: StableTunePrepareTorch=false has no effect"; exit 1; fi
rm -rf "$work/unprepared" bin

rid=$(dotnet msbuild -getProperty:NETCoreSdkPortableRuntimeIdentifier)
publish "needs the framework"
publish "needs the framework, for $rid" -r "$rid" --no-self-contained
publish "brings the framework" -r "$rid" --self-contained
publish "one file, libraries beside it" -r "$rid" --self-contained -p:PublishSingleFile=true
publish "one file that unpacks itself" -r "$rid" --self-contained -p:PublishSingleFile=true -p:IncludeNativeLibrariesForSelfExtract=true
refuse STABLETUNE001 PublishAot
refuse STABLETUNE002 PublishTrimmed
rm -rf "$work/published" "$work/home" "$work/fresh program"
