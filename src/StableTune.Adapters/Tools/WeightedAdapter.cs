namespace StableTune.Adapters;

/// <summary>An adapter file and how much of it is taken.</summary>
/// <param name="Path">A LoRA file.</param>
/// <param name="Ratio">The factor of its weight change: 1 as trained, 0 nothing, negative the opposite.</param>
public sealed record WeightedAdapter(string Path, double Ratio = 1)
{
    /// <summary>
    /// Further factors by blocks of the UNet, 12, 17, 20 or 26 numbers as <see cref="SvdMerger"/> explains; null for none.
    /// </summary>
    public IReadOnlyList<double>? BlockWeights { get; init; }

    /// <summary>A path is an adapter that is taken as it is.</summary>
    /// <param name="path">A LoRA file.</param>
    public static implicit operator WeightedAdapter(string path) => new(path);
}

/// <summary>An adapter file that a tool wrote.</summary>
/// <param name="Path">The file.</param>
/// <param name="Layers">How many layers it changes.</param>
/// <param name="Ranks">The smallest and the largest rank in it.</param>
/// <param name="Notes">What the user should know, such as layers that only some of the files have; usually empty.</param>
public sealed record SavedAdapter(string Path, int Layers, (int Least, int Most) Ranks, IReadOnlyList<string> Notes);
