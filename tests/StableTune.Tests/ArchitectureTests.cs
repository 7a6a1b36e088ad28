using System.Text.RegularExpressions;
using System.Xml.Linq;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Holds the picture of docs/architecture.md: references point downwards, and only where they are allowed.</summary>
public sealed class ArchitectureTests
{
    private const string Engine = "StableTune.Torch";

    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["StableTune.Core"] = [],
        [Engine] = ["StableTune.Core"],
        ["StableTune.Imaging"] = ["StableTune.Core"],
        ["StableTune.Imaging.Vips"] = ["StableTune.Imaging"],
        ["StableTune.Formats"] = ["StableTune.Core"],
        ["StableTune.Hub"] = ["StableTune.Core"],
        ["StableTune.Tensors"] = ["StableTune.Core", "StableTune.Imaging", "StableTune.Formats", Engine],
        ["StableTune.Models"] = ["StableTune.Core", "StableTune.Formats", "StableTune.Tensors", Engine],
        ["StableTune.Adapters"] = ["StableTune.Core", "StableTune.Formats", "StableTune.Tensors", Engine],
        ["StableTune.Data"] = ["StableTune.Core", "StableTune.Imaging", "StableTune.Formats", "StableTune.Tensors", Engine],
        ["StableTune.Imaging.ImageSharp"] = ["StableTune.Core", "StableTune.Imaging", "StableTune.Data"],
        ["StableTune.Checkpoints"] = ["StableTune.Core", "StableTune.Formats", "StableTune.Hub", "StableTune.Tensors", "StableTune.Models",
            "StableTune.Adapters", Engine],
        ["StableTune.Diffusion"] = ["StableTune.Core", "StableTune.Imaging", "StableTune.Models", Engine],
        ["StableTune.Preparation"] = ["StableTune.Core", "StableTune.Imaging", "StableTune.Formats", "StableTune.Hub", "StableTune.Tensors",
            "StableTune.Data", "StableTune.Models", Engine],
        ["StableTune.Preparation.Onnx"] = ["StableTune.Core", "StableTune.Hub", "StableTune.Imaging", "StableTune.Models",
            "StableTune.Preparation", Engine],
        ["StableTune.Training"] =
        [
            "StableTune.Core", "StableTune.Imaging", "StableTune.Formats", "StableTune.Hub", "StableTune.Tensors", "StableTune.Models",
                "StableTune.Checkpoints", "StableTune.Diffusion",
            "StableTune.Adapters", "StableTune.Data", "StableTune.Preparation", Engine,
        ],
        ["StableTune"] = ["StableTune.Core", "StableTune.Training", Engine],
        ["StableTune.Tool"] = ["StableTune", "StableTune.Training", "StableTune.Preparation.Onnx", Engine],
    };

    private static string Sources => Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(Fixtures.Root))!, "src");

    [Fact]
    public void EveryProject_ReferencesOnlyWhatIsBelowIt()
    {
        var projects = Directory.GetFiles(Sources, "*.csproj", SearchOption.AllDirectories);
        Assert.Equal(Allowed.Keys.Order(StringComparer.Ordinal),
            projects.Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal)!);
        foreach (var project in projects)
        {
            var name = Path.GetFileNameWithoutExtension(project);
            var forbidden = References(project).Except(Allowed[name]).ToArray();
            Assert.True(forbidden.Length == 0, $"{name} may not reference {string.Join(", ", forbidden)}");
        }
    }

    [Fact]
    public void NativeFunctions_AreDeclaredInOneProjectOnly()
    {
        var offenders = from file in Directory.EnumerateFiles(Sources, "*.cs", SearchOption.AllDirectories)
                        where !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
                        where !file.StartsWith(Path.Combine(Sources, Engine) + Path.DirectorySeparatorChar, StringComparison.Ordinal)
                        where Regex.IsMatch(File.ReadAllText(file), @"\b(DllImport|LibraryImport)\b")
                        select file;
        Assert.Empty(offenders);
    }

    [Fact]
    public void Lines_EndBeforeColumn140()
    {
        var repository = Path.GetDirectoryName(Sources)!;
        var files =
            from folder in new[] { "src", "tests", "samples", "benchmarks" }
            from file in Directory.EnumerateFiles(Path.Combine(repository, folder), "*.cs", SearchOption.AllDirectories)
            where !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
            select file;
        var offenders = files.SelectMany(file => LongLines(file).Select(line => $"{Path.GetRelativePath(repository, file)}:{line}"));
        Assert.Empty(offenders);
    }

    /// <summary>Raw strings are data: they are as long as they are.</summary>
    private static IEnumerable<int> LongLines(string file)
    {
        var isRaw = false;
        foreach (var (line, index) in File.ReadLines(file).Select((line, index) => (line, index)))
        {
            var marks = Regex.Count(line, "\"{3,}");
            if (line.Length > 140 && !isRaw && marks == 0) yield return index + 1;
            if (marks % 2 == 1) isRaw = !isRaw;
        }
    }

    [Fact]
    public void NothingNative_IsBuilt() =>
        Assert.DoesNotContain(
            Directory.EnumerateFiles(Sources, "*.c*", SearchOption.AllDirectories)
                .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)),
            file => Path.GetExtension(file) is ".c" or ".cc" or ".cpp" or ".cmake");

    [Fact]
    public void NoNamespace_HasTheNameOfAType()
    {
        var types = typeof(TrainerBuilder).Assembly.GetReferencedAssemblies()
            .Where(a => a.Name!.StartsWith("StableTune", StringComparison.Ordinal))
            .Select(System.Reflection.Assembly.Load).Append(typeof(TrainerBuilder).Assembly).SelectMany(a => a.GetExportedTypes())
                .ToArray();
        var namespaces = types.Select(t => t.Namespace).ToHashSet();
        Assert.DoesNotContain(types, t => namespaces.Contains(t.FullName));
    }

    private static IEnumerable<string> References(string project)
    {
        var document = XDocument.Load(project);
        foreach (var reference in document.Descendants("ProjectReference"))
            yield return Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/'));
        if (document.Descendants("UsesTensors").Any(e => e.Value == "true") && Path.GetFileNameWithoutExtension(project) != Engine)
            yield return Engine;
    }
}
