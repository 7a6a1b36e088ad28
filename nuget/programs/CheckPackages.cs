#:property PublishAot=false
// Looks into the packages of a folder:  dotnet run CheckPackages.cs -- FOLDER VERSION TORCHSHARP [COMMIT]
using System.IO.Compression;
using System.Xml.Linq;

var (folder, version, torchSharp, commit) = (args[0], args[1], args[2], args.ElementAtOrDefault(3) ?? "");
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
    if (package.License != "MIT") problems.Add($"{package.Id} has the licence \"{package.License}\"");
    if (package.Description.Length < 20) problems.Add($"{package.Id} is described as \"{package.Description}\"");
    // A tool is a program, and brings what it runs on.
    if (package.IsTool) continue;
    if (package.Files.Any(file => file.StartsWith("runtimes/", StringComparison.Ordinal))) problems.Add($"{package.Id} holds native code");
    if (installed.Any(other => other.Id == package.Id)) continue;
    var natives = package.Dependencies.Where(name => name.StartsWith("TorchSharp-", StringComparison.Ordinal) || name.StartsWith("libtorch", StringComparison.Ordinal));
    problems.AddRange(natives.Select(native => $"{package.Id} depends on {native}: the host chooses the backend"));

    // Code comes with its documentation, its symbols in a package beside it, and the commit that it was built from.
    var assemblies = package.Files.Where(file => file.StartsWith("lib/", StringComparison.Ordinal) && file.EndsWith(".dll", StringComparison.Ordinal)).ToList();
    if (assemblies.Count == 0) problems.Add($"{package.Id} holds no code");
    problems.AddRange(assemblies.Select(file => Path.ChangeExtension(file, ".xml")).Except(package.Files).Select(file => $"{package.Id} lacks {file}"));
    var symbols = Path.Combine(folder, $"{package.Id}.{version}.snupkg");
    if (!File.Exists(symbols)) problems.Add($"{package.Id} has no package of symbols");
    else problems.AddRange(assemblies.Select(file => Path.ChangeExtension(file, ".pdb")).Except(Package.FilesOf(symbols)).Select(file => $"{package.Id}'s symbols lack {file}"));
    if (commit.Length > 0 && package.Commit != commit) problems.Add($"{package.Id} says it was built from commit \"{package.Commit}\", not {commit}");
}

string[] prepared = ["buildTransitive/StableTune.Torch.targets", "buildTransitive/StableTune.PrepareTorch.g.cs"];
problems.AddRange(prepared.Except(packages["StableTune.Torch"].Files).Select(file => $"StableTune.Torch lacks {file}"));

foreach (var problem in problems) Console.WriteLine($"  {problem}");
Console.WriteLine(problems.Count == 0 ? $"  {packages.Count} packages are as they should be" : $"  {problems.Count} problem(s)");
return problems.Count == 0 ? 0 : 1;

/// <summary>What a package says of itself.</summary>
internal sealed record Package(string Id, IReadOnlyList<string> Dependencies, IReadOnlyList<string> Files)
{
    internal required string License { get; init; }

    internal required string Description { get; init; }

    internal required string Commit { get; init; }

    internal required bool IsTool { get; init; }

    internal static IReadOnlyList<string> FilesOf(string path)
    {
        using var archive = ZipFile.OpenRead(path);
        return [.. archive.Entries.Select(entry => entry.FullName)];
    }

    internal static Package Read(string path)
    {
        using var archive = ZipFile.OpenRead(path);
        using var stream = archive.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        var elements = XDocument.Load(stream).Descendants().ToList();
        var dependencies = elements.Where(element => element.Name.LocalName == "dependency")
            .Select(element => $"{(string?)element.Attribute("id")} {(string?)element.Attribute("version")}");
        string Text(string name) => elements.FirstOrDefault(element => element.Name.LocalName == name)?.Value ?? "";
        return new Package(Text("id"), [.. dependencies], [.. archive.Entries.Select(entry => entry.FullName)])
        {
            License = Text("license"), Description = Text("description"),
            Commit = (string?)elements.FirstOrDefault(element => element.Name.LocalName == "repository")?.Attribute("commit") ?? "",
            IsTool = elements.Any(element => element.Name.LocalName == "packageType" && (string?)element.Attribute("name") == "DotnetTool"),
        };
    }
}
