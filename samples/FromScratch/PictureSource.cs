using StableTune.Data;
using StableTune.Imaging;
using StableTune.Samples.World;

namespace StableTune.Samples;

/// <summary>Drawn pictures, held in memory.</summary>
internal sealed class PictureSource(string name, IReadOnlyList<DatasetItem> items) : IDatasetSource
{
    public string Name => name;

    public IEnumerable<DatasetItem> Items() => items;

    /// <summary>Scenes with their captions. Scenes that are held out are not among them.</summary>
    internal static PictureSource Scenes(int count, int seed)
    {
        var random = new Random(seed);
        List<DatasetItem> items = [];
        while (items.Count < count)
        {
            var scene = Scene.Draw(random);
            if (!scene.IsHeldOut) items.Add(Item("scene", items.Count, scene.Paint(random), scene.Caption));
        }

        return new PictureSource("scenes", items);
    }

    /// <summary>Pictures for the VAE: as many scenes as confetti.</summary>
    internal static PictureSource Mixed(int count, int seed)
    {
        var random = new Random(seed);
        return new PictureSource("scenes and confetti", [.. Enumerable.Range(0, count).Select(i =>
            Item("picture", i, i % 2 == 0 ? Scene.Draw(random).Paint(random) : Confetti.Paint(random), ""))]);
    }

    private static DatasetItem Item(string kind, int number, PixelImage image, string caption) =>
        new(HostImage.FromPixels($"{kind} {number}", image), caption);
}
