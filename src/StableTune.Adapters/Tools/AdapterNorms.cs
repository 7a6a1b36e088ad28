using System.Globalization;
using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>How strong one layer of an adapter is.</summary>
/// <param name="Name">The adapter's name: <c>lora_unet_mid_block_attentions_0_proj_in</c>.</param>
/// <param name="Part">The part of the model, as names in files say it: <c>unet</c>, <c>te</c>, <c>te1</c>, <c>te2</c>.</param>
/// <param name="Block">The UNet's block as <see cref="AdaptedLayer.Block"/> counts; null outside of blocks.</param>
/// <param name="Rank">The rank; null for kinds other than LoRA.</param>
/// <param name="Alpha">The alpha; null for kinds other than LoRA.</param>
/// <param name="DeltaNorm">The Frobenius norm of ΔW, alpha and rank included; null for kinds other than LoRA.</param>
/// <param name="MeanAbsolute">The mean absolute value of its weights, alpha aside.</param>
/// <param name="LargestAbsolute">The largest absolute value of its weights.</param>
public sealed record LayerNorms(
    string Name, string Part, int? Block, int? Rank, double? Alpha, double? DeltaNorm, double MeanAbsolute, double LargestAbsolute)
{
    /// <summary>Its block's name, with the part: "unet 12", "te".</summary>
    public string BlockName => Block is { } number ? string.Create(CultureInfo.InvariantCulture, $"{Part} {number}") : Part;

    /// <summary>The layer within its block, <c>attn1_to_q</c> for instance: the name from the last number on.</summary>
    public string Kind
    {
        get
        {
            var words = Name.Split('_');
            var number = Array.FindLastIndex(words, words.Length - 2, word => word.All(char.IsAsciiDigit));
            // to_out_0 and net_0_proj have numbers of their own.
            while (number > 0 && words[number - 1] is "out" or "net")
                number = Array.FindLastIndex(words, number - 1, word => word.All(char.IsAsciiDigit));
            return string.Join('_', words[(number + 1)..]);
        }
    }
}

/// <summary>What an adapter's weights are like, layer by layer and block by block (sd-scripts' <c>check_lora_weights</c>, and more). See
/// <c>docs/adapter-tools.md</c>.</summary>
/// <param name="Path">The file.</param>
/// <param name="Layers">Its layers, in the order of the file.</param>
public sealed record AdapterNorms(string Path, IReadOnlyList<LayerNorms> Layers)
{
    /// <summary>Names of blocks ("unet 12", "te") with the Frobenius norms of all their changes together, in the order of the
    /// blocks.</summary>
    public IReadOnlyList<(string Block, int Layers, double Norm)> Blocks =>
    [
        .. Layers.Where(layer => layer.DeltaNorm is not null).GroupBy(layer => (layer.Part, layer.Block))
            .OrderBy(group => group.Key.Part, StringComparer.Ordinal).ThenBy(group => group.Key.Block ?? -1)
            .Select(group => (group.First().BlockName, group.Count(),
                Math.Sqrt(group.Sum(layer => layer.DeltaNorm!.Value * layer.DeltaNorm.Value)))),
    ];

    /// <summary>Measures an adapter file of any kind; the change of the weight is computed for LoRA.</summary>
    /// <param name="path">The file.</param>
    /// <param name="progress">Told how far it is, in layers; null for nobody.</param>
    /// <param name="cancellationToken">Looked at before each layer.</param>
    /// <exception cref="InvalidFileException">The file cannot be read, or is no adapter file.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static AdapterNorms Measure(
        string path, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var file = WeightFile.Open(path);
        var groups = file.Tensors.Where(info => info.Name.Contains('.', StringComparison.Ordinal))
            .GroupBy(info => info.Name.Split('.', 2)[0]).Where(group => group.Key.Split('_').Length > 2).ToList();
        if (groups.Count == 0)
            throw new InvalidFileException(path, "it holds no adapter.", "Give a file with names like lora_unet_....lora_down.weight.");
        var layers = new List<LayerNorms>();
        foreach (var group in groups)
        {
            cancellationToken.ThrowIfCancellationRequested();
            layers.Add(Measure(file, group.Key, group.ToDictionary(info => info.Name[(group.Key.Length + 1)..], StringComparer.Ordinal)));
            progress?.Report(new WorkProgress { Stage = "measuring", Done = layers.Count, Total = groups.Count, Item = group.Key });
        }

        return new AdapterNorms(path, layers);
    }

    /// <summary>Two tables: blocks, and layers.</summary>
    public override string ToString()
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        if (Blocks.Count > 0) text.WriteLine($"{"block",-12} {"layers",6}  {"norm",12}");
        foreach (var (block, count, norm) in Blocks)
            text.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{block,-12} {count,6}  {norm,12:G6}"));
        if (Blocks.Count > 0) text.WriteLine();
        var width = Math.Max(5, Layers.Max(layer => layer.Name.Length));
        text.WriteLine($"{"layer".PadRight(width)}  {"rank",5} {"alpha",8}  {"norm",12}  {"mean |w|",12}  {"max |w|",12}");
        foreach (var layer in Layers)
            text.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{layer.Name.PadRight(width)}  {layer.Rank,5} {layer.Alpha,8:G5}  {layer.DeltaNorm,12:G6}  {layer.MeanAbsolute,12:G6}"
                + $"  {layer.LargestAbsolute,12:G6}"));
        return text.ToString().TrimEnd();
    }

    private static LayerNorms Measure(WeightFile file, string name, Dictionary<string, TensorInfo> tensors)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var weights = tensors.Where(entry => entry.Key != "alpha" && entry.Value.ElementCount > 0)
            .ToDictionary(entry => entry.Key, entry => file.Load(entry.Value.Name, ScalarType.Float32).abs(), StringComparer.Ordinal);
        var count = Math.Max(1, weights.Values.Sum(weight => weight.numel()));
        var mean = weights.Values.Sum(weight => weight.sum(ScalarType.Float64).item<double>()) / count;
        var largest = weights.Values.Select(weight => (double)weight.max().item<float>()).DefaultIfEmpty(0).Max();
        var words = name.Split('_', 3);
        var block = words[1] == "unet" ? UNetBlocks.IndexOf(words[2]) : null;
        var module = new AdapterModule(file, name, tensors);
        if (tensors.Count > 3 || !weights.ContainsKey("lora_down.weight") || !weights.ContainsKey("lora_up.weight"))
            return new LayerNorms(name, words[1], block, null, module.Alpha, null, mean, largest);
        new LoRAFormat().OptionsFor(module);                                                 // looks whether the shapes fit
        var (down, up) = (tensors["lora_down.weight"], tensors["lora_up.weight"]);
        var alpha = module.Alpha is > 0 and var told ? told : down.Shape[0];
        return new LayerNorms(name, words[1], block, (int)down.Shape[0], alpha,
            alpha / down.Shape[0] * ProductNorm(file.Load(up.Name, ScalarType.Float64), file.Load(down.Name, ScalarType.Float64)), mean,
            largest);
    }

    /// <summary>‖UD‖ = √tr(UᵀU · DDᵀ), without the product itself.</summary>
    private static double ProductNorm(Tensor up, Tensor down)
    {
        var (left, right) = (up.flatten(1), down.flatten(1));
        return Math.Sqrt(Math.Max(0, (left.t().mm(left) * right.mm(right.t())).sum().item<double>()));
    }
}
