using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Saving;

/// <summary>From file to file: every form becomes every other, and comes back bit for bit.</summary>
public sealed class ModelConverterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Models() => ["tiny-sd15", "tiny-sd21-v", "tiny-sdxl"];

    public static TheoryData<string, ModelFormat> Ways()
    {
        var ways = new TheoryData<string, ModelFormat>();
        foreach (var model in new[] { "tiny-sd15", "tiny-sd21-v", "tiny-sdxl" })
            foreach (var format in Enum.GetValues<ModelFormat>()) ways.Add(model, format);
        return ways;
    }

    /// <summary>A single file with what real files hold beyond the parts: it must all be there again.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public void Convert_SingleFileToAnyFormAndBack_IsBitExact(string name, ModelFormat format)
    {
        var source = WithExtras(name);
        var reading = new ModelLoadOptions { ConfigurationPath = SavedModels.Complete(name, _folder) };
        var between = _folder.File("between"
            + (format == ModelFormat.Ckpt ? ".ckpt" : format == ModelFormat.Safetensors ? ".safetensors" : ""));
        var plain = new ModelSaveOptions { WriteMetadata = false, WriteYaml = false };
        ModelConverter.Convert(source, between, plain with { Format = format }, reading);
        // A folder has its configurations itself.
        ModelConverter.Convert(between, _folder.File("back.safetensors"), plain with { Format = ModelFormat.Safetensors },
            Directory.Exists(between) ? null : reading);

        Assert.Equal(StoredTensors.Of(source), StoredTensors.Of(_folder.File("back.safetensors")));
        Assert.True(File.ReadAllBytes(source).AsSpan().SequenceEqual(File.ReadAllBytes(_folder.File("back.safetensors"))),
            "the files differ");
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Convert_FolderToSingleFile_IsTheSameAsSavingTheModel(string name)
    {
        var source = SavedModels.Complete(name, _folder);
        ModelConverter.Convert(source, _folder.File("converted.ckpt"));
        using (var model = ModelLoader.Load(source, new ModelLoadOptions { KeepStoredTypes = true }))
            model.SaveAs(_folder.File("saved.ckpt"));
        Assert.Equal(StoredTensors.Of(_folder.File("saved.ckpt")), StoredTensors.Of(_folder.File("converted.ckpt")));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void SaveAs_AModelLoadedFromASingleFile_CarriesWhatTheFileHolds(string name)
    {
        var source = WithExtras(name);
        using var model = ModelLoader.Load(
            source, new ModelLoadOptions { KeepStoredTypes = true, ConfigurationPath = SavedModels.Complete(name, _folder) });
        model.SaveAs(_folder.File("saved"), new ModelSaveOptions { WriteYaml = false });
        Assert.Equal(StoredTensors.Of(source), StoredTensors.Of(_folder.File("saved.safetensors")));

        // The source may be gone when training is done.
        File.Delete(source);
        Assert.DoesNotContain(model.SaveAs(_folder.File("later.safetensors"), new ModelSaveOptions { WriteYaml = false }).Notes, note =>
            note.Contains(source, StringComparison.Ordinal));
        using var later = SafetensorsFile.Open(_folder.File("later.safetensors"));
        Assert.False(later.TryGet("betas", out _));
        Assert.True(later.TryGet("model.diffusion_model.out.2.weight", out _));

        File.WriteAllText(source, "something else");
        Assert.Contains("cannot be read any more",
            Assert.Single(model.SaveAs(_folder.File("last.safetensors")).Notes, note => note.Contains(source, StringComparison.Ordinal)));
    }

    [Fact]
    public void Convert_WithPrecision_RoundsAsSavingDoes()
    {
        var source = FixtureModels.TinySd15(_folder);
        var options = new ModelSaveOptions { Precision = ScalarType.BFloat16, VaePrecision = ScalarType.Float32 };
        var saved = ModelConverter.Convert(source, _folder.File("converted"), options);
        using (var model = ModelLoader.Load(source)) model.SaveAs(_folder.File("saved"), options);
        Assert.Equal((ModelFormat.DiffusersSafetensors, _folder.File("converted")), (saved.Format, saved.Path));
        foreach (var file in saved.Files.Where(file => file.EndsWith(".safetensors", StringComparison.Ordinal)))
            Assert.Equal(StoredTensors.Of(Path.Combine(_folder.File("saved"), Path.GetRelativePath(saved.Path, file))),
                StoredTensors.Of(file));
        Assert.Equal(
            File.ReadAllText(_folder.File("saved", "text_encoder", "config.json")),
                File.ReadAllText(_folder.File("converted", "text_encoder", "config.json")));
    }

    [Theory]
    [InlineData("folder")]
    [InlineData("vae")]
    [InlineData("file")]
    public void Convert_WithAnotherVae_BakesItIn(string form)
    {
        // SD 2's and SDXL's tiny VAEs have the same shapes and other values.
        var other = form == "file" ? FixtureModels.SingleFile("tiny-sd21-v") : form == "folder" ? FixtureModels.TinySd21V(_folder)
            : Path.Combine(FixtureModels.TinySd21V(_folder), "vae");
        ModelConverter.Convert(FixtureModels.TinySdxl(_folder), _folder.File("out"), reading: new ModelLoadOptions { VaePath = other });
        var expected = StoredTensors.Of(
            Fixtures.Path("models", "tiny-sd21-v", "vae", "diffusion_pytorch_model.safetensors"), WeightNames.Vae);
        Assert.Equal(expected, StoredTensors.Of(_folder.File("out", "vae", "diffusion_pytorch_model.safetensors")));
    }

    [Fact]
    public void Convert_Safetensors_KeepsWhatTheFileSaysOfItself()
    {
        var source = FixtureModels.TinySd15(_folder);
        ModelConverter.Convert(source, _folder.File("first.safetensors"),
            new ModelSaveOptions { Title = "Frogs", Author = "A", Metadata = new Dictionary<string, string> { ["ss_note"] = "n" } });
        ModelConverter.Convert(_folder.File("first.safetensors"), _folder.File("second.safetensors"),
            new ModelSaveOptions { Precision = ScalarType.Float32, Author = "B" },
            new ModelLoadOptions { ConfigurationPath = source });

        using var file = SafetensorsFile.Open(_folder.File("second.safetensors"));
        Assert.Equal(("Frogs", "B", "n"), (file.Metadata["modelspec.title"], file.Metadata["modelspec.author"], file.Metadata["ss_note"]));
        Assert.Equal("float32", file.Metadata["modelspec.unet_dtype"]);
        Assert.Equal("0x" + WeightHashes.OfTensors(file.Path), file.Metadata["modelspec.hash_sha256"]);
        Assert.Equal(WeightHashes.OfTensors(file.Path), file.Metadata["sshs_model_hash"]);
    }

    [Fact]
    public void Convert_Ckpt_AddsToItsCounters()
    {
        var source = FixtureModels.TinySd15(_folder);
        var reading = new ModelLoadOptions { ConfigurationPath = source };
        ModelConverter.Convert(source, _folder.File("a.ckpt"), new ModelSaveOptions { Epochs = 2, Steps = 50 });
        ModelConverter.Convert(_folder.File("a.ckpt"), _folder.File("folder"),
            new ModelSaveOptions { Format = ModelFormat.DiffusersSafetensors }, reading);
        ModelConverter.Convert(_folder.File("folder"), _folder.File("b.ckpt"), new ModelSaveOptions { Epochs = 1, Steps = 7 });
        using var file = TorchFile.Open(_folder.File("b.ckpt"));
        Assert.Equal((3L, 57L), (file.Epoch, file.GlobalStep));
    }

    [Fact]
    public void Convert_OntoItself_IsSafe()
    {
        var source = FixtureModels.TinySd15(_folder);
        var path = _folder.File("model.safetensors");
        ModelConverter.Convert(source, path);
        var before = StoredTensors.Of(path);
        var replacing = new ModelSaveOptions { Overwrite = true };
        ModelConverter.Convert(path, path, replacing, new ModelLoadOptions { ConfigurationPath = source });
        Assert.Equal(before, StoredTensors.Of(path));

        var weights = Path.Combine(source, "unet", "diffusion_pytorch_model.safetensors");
        var unet = StoredTensors.Of(weights);
        Assert.Throws<InvalidOptionsException>(() => ModelConverter.Convert(source, source));
        ModelConverter.Convert(source, source, replacing);
        Assert.Equal(unet, StoredTensors.Of(weights));
    }

    [Fact]
    public void Convert_Cancelled_LeavesTheSourceAndNothingElse()
    {
        var source = FixtureModels.TinySd15(_folder);
        using var cancel = new CancellationTokenSource();
        var options = new ModelSaveOptions { Progress = new Listener(progress => { if (progress.Done == 2) cancel.Cancel(); }) };
        Assert.Throws<OperationCanceledException>(() =>
            ModelConverter.Convert(source, _folder.File("out", "model.safetensors"), options, null, cancel.Token));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.File("out")));
    }

    [Fact]
    public void Convert_WhatIsNoModel_SaysSo()
    {
        Assert.Throws<InvalidFileException>(() => ModelConverter.Convert(_folder.File("missing"), _folder.File("out.ckpt")));
        var source = FixtureModels.TinySd15(_folder);
        File.Delete(Path.Combine(source, "vae", "diffusion_pytorch_model.safetensors"));
        Assert.Contains("vae", Assert.Throws<InvalidFileException>(() => ModelConverter.Convert(source, _folder.File("out.ckpt"))).Message);
        Assert.False(File.Exists(_folder.File("out.ckpt")));
    }

    /// <summary>The fixture's single file with buffers, marks and, for SD 2, other values in what is not used.</summary>
    private string WithExtras(string name)
    {
        using var file = SafetensorsFile.Open(FixtureModels.SingleFile(name));
        var path = _folder.File(name + "-source.safetensors");
        var payloads = FixtureModels.Payloads(file)
            .Select(payload => payload.Name.Contains("resblocks.23.ln_1", StringComparison.Ordinal)
                ? payload with { Write = stream => stream.Write(new byte[payload.Shape[0] * 2]) } : payload)
            .Append(new TensorPayload("betas", TensorDType.F32, [2], stream => stream.Write("12345678"u8)))
            .Append(new TensorPayload("model_note", TensorDType.I64, [], stream => stream.Write("12345678"u8)));
        SafetensorsWriter.Write(path, payloads, file.Metadata);
        return path;
    }

    private sealed class Listener(Action<WorkProgress> act) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => act(value);
    }
}
