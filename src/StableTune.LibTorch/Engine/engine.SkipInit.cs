using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

public static partial class engine
{
    [ThreadStatic] private static SkipInit? s_skipInit;

    /// <summary>
    /// Until disposed, modules that this thread creates leave their parameters uninitialised: for those that are loaded from a file
    /// right after, where drawing random weights takes longer than reading the real ones.
    /// </summary>
    /// <param name="device">
    /// Where parameters lie whose module is not told; null for the CPU. On <c>META</c> they have names, types and shapes, but take no memory however large they are:
    /// enough to compare a module with a file.
    /// </param>
    /// <param name="dtype">The type of parameters whose module is not told; null for float32.</param>
    public static IDisposable skip_init(Device? device = null, ScalarType? dtype = null) => new SkipInit(device, dtype);

    /// <summary>True while modules of this thread are to leave their parameters uninitialised.</summary>
    internal static bool InitIsSkipped => s_skipInit is not null;

    /// <summary>Where new parameters lie; null for the CPU.</summary>
    internal static Device? InitDevice => s_skipInit?.Device;

    /// <summary>The type of new parameters; null for float32.</summary>
    internal static ScalarType? InitType => s_skipInit?.Type;

    private sealed class SkipInit : IDisposable
    {
        private readonly SkipInit? _outer = s_skipInit;
        private bool _closed;

        internal SkipInit(Device? device, ScalarType? dtype)
        {
            (Device, Type) = (device, dtype);
            s_skipInit = this;
        }

        internal torch.Device? Device { get; }

        internal ScalarType? Type { get; }

        public void Dispose()
        {
            if (!_closed) s_skipInit = _outer;
            _closed = true;
        }
    }
}
