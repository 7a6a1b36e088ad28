using StableTune.Torch.Loading;

namespace StableTune.Torch;

/// <summary>libtorch's convolution and its gradient, on the CPU with no two threads computing the first of a kind at once.</summary>
/// <remarks>
/// oneDNN chooses how to compute a convolution when it meets the first of its kind, and keeps that for all threads. It weighs the ways by
/// numbers that all threads write, so that of two threads at once one may choose another way than is kept: it then brings the weight into
/// the layout of one way and runs the code of the other. Gradients come out wrong, or the process ends. Seen with oneDNN 3.7.1, which
/// libtorch 2.10 brings. What it keeps is found, and not weighed again.
/// </remarks>
internal static class Convolutions
{
    /// <summary>What oneDNN keeps of one product: itself, and the ways to bring its three tensors into layouts.</summary>
    private const int EntriesOfAProduct = 4;

    private static readonly Operator s_backward = new("aten::convolution_backward");

    // Half of what oneDNN keeps is left to all else that it computes.
    private static readonly FirstTurns s_turns = new(ProcessSettings.KeptPrimitives / 2);

    private enum Asked { Output, OutputWithBias, InputGradient }

    /// <summary>The convolution, recorded by autograd as it comes.</summary>
    /// <param name="input">[B, in, H, W] or [in, H, W].</param>
    /// <param name="weight">[out, in / groups, kh, kw].</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="geometry">How it walks over the input.</param>
    internal static Tensor Compute(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry)
    {
        if (!TakesTurns(input)) return Convolve(input, weight, bias, geometry);
        bool[] wanted = is_grad_enabled() ? [input.requires_grad, weight.requires_grad, bias is { requires_grad: true }] : [];
        var products = 1 + wanted.Count(isWanted => isWanted);
        var kind = Kind(bias is null ? Asked.Output : Asked.OutputWithBias, input, weight, geometry, wanted);
        return s_turns.Take(kind, products * EntriesOfAProduct, isFirst =>
        {
            var output = Convolve(input, weight, bias, geometry);
            if (isFirst && products > 1 && output.numel() > 0) Rehearse(output, input, weight, geometry, wanted);
            return output;
        });
    }

    /// <summary>The gradient of the input.</summary>
    /// <param name="gradient">[B, out, H', W'].</param>
    /// <param name="weight">[out, in / groups, kh, kw].</param>
    /// <param name="input">[B, in, H, W]; its values do not count.</param>
    /// <param name="geometry">How the convolution walks over the input.</param>
    /// <returns>[B, in, H, W].</returns>
    internal static Tensor InputGradient(Tensor gradient, Tensor weight, Tensor input, ConvolutionGeometry geometry)
    {
        bool[] wanted = [true, false, false];
        return TakesTurns(input)
            ? s_turns.Take(Kind(Asked.InputGradient, input, weight, geometry, wanted), EntriesOfAProduct,
                _ => Gradients(gradient, input, weight, geometry, wanted)[0]!)
            : Gradients(gradient, input, weight, geometry, wanted)[0]!;
    }

    /// <summary>Computes the gradients that a backward pass will ask libtorch for later on, where no turn can be taken.</summary>
    private static void Rehearse(Tensor output, Tensor input, Tensor weight, ConvolutionGeometry geometry, bool[] wanted)
    {
        using var scope = NewDisposeScope();
        using var unrecorded = no_grad();
        var isSingle = output.dim() == 3;
        Gradients(zeros_like(isSingle ? output.unsqueeze(0) : output), isSingle ? input.unsqueeze(0) : input, weight, geometry, wanted);
    }

    private static Tensor Convolve(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry) =>
        nn.functional.conv2d(input, weight, bias, geometry.Stride, geometry.Padding, geometry.Dilation, geometry.Groups);

    private static Tensor?[] Gradients(Tensor gradient, Tensor input, Tensor weight, ConvolutionGeometry geometry, bool[] wanted) =>
        s_backward.CallForMany(3, gradient, input, weight, OperatorArgument.None, geometry.Stride, geometry.Padding, geometry.Dilation,
            false, new long[] { 0, 0 }, geometry.Groups, wanted);

    /// <summary>Whether oneDNN may compute it.</summary>
    private static bool TakesTurns(Tensor input) => input.device_type == DeviceType.CPU
        && input.dtype is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16;

    private static long[] Kind(Asked asked, Tensor input, Tensor weight, ConvolutionGeometry geometry, bool[] wanted) =>
    [
        (long)asked, (long)input.dtype, get_num_threads(), .. input.shape, .. input.stride(), .. weight.shape, .. weight.stride(),
        .. geometry.Stride, .. geometry.Padding, .. geometry.Dilation, geometry.Groups, .. wanted.Select(isWanted => isWanted ? 1L : 0L),
    ];
}
