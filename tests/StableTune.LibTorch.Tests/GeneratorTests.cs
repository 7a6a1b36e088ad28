namespace StableTune.LibTorch.Tests;

public sealed class GeneratorTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void OneSeed_GivesOneStream_ForEveryDraw()
    {
        Func<Generator, Tensor>[] draws =
        [
            g => randn(8, generator: g), g => rand(8, generator: g), g => randint(0, 100, [8], generator: g), g => randint(100, [8], generator: g),
            g => randperm(8, generator: g), g => zeros(8).normal_(generator: g), g => zeros(8).uniform_(generator: g),
            g => bernoulli(full([8], 0.5), g), g => zeros(8).bernoulli_(0.5, g), g => normal(0, 1, [8], g),
            g => multinomial(ones(8), 4, generator: g), g => zeros(8).random_(0, 100, g),
        ];
        foreach (var draw in draws)
        {
            using Generator a = new(42), b = new(42), c = new(43);
            var first = draw(a);
            Assert.True(first.equal(draw(b)));
            Assert.False(first.equal(draw(a)) && first.equal(draw(c)));
        }
    }

    [Fact]
    public void State_RoundTrip_ContinuesTheStream()
    {
        using var generator = new Generator(7);
        randn(3, generator: generator);   // an odd number leaves half a pair of normal draws behind
        var state = generator.get_state();
        var expected = randn(5, generator: generator);
        using var other = new Generator(99);
        other.set_state(state);
        Assert.True(expected.equal(randn(5, generator: other)));
        Assert.Equal(uint8, state.dtype);
    }

    [Fact]
    public void Seed_IsRemembered_AndBeginsAnew()
    {
        using var generator = new Generator(ulong.MaxValue);
        Assert.Equal(ulong.MaxValue, generator.initial_seed());
        var first = randn(4, generator: generator);
        Assert.Same(generator, generator.manual_seed(ulong.MaxValue));
        Assert.True(first.equal(randn(4, generator: generator)));
        Assert.Equal(CPU, generator.device);
    }

    [Fact]
    public void State_OfTheWrongSize_IsRefused()
    {
        using var generator = new Generator(1);
        Assert.Throws<TorchException>(() => generator.set_state(zeros(3, dtype: uint8)));
    }

    [Fact]
    public void Disposed_Generator_CannotBeUsed()
    {
        var generator = new Generator(1);
        generator.Dispose();
        generator.Dispose();
        Assert.Throws<ObjectDisposedException>(() => randn(1, generator: generator));
    }

    [Fact]
    public void Numbers_FollowTheReferenceStream()
    {
        // PyTorch 1.13 and 2.x: torch.manual_seed(0); torch.randn(3), on the CPU.
        using var generator = new Generator(0);
        Close.To(randn(3, generator: generator), [1.5409960746765137, -0.293428897857666, -2.1787893772125244], 1e-7);
    }
}

[Collection(CountingTensors.Name)]
public sealed class DefaultGeneratorTests
{
    [Fact]
    public void ManualSeed_BeginsTheDefaultStreamAnew()
    {
        using var scope = NewDisposeScope();
        using var first = manual_seed(5);
        var drawn = randn(4);
        using var second = manual_seed(5);
        Assert.True(drawn.equal(randn(4)));
        using var stream = default_generator;
        Assert.Equal(5UL, stream.initial_seed());
    }
}
