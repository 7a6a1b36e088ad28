using StableTune.Tensors;

namespace StableTune.Adapters.Tests.Tools;

public sealed class AdapterResizerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    private static string A => ToolFixture.Path("lora_files/lora_a.safetensors");

    private string Output => _folder.File("resized.safetensors");

    public static TheoryData<string> Cases => ToolFixture.Cases("resize_lora");

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Methods_CountAsTheReferencesIndexFunctions()
    {
        foreach (var row in ToolFixture.Root.GetProperty("rank_index_functions").EnumerateArray())
        {
            var values = tensor(row.GetProperty("S").EnumerateArray().Select(value => value.GetSingle()).ToArray());
            var method = Method(row.GetProperty("method").GetString(), row.GetProperty("param").GetDouble())!;
            Assert.True(row.GetProperty("index").GetInt32() == method.Count(values), $"{method}: {method.Count(values)} instead of {row}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Resize_AsTheReference_GivesItsRanksAndChanges(string name)
    {
        var entry = ToolFixture.Case("resize_lora", name);
        var parameter = entry.GetProperty("dynamic_param");
        var options = new AdapterResizeOptions
        {
            Rank = entry.GetProperty("new_rank").GetInt32(), ConvolutionRank = entry.GetProperty("new_conv_rank").GetInt32(),
            Method = Method(entry.GetProperty("dynamic_method").GetString(),
                parameter.ValueKind == System.Text.Json.JsonValueKind.Number ? parameter.GetDouble() : 0),
        };
        var input = ToolFixture.Path(entry.GetProperty("file").GetString()!);
        if (ToolFixture.Fails(entry))
        {
            var fault = Assert.Throws<InvalidOptionsException>(() => AdapterResizer.Resize(input, Output, options));
            Assert.Contains("use at most 12", fault.Message, StringComparison.OrdinalIgnoreCase);
            return;
        }

        var resized = AdapterResizer.Resize(input, Output, options);
        Assert.Equal(entry.GetProperty("ranks").EnumerateObject().ToDictionary(row => row.Name, row => row.Value.GetInt32()),
            resized.Layers.ToDictionary(layer => layer.Name, layer => layer.NewRank));
        Assert.Equal(entry.GetProperty("alphas").EnumerateObject().ToDictionary(row => row.Name, row => row.Value.GetSingle()),
            resized.Layers.ToDictionary(layer => layer.Name, layer => layer.Alpha));
        Assert.Equal(entry.GetProperty("max_old_rank").GetInt32(), resized.Layers.Max(layer => layer.OldRank));
        Assert.Equal(entry.GetProperty("last_alpha").GetSingle(), resized.Layers[^1].Alpha);
        using var golden = Golden.Open("networks", "file_tools.safetensors");
        var prefix = $"resize_delta/{name}/";
        var deltas = golden.Names.Where(key => key.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(key => key[prefix.Length..], key => golden[key]);
        ToolFixture.AssertSame(deltas, ToolFixture.Deltas(Output), absolute: 2e-5, relative: 1e-4);
    }

    [Fact]
    public void Resize_ToTheFullRank_KeepsTheChange()
    {
        var resized = AdapterResizer.Resize(A, Output, new AdapterResizeOptions { Rank = 6 });
        ToolFixture.AssertSame(ToolFixture.Deltas(A), ToolFixture.Deltas(Output), absolute: 1e-5, relative: 1e-5);
        Assert.Equal(1, resized.MeanFrobeniusRetained, 6);
        Assert.Equal(0, resized.FrobeniusDeviation, 6);
    }

    [Fact]
    public void Resize_ReportsWhatIsLeft()
    {
        var resized = AdapterResizer.Resize(A, Output, new AdapterResizeOptions { Rank = 2 });
        var (old, left) = (ToolFixture.Deltas(A), ToolFixture.Deltas(Output));
        foreach (var layer in resized.Layers)
            Assert.Equal(left[layer.Name].norm().item<float>() / old[layer.Name].norm().item<float>(), layer.FrobeniusRetained, 5);
        Assert.Equal(resized.Layers.Count + 2, resized.ToString().Split('\n').Length);
        Assert.Contains("on average", resized.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Resize_WithoutTheOneMore_KeepsTheCount()
    {
        var method = new SingularValueRatio(2);
        var more = AdapterResizer.Resize(A, Output, new AdapterResizeOptions { Rank = 6, Method = method });
        var exact = AdapterResizer.Resize(
            A, _folder.File("exact.safetensors"), new AdapterResizeOptions { Rank = 6, Method = method, KeepOneMore = false });
        Assert.Equal(more.Layers.Select(layer => layer.NewRank - 1), exact.Layers.Select(layer => layer.NewRank));
    }

    [Fact]
    public void Resize_WritesWhatItDid()
    {
        AdapterResizer.Resize(A, Output, new AdapterResizeOptions { Rank = 6, Method = new FrobeniusShare(0.9) });
        using var file = WeightFile.Open(Output);
        Assert.Equal("Dynamic resize with sv_fro: 0.9 from 6; first", file.Metadata["ss_training_comment"]);
        Assert.Equal("Dynamic", file.Metadata["ss_network_dim"]);
        Assert.Equal(Formats.WeightHashes.Recompute(file.Source).Model, file.Metadata["sshs_model_hash"]);
        AdapterResizer.Resize(A, Output, new AdapterResizeOptions { Rank = 2, Overwrite = true });
        using var again = WeightFile.Open(Output);
        Assert.Equal("dimension is resized from 6 to 2; first", again.Metadata["ss_training_comment"]);
        Assert.Equal(("2", "0.5"), (again.Metadata["ss_network_dim"], again.Metadata["ss_network_alpha"]));
    }

    [Fact]
    public void Resize_OfLayersThatDoNothing_GivesThemRankOne()
    {
        var tensors = ToolFixture.Layer("lora_unet_x_y", 8, 4, 8);
        tensors[1].Tensor.zero_();
        var resized = AdapterResizer.Resize(
            ToolFixture.Write(_folder.File("zero.safetensors"), null, tensors), Output, new AdapterResizeOptions { Rank = 3 });
        var layer = Assert.Single(resized.Layers);
        Assert.Equal((1, 1.0), (layer.NewRank, layer.FrobeniusRetained));
    }

    [Fact]
    public void Resize_LargeLayers_AgreesWithTheDecompositionOfTheWhole()
    {
        var large = ToolFixture.Write(_folder.File("large.safetensors"), null, ToolFixture.Layer("lora_unet_x_y", 700, 300, 640));
        AdapterResizer.Resize(large, Output, new AdapterResizeOptions { Rank = 100 });
        var (u, s, vh) = linalg.svd(ToolFixture.Deltas(large)["lora_unet_x_y"], fullMatrices: false);
        var best = (u.narrow(1, 0, 100) * s.narrow(0, 0, 100)).mm(vh.narrow(0, 0, 100));
        ToolFixture.AssertNear(new() { ["lora_unet_x_y"] = best }, ToolFixture.Deltas(Output), part: 1e-4);
    }

    [Theory]
    [InlineData(700, 300)]
    [InlineData(300, 700)]
    [InlineData(400, 300)]
    public void LargeMatrices_DecomposeAsSmallOnesDo(long rows, long columns)
    {
        using var random = new Generator(1);
        var matrix = randn([rows, columns], generator: random);
        var (u, s, vh) = linalg.svd(matrix, fullMatrices: false);
        var (up, values, down) = LowRank.Of(matrix);
        GoldenComparison.AssertClose(GoldenComparison.Floats(s), GoldenComparison.Floats(values), "values", 2e-5, 1e-4);
        var difference = (u.narrow(1, 0, 40) * s.narrow(0, 0, 40)).mm(vh.narrow(0, 0, 40)) - up.narrow(1, 0, 40).mm(down.narrow(0, 0, 40));
        Assert.InRange(difference.abs().max().item<float>(), 0, 1e-3);
    }

    [Fact]
    public void Resize_WrongOptions_NamesThem()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => AdapterResizer.Resize(A, _folder.File("x.png"),
            new AdapterResizeOptions { Rank = 0, Method = new SingularValueSum(2) }));
        Assert.Equal(["SingularValueSum.Share", "AdapterResizeOptions.Rank", "output"], fault.Problems.Select(problem => problem.Option));
    }

    private static RankMethod? Method(string? name, double parameter) => name switch
    {
        "sv_ratio" => new SingularValueRatio(parameter),
        "sv_cumulative" => new SingularValueSum(parameter),
        "sv_fro" => new FrobeniusShare(parameter),
        _ => null,
    };
}
