#!/usr/bin/env bash
# Installs what the native parts of StableTune need to build and run on Debian (or Ubuntu): a compiler, CMake, libtorch,
# a fast BLAS, and OpenCV's image coders. Does nothing where all is there already.
set -euo pipefail

packages=(
  cmake g++                                     # to build the shims
  libtorch-dev                                  # the tensor engine
  libopenblas0-pthread                          # without it matrix products run about 40 times slower
  libopencv-imgcodecs-dev libopencv-imgproc-dev # reading, writing and resizing pictures
)

if ! command -v apt-get > /dev/null; then
  echo "install-deps.sh: this system has no apt-get; install by hand: ${packages[*]} (or the like), or set STABLETUNE_LIBTORCH to a libtorch folder." >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2> /dev/null | grep -q "ok installed" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "install-deps.sh: nothing to do, all of these are installed: ${packages[*]}"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo > /dev/null; then
    echo "install-deps.sh: needs root or sudo to install: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "install-deps.sh: installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
echo "install-deps.sh: done"
