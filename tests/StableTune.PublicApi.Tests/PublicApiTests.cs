using System.Reflection;
using StableTune.Testing;

namespace StableTune.PublicApi.Tests;

/// <summary>Holds every package to the text in api/: adding or removing a public member is a line of the diff, never an accident.</summary>
public sealed class PublicApiTests
{
    private static string Repository => Path.GetDirectoryName(Path.GetDirectoryName(Fixtures.Root))!;

    private static string ApiFolder => Path.Combine(Repository, "tests", "StableTune.PublicApi.Tests", "api");

    public static TheoryData<string> Assemblies => [.. Names(Path.Combine(Repository, "src"), "*.csproj")];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void PublicApi_IsWhatTheFileSays(string assembly)
    {
        var accept = Environment.GetEnvironmentVariable(ApiFile.AcceptVariable) == "1";
        var problem = ApiFile.Compare(Path.Combine(ApiFolder, assembly + ".txt"), PublicSurface.Lines(Assembly.Load(assembly)), accept);
        Assert.True(problem is null, problem);
    }

    [Fact]
    public void Files_BelongToAssembliesThatExist() => Assert.Equal(Names(Path.Combine(Repository, "src"), "*.csproj"), Names(ApiFolder, "*.txt"));

    private static IEnumerable<string> Names(string folder, string pattern) =>
        Directory.GetFiles(folder, pattern, SearchOption.AllDirectories).Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal);
}
