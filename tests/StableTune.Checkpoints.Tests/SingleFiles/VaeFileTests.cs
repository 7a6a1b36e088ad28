using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

public sealed class VaeFileTests : IDisposable
{
    private static readonly SingleFileOptions Tiny = new() { ConfigurationPath = Fixtures.Path("models", "tiny-sd21-v") };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_EveryForm_GivesTheSameTensors()
    {
        // tiny-sd21-v's VAE has diffusers' old attention names.
        var diffusers = Fixtures.Path("models", "tiny-sd21-v", "vae", "diffusion_pytorch_model.safetensors");
        var whole = FixtureModels.SingleFile("tiny-sd21-v");
        var (prefixed, alone, torch) = (_folder.File("prefixed.safetensors"), _folder.File("alone.safetensors"), _folder.File("vae.pt"));
        using (var file = SafetensorsFile.Open(whole))
        {
            var payloads = FixtureModels.Payloads(file)
                .Where(payload => payload.Name.StartsWith("first_stage_model.", StringComparison.Ordinal)).ToList();
            SafetensorsWriter.Write(prefixed, payloads);
            var loss = new TensorPayload("loss.logvar", TensorDType.F32, [], stream => stream.Write(new byte[4]));
            payloads = [.. payloads.Select(payload => payload with { Name = payload.Name["first_stage_model.".Length..] }), loss];
            SafetensorsWriter.Write(alone, payloads);
            TorchWriter.Write(torch, payloads, TorchLayout.Checkpoint);
        }

        using var expected = VaeFile.Open(diffusers, Tiny);
        using var module = new AutoencoderKL(expected.Options);
        foreach (var path in (string[])[whole, prefixed, alone, torch])
        {
            using var found = VaeFile.Open(path, Tiny);
            Assert.Equivalent(expected.Options, found.Options, strict: true);
            ModuleWeights.Compare(module, new WeightFile(found.Weights)).ThrowIfIncomplete();
            foreach (var info in expected.Weights.Tensors)
                Assert.True(Bytes(expected.Weights, info).AsSpan().SequenceEqual(Bytes(found.Weights, found.Weights[info.Name])),
                    $"{path} {info.Name}");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_PublishedShapes_FindsTheArchitecture(bool diffusers)
    {
        var file = new MemoryTensorFile();
        foreach (var row in RealModelKeys.Rows("sdxl", "vae"))
            file.Add(diffusers ? row.Name : row.FileName["first_stage_model.".Length..], diffusers ? row.Shape : row.FileShape);
        using var found = VaeFile.Of(file, new SingleFileOptions { Version = ModelVersion.Sdxl });
        Assert.Equivalent(VaeOptions.Sdxl, found.Options, strict: true);
    }

    [Theory]
    [InlineData("networks/base.safetensors", "holds no VAE")]
    [InlineData("models/tiny-sd15/unet/diffusion_pytorch_model.safetensors", "the UNet alone")]
    [InlineData("models/tiny-sd15/text_encoder/model.safetensors", "a text encoder alone")]
    public void Open_FileWithoutVae_SaysWhatItIs(string file, string expected) =>
        Assert.Contains(expected, Assert.Throws<InvalidFileException>(() => VaeFile.Open(Fixtures.Path(file.Split('/')))).Fault,
            StringComparison.Ordinal);

    [Fact]
    public void Open_UncommonGroupsWithoutConfiguration_SaysWhatToDo()
    {
        var fault = Assert.Throws<InvalidFileException>(() => VaeFile.Open(FixtureModels.SingleFile("tiny-sd15")));
        Assert.Contains("32 norm groups", fault.Fault, StringComparison.Ordinal);
        Assert.Contains("ConfigurationPath", fault.Remedy, StringComparison.Ordinal);
    }

    private static byte[] Bytes(ITensorFile file, TensorInfo info)
    {
        var bytes = new byte[info.ByteCount];
        file.Read(info, bytes);
        return bytes;
    }
}
