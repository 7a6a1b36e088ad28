using StableTune.Torch.Loading;

namespace StableTune.Torch.Tests.Loading;

public sealed class BuildPackagesTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void OfProcess_KnowsTheBackendOfThisProgram()
    {
        var names = BuildPackages.NamesIn(Path.Combine(AppContext.BaseDirectory, "StableTune.Torch.Tests.deps.json"));
        Assert.Contains("TorchSharp-cpu", names);
        Assert.Contains("libtorch-cpu-linux-x64", names);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("{\"libraries\": 3}")]
    [InlineData("not JSON")]
    public void NamesIn_OtherFiles_AreEmpty(string text)
    {
        File.WriteAllText(_folder["a.deps.json"], text);
        Assert.Empty(BuildPackages.NamesIn(_folder["a.deps.json"]));
        Assert.Empty(BuildPackages.NamesIn(_folder["missing"]));
    }
}
