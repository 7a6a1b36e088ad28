using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

public sealed class ModelFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Load_PartByPart_IsWhatLoadingTheWholeGives()
    {
        var path = FixtureModels.TinySd15(_folder);
        using var whole = ModelLoader.Load(path);
        using var files = ModelFiles.Open(path, new ModelLoadOptions { Parts = ModelParts.Vae | ModelParts.TextEncoder });
        var fingerprint = files.Fingerprint();
        using var unet = files.Load(new ModelLoadOptions { Parts = ModelParts.UNet });
        using var text = files.Load(new ModelLoadOptions { Parts = ModelParts.TextEncoder });
        var read = ModelFingerprint.Read(path);
        Assert.Equal((read.VaeHash, read.TextHash, read.TextWidth, read.Version, read.Kind),
            (fingerprint.VaeHash, fingerprint.TextHash, fingerprint.TextWidth, fingerprint.Version, fingerprint.Kind));
        Assert.Equal((ModelParts.UNet, ModelParts.TextEncoder), (unet.Parts, text.Parts));
        Assert.Equal(whole.Details!.Version, unet.Details!.Version);
        Assert.Equal([ModelPart.UNet], unet.Details.StoredTypes.Keys);
        Assert.Equal([ModelPart.TextEncoder], text.Details!.StoredTypes.Keys);
        foreach (var (one, other) in new (nn.Module, nn.Module)[] { (whole.UNet, unet.UNet), (whole.TextEncoder, text.TextEncoder) })
            foreach (var ((name, expected), (_, actual)) in one.named_parameters().Zip(other.named_parameters()))
                Assert.True(expected.eq(actual).all().item<bool>(), name);
    }

    [Fact]
    public void Load_LeavesOutAPartThatCannotBeRead_UntilItIsAskedFor()
    {
        var path = FixtureModels.TinySd15(_folder);
        Directory.Delete(Path.Combine(path, "vae"), recursive: true);
        using var files = ModelFiles.Open(path, new ModelLoadOptions { Parts = ModelParts.UNet });
        using (var unet = files.Load(new ModelLoadOptions { Parts = ModelParts.UNet })) Assert.Equal(ModelParts.UNet, unet.Parts);
        Assert.Contains("vae", Assert.Throws<InvalidFileException>(() => files.Fingerprint()).Message, StringComparison.Ordinal);
        Assert.Contains("vae", Assert.Throws<InvalidFileException>(() => files.Load()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Configuration_IsWhatFindGives()
    {
        var path = FixtureModels.TinySd15(_folder);
        using var files = ModelFiles.Open(path, new ModelLoadOptions { Parts = ModelParts.Vae });
        var (own, found) = (files.Configuration()!, ModelConfiguration.Find(path)!);
        Assert.Equal((found.LargestClipSkip, found.ContextWidth, found.Scheduler), (own.LargestClipSkip, own.ContextWidth, own.Scheduler));
    }

    [Fact]
    public void Open_OfNothing_Throws() =>
        Assert.ThrowsAny<IOException>(() =>
            ModelFiles.Open(_folder.File("absent"), new ModelLoadOptions { Hub = new() { Offline = true } }));
}
