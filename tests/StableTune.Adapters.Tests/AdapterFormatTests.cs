using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters.Tests;

/// <summary>Files that mix kinds, kinds of a host's own in files, and files that are broken.</summary>
public sealed class AdapterFormatTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly ModelTree _model = ModelTree.FromWeights([("first.weight", [6, 4]), ("second.weight", [5, 6]),
        ("third.weight", [5, 5, 3, 3])], "Transformer2DModel");

    public void Dispose()
    {
        _model.Dispose();
        _scope.Dispose();
        _folder.Dispose();
    }

    private string Save(params (string Name, Tensor Tensor)[] tensors)
    {
        var path = _folder.File("adapters.safetensors");
        StateDictWriter.Save(path, tensors);
        return path;
    }

    private static (string, Tensor)[] LoRA(string name) =>
        [($"{name}.lora_down.weight", randn(2, 4)), ($"{name}.lora_up.weight", randn(6, 2)), ($"{name}.alpha", tensor(1f))];

    private static (string, Tensor)[] LoHa(string name) =>
        [($"{name}.hada_w1_a", randn(5, 3)), ($"{name}.hada_w1_b", randn(3, 6)), ($"{name}.hada_w2_a", randn(5, 3)),
            ($"{name}.hada_w2_b", randn(3, 6))];

    private string Fault(params (string Name, Tensor Tensor)[] tensors)
    {
        var before = HeldTensors.Before();
        var fault = Assert.Throws<InvalidFileException>(() => AdapterNetwork.FromFile(Save(tensors), new AdapterHosts(_model)));
        Assert.Equal(before, TensorCount.Live);
        return fault.Message;
    }

    [Fact]
    public void FromFile_LoRAAndLoHaInOne_GivesEachModuleItsKind()
    {
        var path = Save([.. LoRA("lora_unet_first"), .. LoHa("lora_unet_second"), ("lora_unet_third.hada_w1_a", randn(2, 5)),
            ("lora_unet_third.hada_w1_b", randn(2, 5)),
            ("lora_unet_third.hada_t1", randn(2, 2, 3, 3)), ("lora_unet_third.hada_w2_a", randn(2, 5)),
                ("lora_unet_third.hada_w2_b", randn(2, 5)),
            ("lora_unet_third.hada_t2", randn(2, 2, 3, 3)), ("lora_unet_third.alpha", tensor(4f))]);
        using var network = AdapterNetwork.FromFile(path, new AdapterHosts(_model));
        Assert.Equal([("lora_unet_first", "LoRAAdapter"), ("lora_unet_second", "LoHaAdapter"), ("lora_unet_third", "LoHaAdapter")],
            network.Adapters.Select(adapter => (adapter.Layer.Name, adapter.GetName())));
        using var golden = Golden.OpenFile(path);
        Assert.All(network.NamedTensors().Where(t => golden.Contains(t.Name)), t => golden.AssertEqual(t.Name, t.Tensor));
        Assert.Equal([1f, 3f, 4f],
            network.NamedTensors().Where(t => t.Name.EndsWith("alpha", StringComparison.Ordinal)).Select(t => t.Tensor.item<float>()));

        // It is saved and loaded as it came, and loads into the network itself.
        var again = _folder.File("again.safetensors");
        network.Save(again);
        network.Load(again);
        using var same = AdapterNetwork.FromFile(again, new AdapterHosts(_model), 0.5f);
        Assert.All(network.NamedTensors().Zip(same.NamedTensors()),
            pair => Assert.True(pair.First.Name == pair.Second.Name && pair.First.Tensor.Equals(pair.Second.Tensor)));
    }

    [Fact]
    public void FromFile_BrokenModules_NameTheAdapterAndWhatIsWrong()
    {
        const string name = "lora_unet_second";
        Assert.Contains($"'{name}' has only hada_w1_a, hada_w1_b. A LoHa needs hada_w1_a, hada_w1_b, hada_w2_a, hada_w2_b",
            Fault(LoHa(name)[..2]));
        Assert.Contains("'lora_unet_first' has only alpha, lora_up.weight. A LoRA needs", Fault(LoRA("lora_unet_first")[1..]));
        Assert.Contains("factors that do not fit each other", Fault([.. LoHa(name)[..3], ($"{name}.hada_w2_b", randn(2, 6))]));
        Assert.Contains("factors that do not fit each other", Fault([.. LoHa(name)[..3], ($"{name}.hada_w2_b", randn(3))]));
        Assert.Contains("decomposes a convolution over its kernel (Tucker), but unet.second (Linear 6 to 5) has none",
            Fault([.. LoHa(name), ($"{name}.hada_t1", randn(3, 3, 3, 3)), ($"{name}.hada_t2", randn(3, 3, 3, 3))]));
        Assert.Contains("It needs hada_t2 too",
            Fault(("lora_unet_third.hada_w1_a", randn(2, 5)), ("lora_unet_third.hada_w1_b", randn(2, 5)),
            ("lora_unet_third.hada_t1", randn(2, 2, 3, 3)), ("lora_unet_third.hada_w2_a", randn(2, 5)),
                ("lora_unet_third.hada_w2_b", randn(2, 5))));
        Assert.Contains("alpha of -1", Fault([.. LoHa(name), ($"{name}.alpha", tensor(-1f))]));
        Assert.Contains("beside LoHa adapters it holds for instance 'lora_unet_second.strange', 1 strange name(s)",
            Fault([.. LoHa("lora_unet_first"), .. LoHa(name), ($"{name}.strange", randn(1))]));
        Assert.Contains("beside LoRA adapters it holds for instance 'lora_unet_second.hada_w1_a'",
            Fault([.. LoRA("lora_unet_first"), .. LoHa(name), ($"{name}.lora_down.weight", randn(1, 6))]));
        Assert.Contains("2 of its 2 adapters have no layer in this model", Fault([.. LoHa("lora_unet_fourth"), .. LoRA("lora_te_first")]));
    }

    [Fact]
    public void FromFile_ShapesOfAnotherLayer_AreNamed()
    {
        var before = HeldTensors.Before();
        var fault = Assert.Throws<WeightsDoNotFitException>(() =>
            AdapterNetwork.FromFile(Save(LoHa("lora_unet_first")), new AdapterHosts(_model)));
        Assert.Equal(before, TensorCount.Live - 4);                                     // the four that were saved
        Assert.Contains("lora_unet_first.hada_w1_a: the model has [6, 3], the file [5, 3]", fault.Message);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(100)]
    public void FromFile_ATruncatedFile_IsNamed(int bytes)
    {
        var path = Save(LoRA("lora_unet_first"));
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^bytes]);
        using var network = AdapterNetwork.Attach(new AdapterHosts(_model), new LoRAOptions { Rank = 2 }, new Generator(0));
        Assert.Contains(path, Assert.Throws<InvalidFileException>(() => AdapterNetwork.FromFile(path, new AdapterHosts(_model))).Message);
        Assert.Contains(path, Assert.Throws<InvalidFileException>(() => network.LoadWeights(path)).Message);
    }

    [Fact]
    public void Load_WhatDoesNotFit_ChangesNothing()
    {
        using var network = AdapterNetwork.Attach(new AdapterHosts(_model), new LoRAOptions { Rank = 2 }, new Generator(0));
        var before = network.NamedTensors().Select(t => t.Tensor.clone()).ToList();
        var fault = Assert.Throws<WeightsDoNotFitException>(() =>
            network.Load(Save([.. LoRA("lora_unet_first"), .. LoHa("lora_unet_second")])));
        Assert.Contains("lora_unet_second.hada_w1_a", fault.Message);
        Assert.All(before.Zip(network.NamedTensors()), pair => Assert.True(pair.First.Equals(pair.Second.Tensor)));
    }

    [Fact]
    public void Formats_OfAHost_ArePutBeforeOurs()
    {
        var path = Save([.. LoRA("lora_unet_first"), ("gain_unet_second.gain", full([5], 0.5f))]);
        Assert.Contains("'gain_unet_second.gain'",
            Assert.Throws<InvalidFileException>(() => AdapterNetwork.FromFile(path, new AdapterHosts(_model))).Message);
        var formats = AdapterFormats.Default.With(new GainFormat());
        Assert.Equal(AdapterFormats.Default.All.Count + 1, formats.All.Count);
        using var network = AdapterNetwork.FromFile(path, new AdapterHosts(_model), formats: formats);
        Assert.Equal(["LoRAAdapter", "Gain"], network.Adapters.Select(adapter => adapter.GetName()));
        var delta = network.Adapters[1].DeltaWeight(ones(5, 6));
        GoldenComparison.AssertClose("delta", full([5, 6], 0.5f), delta, 0);
    }

    /// <summary>The outputs of a linear layer, made larger or smaller one by one.</summary>
    private sealed record GainOptions : AdapterOptions
    {
        public override string KeyPrefix => "gain";

        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new Gain(layer);
    }

    private sealed class Gain : NetworkAdapter
    {
        private readonly Parameter gain;

        public Gain(AdaptedLayer layer) : base(nameof(Gain), layer)
        {
            gain = Trainable(zeros(layer.Shape.OutFeatures));
            RegisterComponents();
        }

        public override Tensor DeltaWeight(Tensor weight) => weight * gain.unsqueeze(1);
    }

    private sealed record GainFormat() : AdapterFormat("Gain", ["gain"], [])
    {
        public override string KeyPrefix => "gain";

        public override AdapterOptions OptionsFor(AdapterModule module) => new GainOptions();
    }
}
