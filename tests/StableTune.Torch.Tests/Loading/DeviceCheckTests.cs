using StableTune.Torch.Loading;
using TorchSharp;

namespace StableTune.Torch.Tests.Loading;

public sealed class DeviceCheckTests
{
    [Theory]
    [InlineData("cpu")]
    [InlineData("CPU")]
    [InlineData("cpu:0")]
    [InlineData("meta")]
    public void Check_OfTheProcessor_IsContentAndCountsNoGpus(string device)
        => new DeviceCheck("linux-x64", HasCudaBackend: false, () => throw new InvalidOperationException("counted")).Check(device);

    [Fact]
    public void Check_OfCudaWithoutItsBackend_NamesThePackages()
    {
        var message = Message(new DeviceCheck("linux-x64", HasCudaBackend: false, () => 1), "cuda");
        Assert.Contains("libtorch has no CUDA", message);
        if (BackendPackages.Cuda is { } package) Assert.Contains($"dotnet add package {package}", message);
    }

    [Fact]
    public void Check_OfCudaWithoutADriver_SaysSo() => Assert.Contains("no working NVIDIA driver", Message(With(null), "cuda:0"));

    [Fact]
    public void Check_OfCudaWithoutAGpu_SaysSo() => Assert.Contains("CUDA_VISIBLE_DEVICES", Message(With(0), "cuda"));

    [Theory]
    [InlineData(1, "one GPU, \"cuda:0\"")]
    [InlineData(4, "4 GPUs, \"cuda:0\" to \"cuda:3\"")]
    public void Check_OfTheEighthGpu_SaysWhichAreThere(int count, string expected)
    {
        var message = Message(With(count), "cuda:7");
        Assert.Contains("\"cuda:7\"", message);
        Assert.Contains(expected, message);
    }

    [Fact]
    public void Check_OfGpusThatAreThere_IsContent()
    {
        With(1).Check("cuda");
        With(1).Check("cuda:0");
        With(8).Check("CUDA:7");
    }

    [Theory]
    [InlineData("")]
    [InlineData("gpu")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:x")]
    [InlineData("cuda:1:2")]
    [InlineData("cuda:99999999999")]
    [InlineData("cpu:1")]
    public void Check_OfAnUnknownDevice_NamesTheKnownOnes(string device)
        => Assert.Contains("\"cuda:1\" (the second GPU)", Message(With(1), device));

    [Fact]
    public void Check_OfMps_NeedsAMac()
    {
        Assert.Contains("linux-x64", Message(With(1), "mps"));
        new DeviceCheck("osx-arm64", HasCudaBackend: false, () => null).Check("mps");
    }

    [Fact]
    public void CheckDevice_OfThisProgram_KnowsItsBackend()
    {
        NativeBackend.CheckDevice(new torch.Device("cpu"));
        var cuda = new torch.Device("cuda:3");
        Assert.Contains("\"cuda:3\"", Assert.Throws<NativeBackendException>(() => NativeBackend.CheckDevice(cuda)).Message);
    }

    private static DeviceCheck With(int? gpus) => new("linux-x64", HasCudaBackend: true, () => gpus);

    private static string Message(DeviceCheck check, string device)
        => Assert.Throws<NativeBackendException>(() => check.Check(device)).Message;
}
