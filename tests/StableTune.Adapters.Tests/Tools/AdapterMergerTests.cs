using System.Text.Json;
using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters.Tests.Tools;

public sealed class AdapterMergerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    private static string A => ToolFixture.Path("lora_files/lora_a.safetensors");

    private static string B => ToolFixture.Path("lora_files/lora_b.safetensors");

    private static string C => ToolFixture.Path("lora_files/lora_c.safetensors");

    private string Output => _folder.File("merged.safetensors");

    public static TheoryData<string> Cases => ToolFixture.Cases("merge_lora");

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Merge_AsTheReference_GivesItsFile(string name)
    {
        var entry = ToolFixture.Case("merge_lora", name);
        var concat = entry.GetProperty("options").TryGetProperty("concat", out var flag) && flag.GetBoolean();
        var options = new AdapterMergeOptions
        {
            Method = concat ? AdapterMergeMethod.ReferenceConcat : AdapterMergeMethod.ReferenceSum,
        };
        if (ToolFixture.Fails(entry))
        {
            var fault = Assert.Throws<InvalidFileException>(() => AdapterMerger.Merge(ToolFixture.Adapters(entry), Output, options));
            Assert.Contains("rank", fault.Message, StringComparison.Ordinal);
            Assert.False(File.Exists(Output));
            return;
        }

        AdapterMerger.Merge(ToolFixture.Adapters(entry), Output, options);
        using var golden = Golden.Open("networks", "file_tools.safetensors");
        ToolFixture.AssertSame(ToolFixture.Deltas(golden, $"merge/{name}/"), ToolFixture.Deltas(Output), absolute: 2e-5, relative: 1e-4);
        using var file = WeightFile.Open(Output);
        // The golden metadata has the two entries that only trainings of one rank make Dynamic.
        foreach (var expected in entry.GetProperty("value").GetProperty("metadata").EnumerateObject())
            Assert.Equal(expected.Value.GetString(), file.Metadata[expected.Name]);
        Assert.Equal(ToolFixture.Adapters(entry).Length, file.Metadata["modelspec.merged_from"].Split(", ").Length);
        Assert.Equal("stable-diffusion-v1/lora", file.Metadata["modelspec.architecture"]);
        Assert.Equal(WeightHashes.Recompute(file.Source).Model, file.Metadata["sshs_model_hash"]);
    }

    [Fact]
    public void Merge_Exactly_IsTheSumOfTheChanges()
    {
        var saved = AdapterMerger.Merge([new(A, 0.7), new(C, -0.3)], Output);
        var (a, c) = (ToolFixture.Deltas(A), ToolFixture.Deltas(C));
        ToolFixture.AssertSame(a.ToDictionary(entry => entry.Key, entry => entry.Value * 0.7 - c[entry.Key] * 0.3),
            ToolFixture.Deltas(Output), absolute: 2e-5, relative: 1e-4);
        Assert.Equal((4, 9, 12), (saved.Layers, saved.Ranks.Least, saved.Ranks.Most));
        Assert.Empty(saved.Notes);
    }

    [Fact]
    public void Merge_OneFileWhole_GivesItsChange()
    {
        AdapterMerger.Merge([A], Output);
        ToolFixture.AssertSame(ToolFixture.Deltas(A), ToolFixture.Deltas(Output), absolute: 1e-6, relative: 1e-6);
    }

    [Fact]
    public void Merge_Shuffled_KeepsTheChangeAndReordersTheRanks()
    {
        AdapterMerger.Merge([A, B], Output, new AdapterMergeOptions { ShuffleSeed = 3 });
        var plain = _folder.File("plain.safetensors");
        AdapterMerger.Merge([A, B], plain);
        ToolFixture.AssertSame(ToolFixture.Deltas(plain), ToolFixture.Deltas(Output), absolute: 2e-5, relative: 1e-4);
        Assert.NotEqual(File.ReadAllBytes(plain), File.ReadAllBytes(Output));
    }

    [Fact]
    public void Merge_InHalfPrecision_WritesHalfTheBytes()
    {
        AdapterMerger.Merge([A, B], Output, new AdapterMergeOptions { SavePrecision = ScalarType.Float16 });
        using var file = WeightFile.Open(Output);
        Assert.All(file.Tensors, info => Assert.Equal(TensorDType.F16, info.DType));
    }

    [Fact]
    public void Merge_OverAFile_AsksForOverwrite()
    {
        File.WriteAllText(Output, "mine");
        var fault = Assert.Throws<InvalidOptionsException>(() => AdapterMerger.Merge([A], Output));
        Assert.Contains("Overwrite", fault.Message, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Output));
        AdapterMerger.Merge([A], Output, new AdapterMergeOptions { Overwrite = true });
        Assert.Equal(4, ToolFixture.Deltas(Output).Count);
    }

    [Fact]
    public void Merge_WrongOptions_AreListedTogether()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => AdapterMerger.Merge(
            [new(A, double.NaN), new(B) { BlockWeights = [1] }], _folder.Path, new AdapterMergeOptions { Precision = ScalarType.Int32 }));
        Assert.Equal(["AdapterMergeOptions.Precision", "WeightedAdapter.Ratio", "WeightedAdapter.BlockWeights", "output"],
            fault.Problems.Select(problem => problem.Option));
        Assert.Throws<InvalidOptionsException>(() => AdapterMerger.Merge([], Output));
    }

    [Fact]
    public void Merge_IntoAnInput_IsRefused()
    {
        var input = _folder.File("a.safetensors");
        File.Copy(A, input);
        var fault = Assert.Throws<InvalidOptionsException>(
            () => AdapterMerger.Merge([input, B], input, new AdapterMergeOptions { Overwrite = true }));
        Assert.Contains("one of the inputs", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Merge_ForOtherModels_NamesBoth()
    {
        var sdxl = ToolFixture.Write(_folder.File("sdxl.safetensors"),
            new Dictionary<string, string> { ["ss_base_model_version"] = "sdxl_base_v1-0" }, ToolFixture.Layer("lora_unet_x_y", 4, 2, 4));
        Assert.Contains("sdxl_base_v1-0", Fault(A, sdxl).Message, StringComparison.Ordinal);
        var noCommon = ToolFixture.Write(_folder.File("other.safetensors"), null, ToolFixture.Layer("lora_unet_x_y", 4, 2, 4));
        Assert.Contains("lora_unet_x_y", Fault(A, noCommon).Message, StringComparison.Ordinal);
        var wide = ToolFixture.Write(_folder.File("wide.safetensors"), null,
            ToolFixture.Layer("lora_te_text_model_encoder_layers_0_mlp_fc1", 80, 2, 16));
        Assert.Contains("[80, 16]", Fault(A, wide).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Merge_OfUNetAndTextEncoder_JoinsThemAndSaysSo()
    {
        var unet = ToolFixture.Write(_folder.File("unet.safetensors"), null, ToolFixture.Layer("lora_unet_x_y", 4, 2, 4));
        var text = ToolFixture.Write(_folder.File("text.safetensors"), null, ToolFixture.Layer("lora_te_x_y", 6, 3, 6));
        var saved = AdapterMerger.Merge([unet, text], Output);
        Assert.Equal(2, saved.Layers);
        Assert.Equal(2, saved.Notes.Count);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Merge_OfBrokenNumbers_NamesTensorAndFile(float number)
    {
        var tensors = ToolFixture.Layer("lora_unet_x_y", 4, 2, 4);
        tensors[1].Tensor[0, 0] = number;
        var broken = ToolFixture.Write(_folder.File("broken.safetensors"), null, tensors);
        var fault = Fault(broken);
        Assert.Contains("lora_unet_x_y.lora_up.weight", fault.Message, StringComparison.Ordinal);
        Assert.Equal(broken, fault.Path);
        Assert.Equal([broken], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Merge_OfOtherFiles_SaysWhatTheyAre()
    {
        Assert.Contains("missing.safetensors", Fault(_folder.File("missing.safetensors")).Message, StringComparison.Ordinal);
        var lokr = ToolFixture.Write(_folder.File("lokr.safetensors"), null,
            ("lora_unet_x.lokr_w1", ones(2, 2)), ("lora_unet_x.lokr_w2", ones(2, 2)));
        Assert.Contains("LoKr", Fault(lokr).Message, StringComparison.Ordinal);
        var half = ToolFixture.Write(_folder.File("half.safetensors"), null, ("lora_unet_x.lora_down.weight", ones(2, 2)));
        Assert.Contains("lora_up.weight", Fault(half).Message, StringComparison.Ordinal);
        var truncated = _folder.File("truncated.safetensors");
        File.WriteAllBytes(truncated, File.ReadAllBytes(A)[..3000]);
        Assert.Equal(truncated, Fault(truncated).Path);
    }

    [Fact]
    public void Merge_Cancelled_LeavesNothing()
    {
        using var source = new CancellationTokenSource();
        var options = new AdapterMergeOptions { Progress = new Passed(() => source.Cancel()) };
        Assert.Throws<OperationCanceledException>(() => AdapterMerger.Merge([A, B], Output, options, source.Token));
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    private InvalidFileException Fault(params WeightedAdapter[] adapters) =>
        Assert.ThrowsAny<InvalidFileException>(() => AdapterMerger.Merge(adapters, Output));

    private sealed class Passed(Action action) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => action();
    }
}
