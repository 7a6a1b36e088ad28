namespace StableTune.Benchmarks;

/// <summary>A layer at a shape that Stable Diffusion 1.5 has at 512x512 with one picture.</summary>
/// <param name="Name">What tables call it.</param>
/// <param name="Operations">Multiplications and additions of one call.</param>
/// <param name="Bytes">What has to be read and written at least: input, weights, output.</param>
/// <param name="Make">Makes the layer with its input, frozen as in a run; each call gives one output.</param>
public sealed record LayerCase(string Name, double Operations, double Bytes, Func<Func<Tensor>> Make)
{
    /// <summary>The product that shares of the peak are measured by: three large square matrices.</summary>
    public const string Peak = "peak: matrices of 2048x2048";

    private const int Float = sizeof(float);

    /// <summary>All of them; the peak first.</summary>
    public static IReadOnlyList<LayerCase> All { get; } =
    [
        Matrices(2048),
        Convolution(4, 320, 3, 64), Convolution(320, 320, 3, 64), Convolution(640, 640, 3, 32), Convolution(1280, 1280, 3, 16),
        Convolution(1280, 1280, 3, 8), Convolution(2560, 1280, 3, 16), Convolution(320, 320, 1, 64),
        Product(4096, 320, 320), Product(4096, 320, 2560), Product(1024, 640, 5120), Product(256, 1280, 10240), Product(77, 768, 3072),
        Product(16, 11520, 1280), Product(64, 1280, 1280),
        Product(16, 11520, 1280, isStored: true), Product(64, 1280, 1280, isStored: true),
        Attention(4096, 4096, 40), Attention(1024, 1024, 80), Attention(256, 256, 160), Attention(4096, 77, 40),
        Norm(320, 64), Norm(640, 32), Norm(1280, 16),
    ];

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static LayerCase Matrices(long side) => new(Peak, 2.0 * side * side * side, 3.0 * side * side * Float, () =>
    {
        // By the library that a run's frozen layers go to, as MKL is the slower one on some processors.
        var (a, b) = (randn(side, side), randn(side, side));
        return () => Products.Linear(a, b);
    });

    private static LayerCase Convolution(long input, long output, long kernel, long side) => new(
        $"convolution {kernel}x{kernel}, {input} to {output}, {side}x{side}", 2.0 * input * output * kernel * kernel * side * side,
        Float * (((input + output) * side * side) + (input * output * kernel * kernel)), () =>
        {
            var layer = Frozen(new Conv2d(input, output, kernel, padding: kernel / 2));
            var pixels = randn(1, input, side, side);
            return () => layer.call(pixels);
        });

    private static LayerCase Product(long rows, long input, long output, bool isStored = false) => new(
        $"linear, {rows} rows, {input} to {output}{(isStored ? ", bfloat16" : "")}", 2.0 * rows * input * output,
        (isStored ? Float / 2 : Float) * ((rows * (input + output)) + (input * output)), () =>
        {
            var layer = Frozen(new Linear(input, output));
            var states = randn(1, rows, input);
            if (!isStored) return () => layer.call(states);
            layer.to(ScalarType.BFloat16);
            var stored = states.to(ScalarType.BFloat16);
            return () => layer.call(stored);
        });

    private static LayerCase Attention(long queries, long keys, long width) => new(
        $"attention, {queries} to {keys} tokens, 8 heads of {width}", 4.0 * 8 * queries * keys * width,
        2.0 * Float * 8 * width * (queries + keys), () =>
        {
            var (query, key, value) = (randn(1, 8, queries, width), randn(1, 8, keys, width), randn(1, 8, keys, width));
            return () => nn.functional.scaled_dot_product_attention(query, key, value);
        });

    private static LayerCase Norm(long channels, long side) => new(
        $"group norm, {channels} channels, {side}x{side}", 8.0 * channels * side * side, 2.0 * Float * channels * side * side, () =>
        {
            var layer = Frozen(new GroupNorm(32, channels));
            var pixels = randn(1, channels, side, side);
            return () => layer.call(pixels);
        });

    private static T Frozen<T>(T layer) where T : nn.Module
    {
        foreach (var parameter in layer.parameters()) parameter.requires_grad = false;
        return layer;
    }
}
