namespace StableTune.LibTorch;

public static partial class engine
{
    [ThreadStatic] private static int s_skipInit;

    /// <summary>
    /// Until disposed, modules that this thread creates leave their parameters uninitialised: for those that are loaded from a file
    /// right after, where drawing random weights takes longer than reading the real ones.
    /// </summary>
    public static IDisposable skip_init() => new SkipInit();

    /// <summary>True while modules of this thread are to leave their parameters uninitialised.</summary>
    internal static bool InitIsSkipped => s_skipInit > 0;

    private sealed class SkipInit : IDisposable
    {
        private bool _closed;

        internal SkipInit() => s_skipInit++;

        public void Dispose()
        {
            if (!_closed) s_skipInit--;
            _closed = true;
        }
    }
}
