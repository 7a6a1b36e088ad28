namespace StableTune.Adapters;

/// <summary>A frozen layer of a model, at its place there, as an adapter sees it.</summary>
public sealed class AdaptedLayer
{
    /// <summary>Describes a layer.</summary>
    /// <param name="name">What files call its adapter: <c>lora_unet_down_blocks_0_attentions_0_proj_in</c>.</param>
    /// <param name="path">Its dotted path below its part of the model: <c>down_blocks.0.attentions.0.proj_in</c>.</param>
    /// <param name="part">The part of the model that it lies in; one of them.</param>
    /// <param name="module">The layer itself, of this library or of TorchSharp. Not owned.</param>
    /// <exception cref="ArgumentException">The module is no layer that can be adapted, see <see cref="LayerShape.Of"/>.</exception>
    public AdaptedLayer(string name, string path, AdapterParts part, nn.Module<Tensor, Tensor> module)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(module);
        (Name, Path, Part, Module) = (name, path, part, module);
        Shape = LayerShape.Of(module) ?? throw new ArgumentException(
            $"'{path}' is a {module.GetType().Name}, which adapters cannot change: " +
            "give a linear layer, a convolution or a norm with factors.", nameof(module));
    }

    /// <summary>What files call the layer's adapter: <c>lora_unet_down_blocks_0_attentions_0_proj_in</c>.</summary>
    public string Name { get; }

    /// <summary>
    /// Another name that files may have for the layer's adapter, understood when they are read: with the path of the module where
    /// <see cref="Name"/> has that of single-file checkpoints (SDXL). Null for none.
    /// </summary>
    public string? OtherName { get; init; }

    /// <summary>The layer's dotted path below its part of the model: <c>down_blocks.0.attentions.0.proj_in</c>.</summary>
    public string Path { get; }

    /// <summary>The path that <see cref="Name"/> is made of.</summary>
    internal string FilePath { get => field ?? Path; init; }

    /// <summary>Further paths that files may have for the layer.</summary>
    internal IReadOnlyList<string> OtherPaths { get; init; } = [];

    /// <summary>What the name begins with, see <see cref="AdapterOptions.KeyPrefix"/>; null where the name was given.</summary>
    internal string? Kind { get; init; }

    /// <summary>The path with the part in front, as <see cref="LayerSelection.Include"/> sees it:
    /// <c>unet.down_blocks.0.attentions.0.proj_in</c>. Text encoders are <c>text_encoder</c> and <c>text_encoder_2</c>.</summary>
    public string FullPath => $"{Prefix(Part)}.{Path}";

    /// <summary>The part of the model that the layer lies in.</summary>
    public AdapterParts Part { get; }

    /// <summary>
    /// The block of the UNet, counted as sd-scripts does: 0 to 24 in SD 1.x and 2.x (down 1 to 11, middle 12, up 13 to 24), 0 to 22 in SDXL
    /// (input blocks 1 to 9, middle 10 to 12, output blocks 13 to 21). Null outside of blocks and in text encoders.
    /// </summary>
    public int? Block { get; init; }

    /// <summary>
    /// The classes of the modules that the layer lies in, outermost first: the names of their types, and what they call themselves
    /// (<c>GetName()</c>) where that differs.
    /// </summary>
    public IReadOnlyList<string> Classes { get; init; } = [];

    /// <summary>What the layer computes with its weight.</summary>
    public LayerShape Shape { get; }

    /// <summary>Whether the layer is a convolution with a kernel larger than 1x1.</summary>
    public bool IsWindowed => Shape is ConvolutionShape { IsPointwise: false };

    /// <summary>The layer itself. Not owned.</summary>
    public nn.Module<Tensor, Tensor> Module { get; }

    /// <summary>
    /// The frozen weight, of <see cref="LayerShape.WeightShape"/>, in the model's type. Asked of the module each time: it may be exchanged.
    /// Of a weight that is held in fewer bits it says shape, type and device alone: <see cref="Values"/> has its numbers.
    /// </summary>
    public Parameter Weight => Module.get_parameter("weight")!;

    /// <summary>Whether the frozen weight is held in fewer bits and made again where it is used.</summary>
    public bool IsQuantized => Module is ProductLayer { Quantized: not null };

    /// <summary>The numbers of the frozen weight, in the model's type: the weight itself, or made of its codes, in the open dispose
    /// scope.</summary>
    public Tensor Values() => Module is ProductLayer { Quantized: { } codes } ? codes.Dequantize(Weight.dtype) : Weight;

    /// <summary>The frozen bias; null where the layer has none.</summary>
    public Parameter? Bias => Module.get_parameter("bias");

    /// <summary>Whether names of a kind are the layer's; with null, names that say no kind.</summary>
    internal bool IsNamedBy(string? kind) => kind is null || Kind is null || Kind == kind;

    /// <summary>For messages: "unet.mid_block.attentions.0.proj_in (Linear 320 to 320)".</summary>
    public override string ToString() => $"{FullPath} ({Shape})";

    private static string Prefix(AdapterParts part) => part switch
    {
        AdapterParts.TextEncoder1 => "text_encoder",
        AdapterParts.TextEncoder2 => "text_encoder_2",
        _ => "unet",
    };
}
