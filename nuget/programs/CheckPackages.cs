#:property PublishAot=false
// Looks into the packages of a folder:  dotnet run CheckPackages.cs -- FOLDER VERSION TORCHSHARP
using System.IO.Compression;
using System.Xml.Linq;

var (folder, version, torchSharp) = (args[0], args[1], args[2]);
var problems = new List<string>();
var packages = Directory.GetFiles(folder, "StableTune*.nupkg").Select(Package.Read).ToDictionary(package => package.Id);

// The packages that people install: no code, the managed part, one native backend.
(string Id, string Backend)[] installed =
    [("StableTune", "TorchSharp-cpu"), ("StableTune.Cuda.Windows", "TorchSharp-cuda-windows"), ("StableTune.Cuda.Linux", "TorchSharp-cuda-linux")];
foreach (var (id, backend) in installed)
{
    if (!packages.TryGetValue(id, out var package))
    {
        problems.Add($"{id} is missing");
        continue;
    }
    var wanted = new[] { $"{backend} {torchSharp}", $"StableTune.Managed {version}" };
    if (!package.Dependencies.ToHashSet().SetEquals(wanted)) problems.Add($"{id} depends on {string.Join(", ", package.Dependencies)}");
    if (package.Files.Any(file => file.EndsWith(".dll", StringComparison.Ordinal))) problems.Add($"{id} holds code");
}

foreach (var package in packages.Values)
{
    foreach (var file in new[] { "README.md", "icon.png" }.Except(package.Files)) problems.Add($"{package.Id} lacks {file}");
    if (package.Files.Any(file => file.StartsWith("runtimes/", StringComparison.Ordinal))) problems.Add($"{package.Id} holds native code");
    if (installed.Any(other => other.Id == package.Id)) continue;
    var natives = package.Dependencies.Where(name => name.StartsWith("TorchSharp-", StringComparison.Ordinal) || name.StartsWith("libtorch", StringComparison.Ordinal));
    problems.AddRange(natives.Select(native => $"{package.Id} depends on {native}: the host chooses the backend"));
}

string[] prepared = ["buildTransitive/StableTune.Torch.targets", "buildTransitive/StableTune.PrepareTorch.g.cs"];
problems.AddRange(prepared.Except(packages["StableTune.Torch"].Files).Select(file => $"StableTune.Torch lacks {file}"));

foreach (var problem in problems) Console.WriteLine($"  {problem}");
Console.WriteLine(problems.Count == 0 ? $"  {packages.Count} packages are as they should be" : $"  {problems.Count} problem(s)");
return problems.Count == 0 ? 0 : 1;

/// <summary>What a package says of itself.</summary>
internal sealed record Package(string Id, IReadOnlyList<string> Dependencies, IReadOnlyList<string> Files)
{
    internal static Package Read(string path)
    {
        using var archive = ZipFile.OpenRead(path);
        using var stream = archive.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        var elements = XDocument.Load(stream).Descendants().ToList();
        var dependencies = elements.Where(element => element.Name.LocalName == "dependency")
            .Select(element => $"{(string?)element.Attribute("id")} {(string?)element.Attribute("version")}");
        return new Package(
            elements.First(element => element.Name.LocalName == "id").Value, [.. dependencies], [.. archive.Entries.Select(entry => entry.FullName)]);
    }
}
