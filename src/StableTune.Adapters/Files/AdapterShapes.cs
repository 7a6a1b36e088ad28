namespace StableTune.Adapters;

/// <summary>
/// The shapes that an adapter's tensors have here, of those that files have: programs differ in the dimensions of size 1. A linear layer
/// may have been a 1x1 convolution where the file was made, and the other way round.
/// </summary>
internal static class AdapterShapes
{
    /// <summary>The tensor that convolutions are decomposed by over their kernels; the other factors are then matrices.</summary>
    private const string Core = "lora_mid.weight";

    /// <summary>The shape to load a tensor in; the file's own where the numbers of elements do not agree.</summary>
    /// <param name="tensor">Its name within the adapter.</param>
    /// <param name="shape">Its shape in the file.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="module">The adapter that it belongs to.</param>
    public static IReadOnlyList<long> Fit(string tensor, IReadOnlyList<long> shape, LayerShape layer, AdapterFileModule module)
    {
        var wanted = (tensor, shape) switch
        {
            ("alpha", _) => [],
            _ when layer is NormShape => null,
            ("lora_down.weight", [var rank, ..]) => module.Tensors.ContainsKey(Core) ? Kernelled([rank, layer.InFeatures], layer)
                : [rank, .. layer.WeightShape[1..]],
            ("lora_up.weight", [var rows, var rank, ..]) => Kernelled([rows, rank], layer),
            ("lokr_w2", [var rows, var columns, ..]) when layer is LinearShape || IsPointwise(layer) => Kernelled([rows, columns], layer),
            ("dora_scale", _) => Magnitude(shape, layer, module.Naming is PeftNaming),
            ("diff", _) when WithoutOnes(shape).SequenceEqual(WithoutOnes(layer.WeightShape)) => layer.WeightShape,
            _ => (long[]?)null,
        };
        return wanted is not null && Count(wanted) == Count(shape) ? wanted : shape;
    }

    /// <summary>A matrix as the layer's weight has its dimensions.</summary>
    private static long[] Kernelled(long[] matrix, LayerShape layer) => layer is ConvolutionShape ? [.. matrix, 1, 1] : matrix;

    private static bool IsPointwise(LayerShape layer) => layer is ConvolutionShape { IsPointwise: true };

    /// <summary>
    /// [out, 1, ...] for norms of rows, [1, in, ...] for those of columns. PEFT's are of rows and have one dimension, or stand as
    /// [1, out, 1, 1].
    /// </summary>
    private static long[] Magnitude(IReadOnlyList<long> shape, LayerShape layer, bool isOfRows)
    {
        var ones = layer.WeightShape[2..].Select(_ => 1L);
        return isOfRows || shape is [_] or [_, 1, ..] ? [layer.OutFeatures, 1, .. ones] : [1, layer.InFeatures, .. ones];
    }

    private static IEnumerable<long> WithoutOnes(IReadOnlyList<long> shape) => shape.Where(size => size != 1);

    private static long Count(IReadOnlyList<long> shape) => shape.Aggregate(1L, (product, size) => product * size);
}
