using System.Reflection;
using TorchSharp;

namespace StableTune.Torch.Tests.Loading;

public sealed class PrepareTorchTests
{
    [Fact]
    public void ThisAssembly_AsAnyThatUsesThePackage_HasTheInitializer()
        => Assert.NotNull(Assembly.GetExecutingAssembly().GetType("StableTune.Torch.Generated.PrepareTorch"));

    [Fact]
    public void Torch_TouchedBeforeAnythingOfOurs_Computes() => Assert.Equal(12, torch.ones(3, 4).sum().item<float>());
}
