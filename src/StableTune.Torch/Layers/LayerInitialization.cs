namespace StableTune.Torch;

/// <summary>How the parameters of new layers come to be: drawn as PyTorch draws them, or left uninitialised for weights that are loaded
/// right after.</summary>
public static class LayerInitialization
{
    [ThreadStatic] private static Skipped? s_skipped;

    /// <summary>
    /// Until disposed, layers that this thread creates leave their parameters uninitialised: drawing random weights takes longer than
    /// reading the real ones.
    /// </summary>
    /// <param name="device">
    /// Where parameters lie; null for the CPU. On <c>META</c> they have names, types and shapes but take no memory: enough to compare a
    /// module with a file.
    /// </param>
    /// <param name="dtype">The type of floating-point parameters; null for float32.</param>
    public static IDisposable Skip(Device? device = null, ScalarType? dtype = null) => new Skipped(device, dtype, hasMemory: true);

    /// <summary>
    /// Until disposed, layers that this thread creates have parameters of their names, types and shapes on the CPU that take no memory:
    /// they are given some by
    /// <see cref="LayerParameters.SetData"/> before they are used.
    /// </summary>
    /// <param name="dtype">The type of floating-point parameters; null for float32.</param>
    public static IDisposable WithoutMemory(ScalarType? dtype = null) => new Skipped(null, dtype, hasMemory: false);

    /// <summary>A parameter that stands outside all dispose scopes.</summary>
    /// <param name="data">The values; taken over, and not to be used again.</param>
    /// <param name="requiresGrad">Whether a gradient is wanted.</param>
    public static Parameter NewParameter(Tensor data, bool requiresGrad = true)
    {
        ArgumentNullException.ThrowIfNull(data);
        data.DetachFromDisposeScope();
        TensorCount.ParameterMade();
        return new Parameter(data, requiresGrad);
    }

    /// <summary>A parameter without defined values.</summary>
    internal static Parameter Uninitialized(params long[] shape)
    {
        var type = s_skipped?.Type ?? ScalarType.Float32;
        if (s_skipped is not { HasMemory: false }) return NewParameter(empty(shape, dtype: type, device: s_skipped?.Device));
        using var one = empty(1, dtype: type);
        return NewParameter(one.expand(shape));
    }

    /// <summary>A parameter with one value everywhere, or undefined where initialisation is skipped.</summary>
    internal static Parameter Filled(double value, params long[] shape)
    {
        var parameter = Uninitialized(shape);
        if (s_skipped is null) nn.init.constant_(parameter, value);
        return parameter;
    }

    /// <summary>PyTorch's default for linear layers and convolutions: weight and bias uniform within ±1/√fan-in, drawn in this
    /// order.</summary>
    internal static void Draw(Parameter weight, Parameter? bias)
    {
        if (s_skipped is not null) return;
        using var frozen = no_grad();
        var bound = 1 / Math.Sqrt(weight.shape.Skip(1).Aggregate(1L, (product, n) => product * n));
        weight.uniform_(-bound, bound);
        bias?.uniform_(-bound, bound);
    }

    /// <summary>PyTorch's default for embeddings: the standard normal distribution, and zeros in the row for padding.</summary>
    internal static void DrawNormal(Parameter weight, long? paddingRow)
    {
        if (s_skipped is not null) return;
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        weight.normal_();
        if (paddingRow is { } row) weight.select(0L, row).zero_();
    }

    private sealed class Skipped : IDisposable
    {
        private readonly Skipped? _outer = s_skipped;
        private bool _closed;

        internal Skipped(Device? device, ScalarType? type, bool hasMemory)
        {
            (Device, Type, HasMemory) = (device, type, hasMemory);
            s_skipped = this;
        }

        internal Device? Device { get; }

        internal ScalarType? Type { get; }

        internal bool HasMemory { get; }

        public void Dispose()
        {
            if (!_closed) s_skipped = _outer;
            _closed = true;
        }
    }
}
