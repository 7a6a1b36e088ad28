namespace StableTune.Adapters;

/// <summary>
/// How a program names the tensors of adapter files. A scheme reads names into what they mean; one that can be written gives the names too.
/// Schemes are stateless, and a host adds its own by <see cref="AdapterNamings.With"/>.
/// </summary>
/// <param name="Name">Whose names they are, for messages: "sd-scripts", "PEFT".</param>
public abstract record AdapterNaming(string Name)
{
    /// <summary>Reads the name of a tensor.</summary>
    /// <param name="name">The name in the file: <c>unet.mid_block.attentions.0.proj_in.lora_A.weight</c>.</param>
    /// <param name="tensors">What tensors are called within an adapter, over all kinds that are known: <c>lora_down.weight</c>,
    /// <c>alpha</c> ... By these the end of a path is found where paths have dots.</param>
    /// <returns>What the name means; null where it is not one of this scheme.</returns>
    public abstract AdapterTensorName? Read(string name, IReadOnlySet<string> tensors);

    /// <summary>Whether files can be written with these names. Default false.</summary>
    public virtual bool CanWrite => false;

    /// <summary>The name, and the shape, of a tensor in a file of this scheme.</summary>
    /// <param name="layer">The layer that the adapter belongs to.</param>
    /// <param name="tensor">What the tensor is called within an adapter: <c>lora_down.weight</c>.</param>
    /// <param name="shape">The shape that the tensor has here.</param>
    /// <returns>Null where the scheme has no name for such a tensor: the adapter's kind cannot be written with these names.</returns>
    public virtual WrittenTensor? Write(AdaptedLayer layer, string tensor, IReadOnlyList<long> shape) => null;

    /// <summary>
    /// The metadata that says the adapters' alphas, in schemes whose files say them so; their <c>alpha</c> tensors are then not written.
    /// </summary>
    /// <param name="scales">Rank and alpha of every adapter of the file.</param>
    /// <returns>Entries of the file's metadata; null, the default, where alphas are tensors.</returns>
    public virtual IReadOnlyDictionary<string, string>? DescribeScales(IReadOnlyList<AdapterScale> scales) => null;
}

/// <summary>What the name of a tensor in an adapter file means.</summary>
/// <param name="Parts">The part of the model; several where the name does not tell, of which the first with such a path counts.</param>
/// <param name="Path">The layer's path below its part, with dots or underscores: <c>mid_block.attentions.0.proj_in</c>.</param>
/// <param name="Tensor">What the tensor is called within an adapter: <c>lora_down.weight</c>, <c>alpha</c>.</param>
public sealed record AdapterTensorName(AdapterParts Parts, string Path, string Tensor)
{
    /// <summary>
    /// What the names of the kind begin with, as <see cref="AdapterFormat.KeyPrefix"/>; null where the scheme does not say the kind.
    /// </summary>
    public string? Kind { get; init; }
}

/// <summary>A tensor as a file has it.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Shape">Its shape there, of as many elements as in memory.</param>
public sealed record WrittenTensor(string Name, IReadOnlyList<long> Shape);

/// <summary>How strongly an adapter of a file acts: its ΔW is multiplied by alpha / rank.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Rank">The rank of its factors.</param>
/// <param name="Alpha">The alpha.</param>
public sealed record AdapterScale(AdaptedLayer Layer, long Rank, double Alpha)
{
    /// <summary>Whether the adapter has norms of its own (DoRA).</summary>
    public bool IsDoRA { get; init; }
}
