# For other scripts to source: `build PROJECT ...` is `dotnet build` with one compiler for all projects, which ends with the build. Starting
# one for each of sixty would take nearly half of the time; the SDK shares it by itself, unless a machine's settings forbid what would stay.
build() {
  local name=stabletune-$$ status=0
  dotnet build "$@" -p:UseSharedCompilation=true -p:SharedCompilationId="$name" || status=$?
  pkill -f -- "-pipename:$name\$" 2> /dev/null || true
  return "$status"
}
