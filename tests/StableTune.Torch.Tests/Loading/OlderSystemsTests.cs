using TorchSharp;

namespace StableTune.Torch.Tests.Loading;

public sealed class OlderSystemsTests
{
    [Fact]
    public void Torch_OnThisSystem_Computes()
    {
        System.Runtime.CompilerServices.RuntimeHelpers.RunModuleConstructor(System.Reflection.Assembly.Load("StableTune.Torch").ManifestModule.ModuleHandle);
        Assert.Equal(12, torch.ones(3, 4).sum().item<float>());
    }
}
