namespace StableTune.Torch;

/// <summary>
/// In which pass of a checkpoint this thread is. A parameter that is used in a checkpoint is used once, though it is read twice: counted is
/// the first pass, which records nothing.
/// </summary>
internal static class CheckpointPass
{
    [ThreadStatic] private static int s_first, s_second;

    /// <summary>Whether what is read now counts as a use that a gradient will come back from.</summary>
    internal static bool IsCounted => s_second == 0 && (s_first > 0 || is_grad_enabled());

    /// <summary>The first pass of a checkpoint of which gradients are recorded, until disposed.</summary>
    internal static First BeginFirst() => new(1);

    /// <summary>The second pass, until disposed.</summary>
    internal static Second BeginSecond() => new(1);

    internal readonly ref struct First
    {
        private readonly int _depth;

        internal First(int depth) => s_first += _depth = depth;

        public void Dispose() => s_first -= _depth;
    }

    internal readonly ref struct Second
    {
        private readonly int _depth;

        internal Second(int depth) => s_second += _depth = depth;

        public void Dispose() => s_second -= _depth;
    }
}
