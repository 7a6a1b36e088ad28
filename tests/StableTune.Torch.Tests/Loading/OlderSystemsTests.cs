using TorchSharp;
using Xunit.Abstractions;

namespace StableTune.Torch.Tests.Loading;

public sealed class OlderSystemsTests(ITestOutputHelper output)
{
    [Fact]
    public void Torch_OnThisSystem_Computes()
    {
        NativeBackend.Load();
        output.WriteLine(NativeBackend.Describe().ToString());
        Assert.Equal(12, torch.ones(3, 4).sum().item<float>());
    }
}
