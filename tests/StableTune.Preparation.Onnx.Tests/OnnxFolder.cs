namespace StableTune.Preparation.Onnx.Tests;

/// <summary>Pictures and models in a temporary folder.</summary>
internal sealed class OnnxFolder : IDisposable
{
    internal const int Blue = 0x0000FF, Green = 0x00FF00, Red = 0xFF0000;

    private readonly TemporaryFolder _folder = new();

    internal string Images => _folder.Folder("images");

    public void Dispose() => _folder.Dispose();

    internal string File(params string[] parts) => _folder.File(parts);

    internal string Folder(string name) => _folder.Folder(name);

    /// <summary>A picture of one colour.</summary>
    internal static PixelImage Plain(int colour, int width = 8, int height = 8) =>
        new Canvas(width, height, PixelColor.FromRgb(colour)).Image;

    /// <summary>A picture of noise.</summary>
    internal static PixelImage Noise(int width, int height, int seed = 1)
    {
        var image = new PixelImage(width, height);
        new Random(seed).NextBytes(image.Pixels);
        return image;
    }

    /// <summary>Writes a picture among the images.</summary>
    internal string Write(string name, PixelImage image)
    {
        var path = Path.Combine(Images, name);
        ImageFile.SavePng(path, image);
        return path;
    }

    /// <summary>A model that gives the numbers of the picture as they come: what it was shown.</summary>
    internal string Echo(string name, bool channelsLast, int side, OnnxType type = OnnxType.Float,
        Func<OnnxModelWriter, string>? first = null, int tags = 0)
    {
        Folder(name);
        var model = new OnnxModelWriter();
        if (channelsLast) model.Input("x", type, 0, side, side, 3);
        else model.Input("x", type, 0, 3, side, side);
        var value = first?.Invoke(model) ?? "x";
        if (type == OnnxType.UInt8) value = model.Node("Cast", [value], null, ("to", (int)OnnxType.Float));
        model.Node("Flatten", [value], "y");
        model.Output("y", type == OnnxType.UInt8 ? OnnxType.Float : type, 0, tags);
        System.IO.File.WriteAllText(_folder.File(name, "selected_tags.csv"), Table(3 * side * side));
        System.IO.File.WriteAllLines(_folder.File(name, "tags.txt"), Enumerable.Range(0, 3 * side * side).Select(i => $"t{i}"));
        return model.Save(_folder.File(name, "model.onnx"));
    }

    internal static string Table(int tags) => "tag_id,name,category,count\n"
        + string.Concat(Enumerable.Range(0, tags).Select(i => $"{i},t{i},0,1\n"));
}
