namespace StableTune.LibTorch;

public static partial class engine
{
    /// <summary>
    /// Lets the process keep the memory that tensors free, for the next tensors, instead of handing it back to the system and
    /// fetching it anew page by page. For the whole process and all threads; call it once before a long computation on the CPU.
    /// </summary>
    /// <returns>False when the C library has no such switch (it is glibc's); then nothing changes.</returns>
    /// <remarks>
    /// Three transformer blocks with convolutions at 32x32x320, float32, forward and backward, took 0.45 instead of 0.70 to 0.90
    /// processor seconds, because 110,000 page faults disappeared; the peak of memory grew by a tenth.
    /// </remarks>
    public static bool keep_freed_memory() => Native.st_keep_freed_memory() != 0;

    /// <summary>Hands back to the system what <see cref="keep_freed_memory"/> kept and nobody uses any more.</summary>
    /// <returns>Whether there was something to hand back.</returns>
    public static bool release_freed_memory() => Native.st_release_freed_memory() != 0;
}
