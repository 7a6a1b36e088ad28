# For other scripts to source: ends them with one line where there is no .NET SDK of version 10 or later. Nothing else is needed.
sdk=$(dotnet --version 2> /dev/null | tail -n 1) || sdk=
case "$sdk" in
  [1-9][0-9].* | [1-9][0-9][0-9].*) ;;
  "") if command -v dotnet > /dev/null; then echo "missing: the .NET 10 SDK ('dotnet' is there without an SDK; see https://dot.net)"
      else echo "missing: the .NET 10 SDK ('dotnet' is not on the PATH; see https://dot.net)"; fi
      exit 1 ;;
  *) echo "missing: the .NET 10 SDK (this one is $sdk; see https://dot.net)"; exit 1 ;;
esac
