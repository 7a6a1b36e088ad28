using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using StableTune.Testing;

namespace StableTune.Documentation.Tests;

/// <summary>Compiles every C# block of the documentation against the assemblies: a renamed member breaks a test, not a reader's
/// program.</summary>
public sealed class DocumentationTests
{
    private static readonly MetadataReference[] s_references =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    private static string Repository => Path.GetDirectoryName(Path.GetDirectoryName(Fixtures.Root))!;

    public static TheoryData<string> Pages => [.. ((string[])["docs", "nuget"])
        .SelectMany(folder => Directory.GetFiles(Path.Combine(Repository, folder), "*.md"))
        .Select(path => Path.GetRelativePath(Repository, path).Replace('\\', '/')).Prepend("README.md").Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void EveryBlock_Compiles(string page)
    {
        var errors = string.Join('\n', CodeBlock.In(page, File.ReadAllText(Path.Combine(Repository, page))).SelectMany(Errors));
        Assert.True(errors.Length == 0, errors);
    }

    [Fact]
    public void Readme_HasABlock() => Assert.NotEmpty(CodeBlock.In("README.md", File.ReadAllText(Path.Combine(Repository, "README.md"))));

    [Fact]
    public void AWrongMember_IsToldWithPageAndLine()
    {
        var block = Assert.Single(CodeBlock.In(
            "page.md", "# Title\n\n```csharp\nusing StableTune;\n\n_ = new TrainerBuilder()\n    .WithNothing();\n```\n"));
        Assert.Contains("page.md(7,6): error CS1061", Assert.Single(Errors(block)), StringComparison.Ordinal);
    }

    private static IEnumerable<string> Errors(CodeBlock block)
    {
        var options = new CSharpCompilationOptions(
            OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable);
        var compilation = CSharpCompilation.Create("Reader", [CSharpSyntaxTree.ParseText(block.ToSource())], s_references, options);
        return compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Select(Describe);
    }

    private static string Describe(Diagnostic diagnostic)
    {
        var place = diagnostic.Location.GetMappedLineSpan();
        return $"{place.Path}({place.StartLinePosition.Line + 1},{place.StartLinePosition.Character + 1}): error {diagnostic.Id}: "
            + $"{diagnostic.GetMessage()}";
    }
}
