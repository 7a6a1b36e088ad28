using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;
using StableTune.Torch;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>sd-trainer's PFG by itself: one linear layer, its tokens, its file.</summary>
public sealed class PfgNetworkTests : IDisposable
{
    private const int Inputs = 6, Width = 4, Tokens = 3;

    private readonly TemporaryFolder _folder = new();
    private readonly Generator _random = new(2);

    public void Dispose()
    {
        _random.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Extend_PutsTheTokensBehindTheText()
    {
        using var scope = NewDisposeScope();
        using var network = PfgNetwork.Create(Inputs, Width, Tokens, _random);
        Assert.Equal((Inputs, Width, Tokens), (network.InputSize, network.ContextWidth, network.Tokens));
        var (context, features) = (randn(2, 5, Width), randn(2, Inputs));
        var extended = network.Extend(new UNetConditions(context), features).Context;
        Assert.Equal([2L, 5 + Tokens, Width], extended.shape);
        Assert.True(context.Equals(extended.narrow(1, 0, 5)), "the text changed");
        // Row t·width + c of the layer is channel c of token t.
        var expected = (features.matmul(network.Layer.weight.t()) + network.Layer.bias!).reshape(2, Tokens, Width);
        GoldenComparison.AssertClose("tokens", expected, extended.narrow(1, 5, Tokens), 1e-6);
    }

    [Fact]
    public void Extend_Guided_GivesTheNegativePromptZeros()
    {
        using var scope = NewDisposeScope();
        using var network = PfgNetwork.Create(Inputs, Width, Tokens, _random);
        var features = randn(1, Inputs);
        var extended = network.Extend(new UNetConditions(randn(2, 5, Width)), features).Context;
        Assert.Equal(0, extended[0].narrow(0, 5, Tokens).abs().max().item<float>());
        GoldenComparison.AssertClose("positive", network.TokensOf(features)[0], extended[1].narrow(0, 5, Tokens), 0);
        var alone = network.Extend(new UNetConditions(randn(1, 5, Width)), features).Context;
        GoldenComparison.AssertClose("not guided", network.TokensOf(features)[0], alone[0].narrow(0, 5, Tokens), 0);
    }

    [Fact]
    public void Gradients_AreThoseOfTheFormula()
    {
        using var scope = NewDisposeScope();
        using var network = PfgNetwork.Create(Inputs, Width, Tokens, _random);
        var (features, pull) = (randn(2, Inputs), randn(2, Tokens, Width));
        (network.Extend(new UNetConditions(zeros(2, 5, Width)), features).Context.narrow(1, 5, Tokens) * pull).sum().backward();
        var flat = pull.reshape(2, Tokens * Width);
        GoldenComparison.AssertClose("weight", flat.t().matmul(features), network.Layer.weight.grad!, 1e-5);
        GoldenComparison.AssertClose("bias", flat.sum(0L), network.Layer.bias!.grad!, 1e-5);
    }

    [Fact]
    public void Create_IsDrawnFromItsGenerator_AsPyTorchDraws()
    {
        using var scope = NewDisposeScope();
        using var first = Seeded(1);
        using var same = Seeded(1);
        using var other = Seeded(2);
        Assert.True(first.Layer.weight.Equals(same.Layer.weight));
        Assert.False(first.Layer.weight.Equals(other.Layer.weight));
        Assert.InRange(first.Layer.weight.abs().max().item<float>(), 0.9f / MathF.Sqrt(768), 1 / MathF.Sqrt(768));

        static PfgNetwork Seeded(ulong seed)
        {
            using var random = new Generator(seed);
            return PfgNetwork.Create(768, Width, Tokens, random);
        }
    }

    [Theory]
    [InlineData("pfg.pt")]
    [InlineData("pfg.safetensors")]
    public void SaveThenLoad_GivesTheSame(string name)
    {
        using var scope = NewDisposeScope();
        using var network = PfgNetwork.Create(Inputs, Width, Tokens, _random);
        network.Save(_folder.File(name));
        using (var file = TensorFile.Open(_folder.File(name)))
            Assert.Equal(["bias", "weight"], file.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        using var loaded = PfgNetwork.Load(_folder.File(name), Width);
        Assert.Equal((Inputs, Width, Tokens), (loaded.InputSize, loaded.ContextWidth, loaded.Tokens));
        Assert.True(network.Layer.weight.Equals(loaded.Layer.weight));
        Assert.True(network.Layer.bias!.Equals(loaded.Layer.bias!));
    }

    [Fact]
    public void Load_WhatDoesNotFit_IsTold()
    {
        using var scope = NewDisposeScope();
        using var network = PfgNetwork.Create(Inputs, Width, Tokens, _random);
        network.Save(_folder.File("pfg.safetensors"));
        string Told(string name, int width = Width) => Assert.ThrowsAny<InvalidFileException>(() =>
            PfgNetwork.Load(_folder.File(name), width)).Message;
        Assert.Contains("it makes 12 numbers of a picture, which are no tokens of the 5", Told("pfg.safetensors", 5));
        Assert.Contains("it makes 12 numbers", Told("pfg.safetensors", 24));
        StateDictWriter.Save(_folder.File("other.safetensors"), [("weight", zeros(4, 4)), ("lora_up", zeros(4))]);
        Assert.Contains("it is no PFG network", Told("other.safetensors"));
        StateDictWriter.Save(_folder.File("odd.safetensors"), [("weight", zeros(4, 4)), ("bias", zeros(8))]);
        Assert.Contains("it is no PFG network", Told("odd.safetensors"));
        File.WriteAllBytes(_folder.File("cut.safetensors"), File.ReadAllBytes(_folder.File("pfg.safetensors"))[..^8]);
        Assert.Contains("cut.safetensors", Told("cut.safetensors"));
        Assert.Contains("[B, 6]", Assert.Throws<ArgumentException>(() => network.TokensOf(zeros(1, 7))).Message);
    }
}
