using System.Diagnostics;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Preparation;
using StableTune.Testing;

namespace StableTune.Loading;

/// <summary>Tagging of photographs from files to text files, beside the network alone on pictures that are prepared.</summary>
internal static class TaggingSpeed
{
    private const int Side = 448, Patch = 16, Width = 768, Blocks = 12, Tags = 9083;

    /// <summary>
    /// Writes a stand-in for the WD14 ViT tagger: the products of a ViT-B/16 on 448 x 448 pixels (784 places, 12 blocks with attention and
    /// two layers) and an output of 9083 tags. Its weights are random, and the same in each block, so that the file is small.
    /// </summary>
    public static void WriteModel(string folder)
    {
        Directory.CreateDirectory(folder);
        var model = new OnnxModelWriter().Input("input", OnnxType.Float, 0, Side, Side, 3);
        var scaled = model.Node("Mul", ["input", model.Weights([1 / 255f], 1)]);
        var planes = model.Node("Transpose", [scaled], null, ("perm", (int[])[0, 3, 1, 2]));
        var patches = model.Node("Conv", [planes, Random(model, Width, 3, Patch, Patch)], null, ("strides", (int[])[Patch, Patch]));
        const int places = Side / Patch * (Side / Patch);
        var flat = model.Node("Reshape", [patches, model.Weights([0L, Width, places], 3)]);
        var value = model.Node("Transpose", [flat], null, ("perm", (int[])[0, 2, 1]));
        string[] square = [.. Enumerable.Range(0, 4).Select(_ => Random(model, Width, Width))];
        var (up, down) = (Random(model, Width, 4 * Width), Random(model, 4 * Width, Width));
        for (var block = 0; block < Blocks; block++)
        {
            var (q, k, v) = (Product(value, square[0]), Product(value, square[1]), Product(value, square[2]));
            var likeness = Product(q, model.Node("Transpose", [k], null, ("perm", (int[])[0, 2, 1])));
            var mixed = Product(Product(model.Node("Softmax", [likeness], null, ("axis", -1)), v), square[3]);
            var sum = model.Node("Add", [value, mixed]);
            value = model.Node("Tanh", [model.Node("Add", [sum, Product(model.Node("Relu", [Product(sum, up)]), down)])]);
        }

        var features = model.Node("ReduceMean", [value], null, ("axes", (int[])[1]), ("keepdims", 0));
        var logits = model.Node("Gemm", [features, Random(model, Width, Tags), model.Weights(new float[Tags], Tags)]);
        model.Node("Sigmoid", [logits], "output");
        model.Output("output", OnnxType.Float, 0, Tags).Save(Path.Combine(folder, "model.onnx"));
        File.WriteAllText(Path.Combine(folder, "selected_tags.csv"), "name,category\n"
            + string.Concat(Enumerable.Range(0, Tags).Select(i => $"tag_{i},0\n")));

        string Product(string left, string right) => model.Node("MatMul", [left, right]);
    }

    /// <summary>Measures both by turns, so that a busy machine weighs on both.</summary>
    public static void Run(string model, string images, int batch, int turns)
    {
        using var tagger = new WdTaggerOptions { Model = model }.Load();
        var files = Directory.GetFiles(images, "*.jpg").Order(StringComparer.Ordinal).ToArray();
        PixelImage[] prepared = [.. files.Select(file => tagger.Prepare(ImageFile.Load(file)))];
        tagger.Tag(prepared[..batch], default);
        var (alone, whole) = (default(Cost), default(Cost));
        for (var turn = 0; turn < turns; turn++)
        {
            alone += Measured("the network alone", () =>
            {
                foreach (var part in prepared.Chunk(batch)) tagger.Tag(part, default);
            });
            whole += Measured("from files to tags", () => ImageTagging.Run(new TaggingOptions
            {
                ImageFolder = images, BatchSize = batch, Existing = ExistingText.Overwrite, Selection = new() { Threshold = 0.6f },
            }, tagger));
        }

        Console.WriteLine($"batches of {batch}: {turns * files.Length / alone.Seconds:F3} images/s alone, "
            + $"{turns * files.Length / whole.Seconds:F3} from files to tags: {alone.Seconds / whole.Seconds:F3} of it; processors "
            + $"{alone.Processors / turns / files.Length:F2} and {whole.Processors / turns / files.Length:F2} s an image");

        Cost Measured(string what, Action work)
        {
            var (watch, before) = (Stopwatch.StartNew(), Process.GetCurrentProcess().TotalProcessorTime);
            work();
            var cpu = Process.GetCurrentProcess().TotalProcessorTime - before;
            Console.WriteLine($"  {what}: {files.Length / watch.Elapsed.TotalSeconds:F3} images/s, "
                + $"{cpu.TotalSeconds / files.Length:F2} s of processors an image");
            return new(watch.Elapsed.TotalSeconds, cpu.TotalSeconds);
        }
    }

    /// <summary>What work took.</summary>
    private readonly record struct Cost(double Seconds, double Processors)
    {
        public static Cost operator +(Cost a, Cost b) => new(a.Seconds + b.Seconds, a.Processors + b.Processors);
    }

    private static string Random(OnnxModelWriter model, params long[] shape)
    {
        var (random, values) = (new Random(1), new float[shape.Aggregate(1L, (product, side) => product * side)]);
        var scale = 1 / MathF.Sqrt(values.Length / shape[^1]);
        for (var i = 0; i < values.Length; i++) values[i] = ((float)random.NextDouble() - 0.5f) * scale;
        return model.Weights(values, shape);
    }
}
