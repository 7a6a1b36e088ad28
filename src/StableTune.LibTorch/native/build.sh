#!/usr/bin/env bash
# usage: build.sh <source folder> <build folder>
# Builds the shim when it is out of date. Exit 2: tools or headers are missing; 1: it did not compile (see build.log).
# A lock keeps builds that run side by side from writing the same files; the library appears complete or not at all.
set -u
source_folder=$1
build_folder=$2
mkdir -p "$build_folder" || exit 1
exec 9> "$build_folder/.lock"
flock 9
log="$build_folder/build.log"

command -v cmake > /dev/null || { echo "cmake is not installed" > "$log"; exit 2; }
command -v c++ > /dev/null || command -v g++ > /dev/null || { echo "no C++ compiler" > "$log"; exit 2; }
generator=()
command -v ninja > /dev/null && generator=(-G Ninja)

work="$build_folder/cmake"
if ! cmake "${generator[@]}" -S "$source_folder" -B "$work" > "$log" 2>&1; then
  # A cache of another generator or compiler is the one failure that a fresh start mends.
  rm -rf "$work"
  cmake "${generator[@]}" -S "$source_folder" -B "$work" > "$log" 2>&1 || exit 2
fi
cmake --build "$work" >> "$log" 2>&1 || exit 1
cp "$work/libstabletune_torch.so" "$build_folder/libstabletune_torch.so.new" || exit 1
mv -f "$build_folder/libstabletune_torch.so.new" "$build_folder/libstabletune_torch.so"
touch "$build_folder/libstabletune_torch.so"
