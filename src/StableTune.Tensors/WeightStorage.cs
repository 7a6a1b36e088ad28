namespace StableTune.Tensors;

/// <summary>Where the numbers of loaded weights lie.</summary>
public enum WeightStorage
{
    /// <summary>As <see cref="Mapped"/> on Linux and macOS, as <see cref="Copied"/> on Windows, which does not let a mapped file be
    /// replaced. A training run on a CPU copies the weights that it loads, where there is room.</summary>
    Automatic,

    /// <summary>In memory of the process: read from the file, after which the file is not needed any more.</summary>
    Copied,

    /// <summary>
    /// In the mapped file, without copying, where the stored type is the wanted one; otherwise as <see cref="Copied"/>.
    /// Loading takes no time, the system reads pages when they are first used and may drop them again when memory is short;
    /// several processes share them. Changing such weights changes private pages, never the file. The file must not be
    /// shortened while they live.
    /// </summary>
    Mapped,
}
