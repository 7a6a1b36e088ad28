using System.Runtime.Intrinsics.X86;

namespace StableTune.Torch;

/// <summary>Convolutions whose channels are filled up with zeros to whole blocks of 16, where oneDNN does not do that right.</summary>
/// <remarks>
/// oneDNN computes in blocks of up to 16 channels, and fills the last one up itself. On machines whose processor does not tell the sizes of
/// its caches, as some virtual ones, it divides that work by a size of 0, writes the zeros over other weights, and leaves what memory held
/// where they belong: results are wrong, and not finite now and then. Seen with oneDNN 3.7.1, which libtorch 2.10 brings, when the
/// channels of a plain tensor are brought into blocks.
/// </remarks>
internal static class WholeBlocks
{
    private const long Block = 16;

    private static readonly Lazy<bool> s_areNeeded = new(() => AreNeededWhere(Processor.HidesCaches));

    [ThreadStatic] private static bool? s_assumed;

    /// <summary>Whether the processor of this machine needs them.</summary>
    internal static bool AreNeeded => s_assumed ?? s_areNeeded.Value;

    /// <summary>Whether a processor needs them that hides its caches or not. What goes wrong there depends on which thread is first and on
    /// what memory held, so that a trial that comes out right says little.</summary>
    internal static bool AreNeededWhere(bool cachesAreHidden) => cachesAreHidden || (X86Base.IsSupported && !FillsUpRight());

    /// <summary>For tests: what this thread takes the processor for; null for what it is.</summary>
    internal static void Assume(bool? areNeeded) => s_assumed = areNeeded;

    /// <summary>Whether a convolution is to be computed here. Not where shapes do not fit: libtorch words that.</summary>
    /// <param name="input">[B, in, H, W] or [in, H, W].</param>
    /// <param name="weight">[out, in / groups, kh, kw].</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="groups">Blocks of channels that do not see each other.</param>
    internal static bool Serve(Tensor input, Tensor weight, Tensor? bias, long groups) =>
        input.dim() >= 3 && weight.dim() == 4 && input.size(-3) == weight.size(1) * groups
            && (bias is null || bias.numel() == weight.size(0)) && Serve(input, weight, groups);

    /// <summary>Whether the gradient of a convolution's input is to be computed here.</summary>
    /// <param name="gradient">[B, out, H', W'].</param>
    /// <param name="weight">[out, in / groups, kh, kw].</param>
    /// <param name="groups">Blocks of channels that do not see each other.</param>
    internal static bool Serve(Tensor gradient, Tensor weight, long groups) =>
        (weight.size(1) % Block != 0 || weight.size(0) / groups % Block != 0)
            && gradient.device_type == DeviceType.CPU && gradient.dtype != ScalarType.Float64 && AreNeeded;

    /// <summary>The convolution.</summary>
    /// <returns>As libtorch's, contiguous; recorded by autograd as it comes.</returns>
    internal static Tensor Convolve(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry)
    {
        using var scope = NewDisposeScope();
        var single = geometry with { Groups = 1 };
        var maps = input.chunk(geometry.Groups, -3).Zip(weight.chunk(geometry.Groups), (map, kernels) =>
            Convolutions.Compute(Filled(map, -3), Filled(Filled(kernels, 0), 1), null, single).narrow(-3, 0, kernels.size(0)));
        var output = cat([.. maps], -3);
        return (bias is null ? output : output + bias.view(-1, 1, 1)).MoveToOuterDisposeScope();
    }

    /// <summary>The gradient of the input of a convolution.</summary>
    /// <param name="gradient">[B, out, H', W'].</param>
    /// <param name="weight">[out, in / groups, kh, kw].</param>
    /// <param name="geometry">How it walks over the input.</param>
    /// <param name="input">The input's form.</param>
    /// <returns>[B, in, H, W].</returns>
    internal static Tensor InputGradient(Tensor gradient, Tensor weight, ConvolutionGeometry geometry, InputForm input)
    {
        using var scope = NewDisposeScope();
        var single = geometry with { Groups = 1 };
        var maps = gradient.chunk(geometry.Groups, -3).Zip(weight.chunk(geometry.Groups), (map, kernels) =>
        {
            var filled = Filled(Filled(kernels, 0), 1);
            var form = new InputForm([input.Shape[0], filled.size(1), .. input.Shape[2..]], null);
            return Convolutions.InputGradient(Filled(map, -3), filled, form.Stand(filled), single).narrow(-3, 0, kernels.size(1));
        });
        return cat([.. maps], -3).MoveToOuterDisposeScope();
    }

    /// <summary>The tensor with zeros behind it in one dimension, up to a whole number of blocks.</summary>
    private static Tensor Filled(Tensor tensor, long dimension)
    {
        if (tensor.size((int)dimension) % Block is not (> 0 and var rest)) return tensor;
        var shape = tensor.shape;
        shape[dimension < 0 ? shape.Length + dimension : dimension] = Block - rest;
        return cat([tensor, zeros(shape, dtype: tensor.dtype, device: tensor.device)], dimension);
    }

    /// <summary>Whether a convolution of 20 channels to 20, and its gradient, give in float32 what they give in float64, which oneDNN does
    /// not compute.</summary>
    private static bool FillsUpRight()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var numbers = arange(2 * 20 * 8 * 8, dtype: ScalarType.Float64, device: CPU).view(2, 20, 8, 8);
        var weight = arange(20 * 20 * 9, dtype: ScalarType.Float64, device: CPU).view(20, 20, 3, 3).add(0.5).sin();
        var geometry = new ConvolutionGeometry([1, 1], [1, 1], [1, 1]);
        (Tensor, Tensor) Compute(ScalarType type)
        {
            var (input, kernels) = (numbers.cos().to(type), weight.to(type));
            return (Convolutions.Compute(input, kernels, null, geometry).to(ScalarType.Float64),
                Convolutions.InputGradient(numbers.sin().to(type), kernels, input, geometry).to(ScalarType.Float64));
        }

        var (single, precise) = (Compute(ScalarType.Float32), Compute(ScalarType.Float64));
        return single.Item1.allclose(precise.Item1, 1e-3, 1e-3) && single.Item2.allclose(precise.Item2, 1e-3, 1e-3);
    }
}
