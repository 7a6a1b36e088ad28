using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>A LoRA or LoCon file open for the tools: its layers, without their weights.</summary>
internal sealed class LoRAFile : IDisposable
{
    private static readonly LoRAFormat Format = new();

    private readonly WeightFile _file;

    private LoRAFile(WeightFile file, IReadOnlyList<LoRALayer> layers) => (_file, Layers) = (file, layers);

    /// <summary>The file.</summary>
    public string Path => _file.Path;

    /// <summary>The free texts of the header.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _file.Metadata;

    /// <summary>The layers, in the order of the file.</summary>
    public IReadOnlyList<LoRALayer> Layers { get; }

    /// <summary>What the metadata call the base model; null when they don't say.</summary>
    public string? BaseModel => Metadata.GetValueOrDefault("ss_base_model_version");

    /// <summary>The largest rank of its layers.</summary>
    public int LargestRank => Layers.Max(layer => layer.Rank);

    /// <summary>Opens a file.</summary>
    /// <exception cref="InvalidFileException">It cannot be read, or holds anything but LoRA layers; the message says what.</exception>
    public static LoRAFile Open(string path)
    {
        var file = WeightFile.Open(path);
        try
        {
            return new LoRAFile(file, ReadLayers(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private static List<LoRALayer> ReadLayers(WeightFile file)
    {
        var layers = new List<LoRALayer>();
        foreach (var group in file.Tensors.GroupBy(info => info.Name.Split('.', 2)[0]))
        {
            var tensors = group.ToDictionary(
                info => info.Name.Length > group.Key.Length ? info.Name[(group.Key.Length + 1)..] : "", StringComparer.Ordinal);
            if (tensors.Keys.FirstOrDefault(name => !Format.IsKnown(name)) is { } strange)
                throw NotThis(file, tensors[strange].Name, strange);
            var module = new AdapterModule(file, group.Key, tensors);
            if (!Format.Required.All(tensors.ContainsKey))
                throw module.Fault($"has only {string.Join(", ", tensors.Keys)}",
                    $"It needs {string.Join(", ", Format.Required)}: the file is incomplete, save it again.");
            Format.OptionsFor(module);                                                       // looks whether the shapes fit
            var (down, up) = (tensors["lora_down.weight"], tensors["lora_up.weight"]);
            var alpha = module.Alpha is > 0 and var told ? told : down.Shape[0];
            layers.Add(new LoRALayer(file, group.Key, down, up, alpha));
        }

        return layers.Count > 0 ? layers : throw NotThis(file, null, "");
    }

    private static InvalidFileException NotThis(WeightFile file, string? strange, string part)
    {
        var row = AdapterFormats.Others.FirstOrDefault(row => strange?.Contains(row.Sign, StringComparison.Ordinal) == true);
        var kind = AdapterFormats.Default.All.FirstOrDefault(format => format.IsKnown(part))?.Name;
        var fault = strange is null ? "it holds no tensors."
            : row.Name is not null ? $"this is {row.Name}: it holds '{strange}'."
            : kind is not null ? $"it holds adapters of the kind {kind}: '{strange}'."
            : $"it holds '{strange}', which is no part of a LoRA.";
        return new InvalidFileException(file.Path, fault,
            "This tool works on LoRA and LoCon files with names like lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight; "
            + "other kinds can be merged into a model.");
    }
}

/// <summary>One layer of a LoRA file: ΔW = alpha / rank · up · down.</summary>
/// <param name="File">The file, open.</param>
/// <param name="Name">The adapter's name: <c>lora_unet_down_blocks_0_attentions_0_proj_in</c>.</param>
/// <param name="Down">Type and shape of [rank, in] or [rank, in, kh, kw].</param>
/// <param name="Up">Type and shape of [out, rank] or [out, rank, 1, 1].</param>
/// <param name="Alpha">The alpha, above 0.</param>
internal sealed record LoRALayer(WeightFile File, string Name, TensorInfo Down, TensorInfo Up, float Alpha)
{
    /// <summary>The rank.</summary>
    public int Rank => (int)Down.Shape[0];

    /// <summary>The factor of up · down.</summary>
    public double Scale => (double)Alpha / Rank;

    /// <summary>The shape of the adapted weight: [out, in] or [out, in, kh, kw].</summary>
    public LoRAShape Shape => new([Up.Shape[0], .. Down.Shape.Skip(1)]);

    /// <summary>The down factor, [rank, in] or [rank, in, kh, kw].</summary>
    /// <exception cref="InvalidFileException">It holds NaN or infinite numbers.</exception>
    public Tensor LoadDown(ScalarType type, Device? device = null) => Load(Down, type, device);

    /// <summary>The up factor, [out, rank] or [out, rank, 1, 1].</summary>
    /// <exception cref="InvalidFileException">It holds NaN or infinite numbers.</exception>
    public Tensor LoadUp(ScalarType type, Device? device = null) => Load(Up, type, device);

    private Tensor Load(TensorInfo info, ScalarType type, Device? device)
    {
        using var scope = NewDisposeScope();
        return File.LoadFinite(info, type, device).MoveToOuterDisposeScope();
    }
}

/// <summary>The shape of a weight that a LoRA changes.</summary>
/// <param name="Sizes">[out, in] or [out, in, kh, kw].</param>
internal readonly record struct LoRAShape(long[] Sizes)
{
    /// <summary>Outputs.</summary>
    public long Out => Sizes[0];

    /// <summary>Inputs, times the kernel's elements.</summary>
    public long In => Sizes[1..].Aggregate(1L, (product, size) => product * size);

    /// <summary>Whether it is a convolution, of whatever kernel.</summary>
    public bool IsConvolution => Sizes.Length == 4;

    /// <summary>Whether it is a convolution with a kernel larger than 1x1.</summary>
    public bool HasKernel => IsConvolution && (Sizes[2] > 1 || Sizes[3] > 1);

    /// <summary>The shape of a down factor.</summary>
    public long[] Down(long rank) => [rank, .. Sizes[1..]];

    /// <summary>The shape of an up factor.</summary>
    public long[] Up(long rank) => IsConvolution ? [Out, rank, 1, 1] : [Out, rank];

    /// <summary>Whether two shapes are the same.</summary>
    public bool Equals(LoRAShape other) => Sizes.SequenceEqual(other.Sizes);

    /// <inheritdoc/>
    public override int GetHashCode() => Sizes.Aggregate(17, HashCode.Combine);

    /// <summary>For messages: [320, 320, 3, 3].</summary>
    public override string ToString() => $"[{string.Join(", ", Sizes)}]";
}
