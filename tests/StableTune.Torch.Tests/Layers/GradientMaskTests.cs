namespace StableTune.Torch.Tests.Layers;

/// <summary>Any of input, weight and bias may want a gradient, in any layout and type: what is wanted comes and is right, what is not
/// wanted is left alone, and nothing ends the process, as kernels of libtorch do that write what nobody asked for.</summary>
public sealed class GradientMaskTests : IDisposable
{
    private static readonly Dictionary<string, Func<nn.Module<Tensor, Tensor>>> s_layers = new(StringComparer.Ordinal)
    {
        ["group norm"] = () => new GroupNorm(4, 8),
        ["group norm of one group"] = () => new GroupNorm(1, 8),
        ["layer norm"] = () => new LayerNorm(8),
        ["convolution"] = () => new Conv2d(8, 8, 3, padding: 1),
        ["convolution with a stride"] = () => new Conv2d(8, 4, 3, stride: 2, padding: 1),
        ["convolution in groups"] = () => new Conv2d(8, 8, 3, padding: 1, groups: 2),
        ["convolution of single places"] = () => new Conv2d(8, 16, 1),
        ["convolution without a bias"] = () => new Conv2d(8, 8, 3, padding: 1, hasBias: false),
        ["linear"] = () => new Linear(8, 16),
        ["linear without a bias"] = () => new Linear(8, 4, hasBias: false),
    };

    /// <summary>Maps of 8 channels, each as tensors come about.</summary>
    private static readonly Dictionary<string, Func<Tensor>> s_maps = new(StringComparer.Ordinal)
    {
        ["contiguous"] = () => randn(2, 8, 6, 8),
        ["channels innermost"] = () => randn(2, 6, 8, 8).permute(0, 3, 1, 2),
        ["one place"] = () => randn(2, 8, 1, 1),
        ["one place, channels innermost"] = () => randn(2, 1, 1, 8).permute(0, 3, 1, 2),
        ["one sample, channels innermost"] = () => randn(1, 5, 8, 8).permute(0, 3, 1, 2),
        ["a cut"] = () => randn(2, 12, 6, 16)[.., 2..10, .., ..8],
        ["tokens turned around"] = () => randn(2, 48, 8).permute(0, 2, 1).view(2, 8, 6, 8),
        ["a repeated sample"] = () => randn(1, 8, 4, 8).expand(3, -1, -1, -1),
    };

    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string, string> Cases()
    {
        var cases = new TheoryData<string, string>();
        foreach (var layer in s_layers.Keys)
            foreach (var map in s_maps.Keys) cases.Add(layer, map);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Backward_ForAnyWish_GivesWhatTheReferenceGives(string layer, string map)
    {
        manual_seed(11);
        foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float16, ScalarType.Float64 })
        {
            using var subject = s_layers[layer]().to(type);
            using var reference = s_layers[layer]().to(ScalarType.Float64);
            Draw(subject, reference);
            var input = s_maps[map]().to(type);
            // Layers that work on the last dimension take tokens.
            if (subject is LayerNorm or Linear) input = input.permute(0, 2, 3, 1);
            var plain = empty(input.shape, dtype: ScalarType.Float64).copy_(input);
            for (var wish = 1; wish < 1 << (1 + subject.parameters().Count()); wish++)
            {
                var (actual, expected) = (Gradients(subject, input, wish), Gradients(reference, plain, wish));
                for (var k = 0; k < expected.Length; k++) AssertNear($"{type}, wish {wish}, gradient {k}", expected[k], actual[k], type);
                // Two numbers that are normed together are 1 and -1, whatever they were.
                if (layer == "group norm" && map.StartsWith("one place", StringComparison.Ordinal)) continue;
                Assert.All(expected.OfType<Tensor>(), gradient => Assert.True(gradient.abs().max().ToDouble() > 0.1, "nothing to compare"));
            }
        }
    }

    /// <summary>Gradients of the input and the parameters, as far as they are wished for.</summary>
    private static Tensor?[] Gradients(nn.Module<Tensor, Tensor> layer, Tensor input, int wish)
    {
        Parameter[] parameters = [.. layer.parameters()];
        for (var k = 0; k < parameters.Length; k++)
        {
            parameters[k].grad = null;
            parameters[k].requires_grad = (wish & (2 << k)) != 0;
        }

        var leaf = input.detach().requires_grad_((wish & 1) != 0);
        var output = layer.call(leaf).to(ScalarType.Float64);
        // Every number counts differently: of a norm's results the sum is the same for every input, and so is that of their squares.
        using var random = new Generator(17);
        var weights = randn(output.shape, dtype: ScalarType.Float64, generator: random);
        Torch.Gradients.Backward((output * weights).sum());
        return [leaf.grad, .. parameters.Select(parameter => parameter.grad)];
    }

    private static void AssertNear(string what, Tensor? expected, Tensor? actual, ScalarType type)
    {
        Assert.True(expected is null == actual is null, $"{what}: {(actual is null ? "missing" : "not asked for")}");
        if (expected is null || actual is null) return;
        Assert.Equal(expected.shape, actual.shape);
        var largest = Math.Max(0.1, expected.abs().max().ToDouble());
        var tolerance = type switch { ScalarType.Float64 => 1e-10, ScalarType.Float32 => 1e-4, _ => 4e-2 } * largest;
        Assert.True((expected - actual.to(ScalarType.Float64)).abs().max().ToDouble() <= tolerance, $"{what}: another number");
    }

    /// <summary>Draws the parameters of the one, and gives the other the same.</summary>
    private static void Draw(nn.Module one, nn.Module other)
    {
        using var frozen = no_grad();
        foreach (var (source, target) in one.parameters().Zip(other.parameters())) target.copy_(source.normal_());
    }
}
