using StableTune.Formats;

namespace StableTune.Adapters.Tests;

/// <summary>Options and files of every kind that cannot work: each is refused with what is wrong and what to do.</summary>
public sealed class BrokenKindTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly ModelTree _model = ModelTree.FromWeights([("linear.weight", [8, 12]), ("conv.weight", [8, 12, 3, 3]),
        ("odd.weight", [7, 5])], "Transformer2DModel");

    public void Dispose()
    {
        _model.Dispose();
        _scope.Dispose();
        _folder.Dispose();
    }

    private string Fault(string module, params (string Part, Tensor Tensor)[] tensors)
    {
        var path = _folder.File("broken.safetensors");
        Tensors.StateDictWriter.Save(path, tensors.Select(t => ($"{module}.{t.Part}", t.Tensor)));
        var fault = Assert.ThrowsAny<Exception>(() => AdapterNetwork.FromFile(path, new AdapterHosts(_model)));
        Assert.True(fault is InvalidFileException or Tensors.WeightsDoNotFitException, fault.ToString());
        Assert.Contains("broken.safetensors", fault.Message);
        return fault.Message;
    }

    [Fact]
    public void LoKr_ThatDoesNotFit_IsNamedWithItsShapes()
    {
        // 5 rows do not divide 8 outputs: the model's own factors are named beside the file's.
        var message = Fault("lora_unet_linear", ("lokr_w1", randn(5, 3)), ("lokr_w2", randn(2, 4)));
        Assert.Contains("lora_unet_linear.lokr_w1: the model has [2, 3], the file [5, 3]", message);
        Assert.Contains("lora_unet_linear.lokr_w2: the model has [4, 4], the file [3, 4]",
            Fault("lora_unet_linear", ("lokr_w1", randn(2, 3)), ("lokr_w2", randn(3, 4))));
        Assert.Contains("It needs lokr_w2_b too", Fault("lora_unet_linear", ("lokr_w1", randn(2, 3)), ("lokr_w2_a", randn(4, 1))));
        Assert.Contains("It needs lokr_w1_a too", Fault("lora_unet_linear", ("lokr_w2", randn(4, 4))));
        Assert.Contains("factors that do not fit each other",
            Fault("lora_unet_linear", ("lokr_w1", randn(2, 3)), ("lokr_w2_a", randn(4, 2)), ("lokr_w2_b", randn(1, 4))));
        Assert.Contains("factors that do not fit each other", Fault("lora_unet_linear", ("lokr_w1", randn(2, 3)), ("lokr_w2", randn(4))));
        // Tucker's core on a linear layer.
        Assert.Contains("lokr_t2", Fault("lora_unet_linear", ("lokr_w1", randn(2, 3)), ("lokr_t2", randn(1, 1, 3, 3)),
            ("lokr_w2_a", randn(1, 4)), ("lokr_w2_b", randn(1, 4))));
    }

    [Fact]
    public void Tucker_OnALinearLayer_IsNamed()
    {
        Assert.Contains("lora_mid.weight", Fault("lora_unet_linear", ("lora_down.weight", randn(2, 12, 1, 1)),
            ("lora_mid.weight", randn(2, 2, 3, 3)), ("lora_up.weight", randn(8, 2, 1, 1))));
        Assert.Contains("hada_t1", Fault("lora_unet_linear", ("hada_t1", randn(2, 2, 3, 3)), ("hada_t2", randn(2, 2, 3, 3)),
            ("hada_w1_a", randn(2, 8)), ("hada_w1_b", randn(2, 12)), ("hada_w2_a", randn(2, 8)), ("hada_w2_b", randn(2, 12))));
    }

    [Fact]
    public void OtherKinds_ThatDoNotFit_AreNamedWithTheirShapes()
    {
        Assert.Contains("lora_unet_linear.diff: the model has [8, 12], the file [12, 8]",
            Fault("lora_unet_linear", ("diff", randn(12, 8))));
        Assert.Contains("factors of a strange shape", Fault("lora_unet_linear", ("weight", randn(8, 1)), ("on_input", tensor(0f))));
        Assert.Contains("lora_unet_linear.weight: the model has [12], the file [8]",
            Fault("lora_unet_linear", ("weight", randn(8)), ("on_input", tensor(1f))));
        Assert.Contains("has only weight", Fault("lora_unet_linear", ("weight", randn(8))));
        Assert.Contains("factors that do not fit each other", Fault("lora_unet_linear",
            ("a1.weight", randn(12, 2)), ("a2.weight", randn(3, 12)), ("b1.weight", randn(8, 2)), ("b2.weight", randn(2, 12))));
        Assert.Contains("blocks of a strange shape", Fault("lora_unet_linear", ("oft_blocks", randn(4, 2, 3))));
        Assert.Contains("blocks of a strange shape", Fault("lora_unet_linear", ("oft_blocks", randn(2, 4, 2, 2))));
        Assert.Contains("lora_unet_linear.oft_blocks: the model has [4, 2, 2], the file [3, 4, 4]",
            Fault("lora_unet_linear", ("oft_blocks", randn(3, 4, 4)), ("alpha", tensor(0f))));
        Assert.Contains("has only oft_blocks", Fault("oft_unet_linear", ("oft_blocks", randn(2, 4, 4))));
        Assert.Contains("EH_unet_linear.linear.weight", Fault("EH_unet_linear", ("linear.weight", randn(4, 5))));
        Assert.Contains("no layer in this model", Fault("lora_unet_norm", ("w_norm", randn(4))));
        Assert.Contains("lllite_unet_linear' has only down.0.weight", Fault("lllite_unet_linear", ("down.0.weight", randn(4, 12))));
    }

    [Theory]
    [InlineData(-1f)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Alpha_ThatIsNoStrength_IsNamed(float alpha)
    {
        (string, Tensor) bad = ("alpha", tensor(alpha));
        Assert.Contains("has an alpha of", Fault("lora_unet_linear", ("lokr_w1", randn(2, 3)), ("lokr_w2", randn(4, 4)), bad));
        Assert.Contains("has an alpha of", Fault("lora_unet_linear", ("oft_blocks", randn(2, 4, 4)), bad));
        Assert.Contains("has an alpha of", Fault("oft_unet_linear", ("oft_blocks", randn(2, 4, 4)), bad));
        Assert.Contains("has an alpha of", Fault("lora_unet_linear", ("a1.weight", randn(12, 2)), ("a2.weight", randn(2, 12)),
            ("b1.weight", randn(8, 2)), ("b2.weight", randn(2, 12)), bad));
    }

    public static TheoryData<string> Problems() => [.. s_broken.Keys];

    private static readonly Dictionary<string, AdapterOptions> s_broken = new()
    {
        ["LoKrOptions.Factor is 0: the factor must be at least 1, or -1."] = new LoKrOptions { Factor = 0 },
        ["GLoRAOptions.UseTucker is True"] = new GLoRAOptions { UseTucker = true },
        ["GLoRAOptions.WeightDecompose is True"] = new GLoRAOptions { WeightDecompose = true },
        ["IA3Options.OnInput is \"(\": this is no regular expression"] = new IA3Options { OnInput = ["("] },
        ["OftOptions.Blocks is 0"] = new OftOptions { Blocks = 0 },
        ["OftOptions.Constraint is 0"] = new OftOptions { Constraint = 0 },
        ["OftOptions.Constraint is NaN"] = new OftOptions { Constraint = float.NaN },
        ["OftOptions.Parts is"] = new OftOptions { Parts = AdapterParts.All },
        ["OftOptions.Blocks is 3: 8 outputs do not divide into so many blocks"] =
            new OftOptions { Blocks = 3, Layers = LayerSelection.Everything with { Include = ["linear"] } },
        ["DiagOftOptions.Rank is 0"] = new DiagOftOptions { Rank = 0 },
        ["DiagOftOptions.Constraint is -1"] = new DiagOftOptions { Constraint = -1 },
        ["BoftOptions.Rank is 1"] = new BoftOptions { Rank = 1 },
        ["BoftOptions.Rank is 4: no even size up to it divides 7 outputs"] =
            new BoftOptions { Rank = 4, Layers = LayerSelection.Everything with { Include = ["odd"] } },
        ["DyLoRAOptions.Unit is 0"] = new DyLoRAOptions { Unit = 0 },
        ["DyLoRAOptions.Rank is 4: the rank must be divisible by the unit, 3"] = new DyLoRAOptions { Unit = 3 },
        ["DyLoRAOptions.ConvRank is 3"] = new DyLoRAOptions { Unit = 2, ConvRank = 3, Layers = LayerSelection.Everything },
        ["DyLoRAOptions.Unit is 2: it does not divide 3, the rank of unet.odd"] =
            new DyLoRAOptions { Unit = 2, LayerRanks = [new LayerRank("odd", 3)] },
        ["DyLoRAOptions.RankDropout is 0.5"] = new DyLoRAOptions { RankDropout = 0.5 },
        ["LoRAFAOptions.UseTucker is True"] = new LoRAFAOptions { UseTucker = true },
        ["EHOptions.Groups is 0"] = new EHOptions { Groups = 0 },
        ["EHOptions.Groups is 4: the channels of unet.odd"] =
            new EHOptions { Layers = LayerSelection.SdScripts with { Include = ["odd"] } },
        ["LLLiteOptions.ConditionDim is 3"] = new LLLiteOptions { ConditionDim = 3 },
        ["LLLiteOptions.Dropout is 1"] = new LLLiteOptions { Dropout = 1 },
    };

    [Theory]
    [MemberData(nameof(Problems))]
    public void Options_ThatCannotWork_AreRefusedByName(string message)
    {
        var fault = Assert.Throws<InvalidOptionsException>(() =>
            AdapterNetwork.Attach(new AdapterHosts(_model), s_broken[message], new Generator(0)));
        Assert.Contains(message, fault.Message);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void NaN_InAFile_IsNamed_AndNothingIsLoaded(float value)
    {
        var options = new LoKrOptions { Parts = AdapterParts.UNet };
        using var network = AdapterNetwork.Attach(new AdapterHosts(_model), options, new Generator(0));
        var path = _folder.File("nan.safetensors");
        Tensors.StateDictWriter.Save(path, network.SavedTensors().Select((tensor, i) =>
            (tensor.Name, i == 1 ? full(tensor.Tensor.shape, value) : tensor.Tensor + 1)));
        var name = network.SavedTensors().ElementAt(1).Name;
        var before = network.SavedTensors().Select(tensor => tensor.Tensor.clone()).ToList();
        foreach (var load in new Action[] { () => network.Load(path), () => network.LoadWeights(path),
            () => AdapterNetwork.FromFile(path, new AdapterHosts(_model)) })
            Assert.Contains($"the tensor '{name}' is broken", Assert.Throws<InvalidFileException>(load).Message);
        Assert.All(before.Zip(network.SavedTensors()), pair => Assert.True(pair.First.Equals(pair.Second.Tensor)));
    }

    [Fact]
    public void TruncatedFiles_OfEveryKind_AreNamed()
    {
        AdapterOptions[] kinds = [new LoKrOptions(), new IA3Options { Layers = LayerSelection.SdScripts }, new DiagOftOptions()];
        foreach (var options in kinds)
        {
            var path = _folder.File("whole.safetensors");
            using (var network = AdapterNetwork.Attach(new AdapterHosts(_model), options, new Generator(0))) network.Save(path);
            File.WriteAllBytes(path, File.ReadAllBytes(path)[..^3]);
            var fault = Assert.Throws<InvalidFileException>(() => AdapterNetwork.FromFile(path, new AdapterHosts(_model)));
            Assert.Contains(path, fault.Message);
        }
    }
}
