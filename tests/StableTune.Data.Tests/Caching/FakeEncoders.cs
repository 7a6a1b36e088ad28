using StableTune.Tensors;

namespace StableTune.Data.Tests;

/// <summary>Means over squares of eight pixels; the fourth channel repeats the first.</summary>
internal sealed class SquareVae : ILatentEncoder
{
    /// <summary>A hash for identities, which are 32 bytes.</summary>
    internal static string HashOf(string name) =>
        Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(name)));

    internal int Images { get; private set; }

    internal float LogVariance { get; init; } = -2;

    public VaeIdentity Identity { get; init; } = new(0.5) { Hash = HashOf("vae") };

    public double ScalingFactor => Identity.ScalingFactor;

    public LatentDistribution Encode(Tensor pixels)
    {
        Images += (int)pixels.size(0);
        var means = pixels.reshape(pixels.size(0), 3, pixels.size(2) / 8, 8, pixels.size(3) / 8, 8).mean([3, 5]);
        var mean = cat([means, means.narrow(1, 0, 1)], 1);
        return new(mean, full_like(mean, LogVariance));
    }
}

/// <summary>Features that tell captions apart: [77, width] values from the caption's hash, and some of them as pooled output.</summary>
internal sealed class LetterClip(TextIdentity identity) : ITextEncoder
{
    internal List<string> Seen { get; } = [];

    public TextIdentity Identity => identity;

    public TextConditions Encode(IReadOnlyList<string> captions)
    {
        Seen.AddRange(captions);
        const int width = 36;
        var values = captions.SelectMany(caption =>
            Enumerable.Range(0, identity.Tokens * width).Select(i => (float)((caption.Sum(letter => letter) * 31) + i))).ToArray();
        var pooled = captions.SelectMany(caption => Enumerable.Range(0, 20).Select(i => (float)(caption.Length + i))).ToArray();
        return new(tensor(values).reshape(captions.Count, identity.Tokens, width),
            identity.IsSdxl ? tensor(pooled).reshape(captions.Count, 20) : null);
    }
}

/// <summary>Items as they are given.</summary>
internal sealed class GivenItems(params DatasetItem[] items) : IDatasetSource
{
    public IEnumerable<DatasetItem> Items() => items;
}
