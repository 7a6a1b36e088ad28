using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>Layers of noise, with the reference's draws and by what they do.</summary>
public sealed class NoiseLayerTests
{
    /// <summary>What any correct order of float32 operations may differ by.</summary>
    private const double Relative = 1e-6, Absolute = 1e-6;

    private static readonly JsonDocument s_cases = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("diffusion", "noise_variants.json")));

    public static TheoryData<string> Cases() => [.. s_cases.RootElement.GetProperty("cases").EnumerateObject().Select(entry => entry.Name)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Noise_IsThatOfTheReference(string name)
    {
        using var golden = Golden.Open("diffusion", "noise_variants.safetensors");
        using var scope = NewDisposeScope();
        var recorded = new Recorded(golden, name);
        var source = Layers(new Source(recorded), s_cases.RootElement.GetProperty("cases").GetProperty(name).GetProperty("args"));
        var latents = golden[$"{name}.latents"];
        using var none = new Generator(0);

        var noise = Draw(source, latents, recorded);
        var timesteps = recorded.Next();
        var added = NoiseLayer.Of(source).Reverse().Aggregate(noise, (now, layer) => layer.MoreAdded(now, recorded));

        golden.AssertWithin($"{name}.noise", noise, Absolute, Relative);
        golden.AssertEqual($"{name}.timesteps", timesteps);
        golden.AssertWithin($"{name}.noisy_latents", NoiseSchedule.ScaledLinear().AddNoise(latents, added, timesteps), Absolute, Relative);
        Assert.True(recorded.IsAtEnd, "draws of the reference are left");
    }

    [Fact]
    public void Extensions_InAnyOrder_LayInTheReferences()
    {
        var expected = new InputPerturbation
        {
            Gamma = 0.2,
            Inner = new MultiResolutionNoise { Iterations = 8, Inner = new OffsetNoise { Offset = 0.05, AdaptiveScale = 0.01 } },
        };
        Assert.Equal(expected, new Socket().WithNoiseOffset(0.05, 0.01).WithMultiResolutionNoise(8).WithInputPerturbation(0.2).Noise);
        Assert.Equal(expected, new Socket().WithInputPerturbation(0.2).WithMultiResolutionNoise(8).WithNoiseOffset(0.05, 0.01).Noise);
        Assert.Equal(expected, new Socket().WithMultiResolutionNoise(3).WithInputPerturbation(0.2).WithNoiseOffset(0.3)
            .WithMultiResolutionNoise(8).WithNoiseOffset(0.05, 0.01).Noise);
    }

    [Fact]
    public void Draw_SameSeed_SameNumbers_InTheLatentsTypeAndWithoutChangingThem()
    {
        using var scope = NewDisposeScope();
        var source = new Socket().WithNoiseOffset(0.1, 0.1, randomStrength: true).WithMultiResolutionNoise()
            .WithInputPerturbation(0.1, true).Noise;
        var latents = ones(2, 4, 8, 6, dtype: ScalarType.BFloat16);
        var copy = latents.clone();
        Tensor Once(int seed, out Tensor added)
        {
            using var random = new Generator((ulong)seed);
            var noise = source.Draw(latents, random);
            added = source.Added(noise, random);
            return noise;
        }

        var first = Once(5, out var firstAdded);
        Assert.Equal((ScalarType.BFloat16, ScalarType.BFloat16), (first.dtype, firstAdded.dtype));
        Assert.Equal(latents.shape, firstAdded.shape);
        Assert.Equal(GoldenComparison.Floats(first), GoldenComparison.Floats(Once(5, out var secondAdded)));
        Assert.Equal(GoldenComparison.Floats(firstAdded), GoldenComparison.Floats(secondAdded));
        Assert.NotEqual(GoldenComparison.Floats(first), GoldenComparison.Floats(firstAdded));
        Assert.NotEqual(GoldenComparison.Floats(first), GoldenComparison.Floats(Once(6, out _)));
        Assert.Equal(GoldenComparison.Floats(copy), GoldenComparison.Floats(latents));
    }

    [Fact]
    public void Added_OfAnInnerSource_IsKept()
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(1);
        var noise = zeros(1, 4, 4, 4);
        Assert.Equal(3, new OffsetNoise { Inner = new MoreByThree() }.Added(noise, random).mean().item<float>());
    }

    [Fact]
    public void RandomStrength_IsSpreadBetweenNothingAndAll()
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(7);
        var layer = new OffsetNoise { Offset = 1, RandomStrength = true };
        var nothing = zeros(1, 1, 1, 1);
        // Offsets are strength x N: the mean size of N is 0.80, that of the strengths a half.
        var offsets = Enumerable.Range(0, 400).Select(_ => Math.Abs(layer.Changed(nothing, nothing, new NoiseDraws(random)).item<float>()))
            .ToList();
        Assert.InRange(offsets.Average(), 0.35, 0.45);
    }

    [Fact]
    public void Validate_ImpossibleStrengths_NamesEachOfAllLayers()
    {
        var source = new InputPerturbation
        {
            Gamma = double.NaN,
            Inner = new MultiResolutionNoise
            {
                Iterations = 0, Discount = -1, Inner = new OffsetNoise { Offset = 0, AdaptiveScale = double.PositiveInfinity },
            },
        };
        Assert.Equal(["InputPerturbation.Gamma", "MultiResolutionNoise.Iterations", "MultiResolutionNoise.Discount", "OffsetNoise.Offset",
            "OffsetNoise.AdaptiveScale"], source.Validate().Select(problem => problem.Option));
        Assert.Empty(new OffsetNoise { AdaptiveScale = -0.5 }.Validate());
    }

    [Fact]
    public void Draw_LeavesNoTensorsBehind()
    {
        using var outer = NewDisposeScope();
        var latents = zeros(1, 4, 8, 8);
        using var random = new Generator(1);
        var source = new Socket().WithNoiseOffset(0.1, 0.1).WithMultiResolutionNoise().WithInputPerturbation().Noise;
        var before = HeldTensors.Before();
        using (NewDisposeScope())
        {
            source.Added(source.Draw(latents, random), random);
        }

        Assert.Equal(before, TensorCount.Live);
    }

    /// <summary>The layers that the reference's arguments ask for, in its order.</summary>
    private static INoiseSource Layers(INoiseSource source, JsonElement args)
    {
        double? Number(string name) => args.TryGetProperty(name, out var value) ? value.GetDouble() : null;
        bool Flag(string name) => args.TryGetProperty(name, out var value) && value.GetBoolean();
        if (Number("noise_offset") is { } offset)
            source = NoiseLayer.Over(source, new OffsetNoise
            {
                Offset = offset, AdaptiveScale = Number("adaptive_noise_scale"), RandomStrength = Flag("noise_offset_random_strength"),
            });
        if (Number("multires_noise_iterations") is { } levels)
            source = NoiseLayer.Over(source, new MultiResolutionNoise
            {
                Iterations = (int)levels,
                Discount = Number("multires_noise_discount")
                    ?? s_cases.RootElement.GetProperty("defaults").GetProperty("multires_noise_discount").GetDouble(),
            });
        if (Number("ip_noise_gamma") is { } gamma)
            source = NoiseLayer.Over(source,
                new InputPerturbation { Gamma = gamma, RandomStrength = Flag("ip_noise_gamma_random_strength") });
        return source;
    }

    private static Tensor Draw(INoiseSource source, Tensor latents, NoiseDraws draws) => source is NoiseLayer layer
        ? layer.Changed(latents, Draw(layer.Inner, latents, draws), draws) : source.Draw(latents, null!);

    /// <summary>The reference's draws, one after the other, whatever they are.</summary>
    private sealed class Recorded(Golden golden, string name) : NoiseDraws(null!)
    {
        private readonly string[] _draws = [.. golden.Names.Where(key => key.StartsWith(name + ".draw", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)];

        private int _next;

        public bool IsAtEnd => _next == _draws.Length;

        public Tensor Next() => golden[_draws[_next++]];

        public override Tensor Normal(ReadOnlySpan<long> shape, Tensor like)
        {
            var drawn = Next();
            Assert.Equal(shape.ToArray(), drawn.shape);
            return drawn;
        }

        public override double Uniform() => Next().to(ScalarType.Float64).item<double>();
    }

    private sealed record Source(Recorded Recorded) : OptionsBase, INoiseSource
    {
        public Tensor Draw(Tensor latents, Generator generator) => Recorded.Normal(latents.shape, latents);
    }

    private sealed record MoreByThree : OptionsBase, INoiseSource
    {
        public Tensor Draw(Tensor latents, Generator generator) => zeros_like(latents);

        public Tensor Added(Tensor noise, Generator generator) => noise + 3;
    }

    private sealed record Socket : INoiseSocket<Socket>
    {
        public INoiseSource Noise { get; init; } = new NormalNoise();

        public Socket WithNoise(INoiseSource source) => this with { Noise = source };

        public Socket WithNoiseLayer(NoiseLayer layer) => this with { Noise = NoiseLayer.Over(Noise, layer) };

        public Socket WithTimesteps(ITimestepSource source) => this;
    }
}
