#!/usr/bin/env bash
# Installs what the native parts of StableTune need to build and run on Debian (or Ubuntu): a compiler, CMake, libtorch,
# a fast BLAS, and OpenCV's image coders. Does nothing where all is there already.
# With STABLETUNE_LIBTORCH set, libtorch and its BLAS are those of that folder and are not installed.
set -euo pipefail

packages=(
  cmake make g++                                # to build the shims
  libopencv-imgcodecs-dev libopencv-imgproc-dev # reading, writing and resizing pictures
)
if [ -z "${STABLETUNE_LIBTORCH:-}" ]; then
  packages+=(
    libtorch-dev                                # the tensor engine
    libopenblas0-pthread                        # without it matrix products run about 40 times slower
  )
elif [ ! -d "$STABLETUNE_LIBTORCH" ]; then
  echo "install-deps.sh: STABLETUNE_LIBTORCH is \"$STABLETUNE_LIBTORCH\", which is no folder; name one with libtorch's include/ and lib/, or unset it." >&2
  exit 1
fi

if ! command -v apt-get > /dev/null; then
  if [ -n "${STABLETUNE_LIBTORCH:-}" ]; then   # the build names what is missing
    echo "install-deps.sh: this system has no apt-get; taking it that these (or the like) are installed: ${packages[*]}"
    exit 0
  fi
  echo "install-deps.sh: this system has no apt-get. Install ${packages[*]} (or the like) by hand and set STABLETUNE_LIBTORCH to the libtorch folder." >&2
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
failed() { echo "install-deps.sh: $1 failed (its words are above). Without a network, install by hand: ${missing[*]}" >&2; exit 1; }
"${as_root[@]}" apt-get update -q || failed "apt-get update"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" || failed "apt-get install"
echo "install-deps.sh: done"
