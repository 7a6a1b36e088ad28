using StableTune.Formats;

namespace StableTune.Adapters;

/// <summary>
/// How a kind of adapter looks in files: the names of its tensors, by which it is known, and the options that make it. The choice is made
/// for each module of a file by itself, so a file may mix kinds.
/// </summary>
/// <param name="Name">What people call the kind: "LoRA".</param>
/// <param name="Required">The names that the tensors of one adapter must have: "lora_down.weight".</param>
/// <param name="Optional">The names that they may have: "alpha".</param>
public abstract record AdapterFormat(string Name, IReadOnlyList<string> Required, IReadOnlyList<string> Optional)
{
    /// <summary>
    /// What the names of adapters begin with, before <c>_unet_</c> or <c>_te_</c>, as <see cref="AdapterOptions.KeyPrefix"/>.
    /// </summary>
    public virtual string KeyPrefix => "lora";

    /// <summary>Whether the tensors of one adapter are of this kind. The default: some are required ones, and none is strange.</summary>
    /// <param name="names">Their names within the adapter.</param>
    public virtual bool Recognizes(IReadOnlyCollection<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        return names.Any(Required.Contains) && names.All(IsKnown);
    }

    /// <summary>The options that make an adapter for the tensors of a file: its rank, its alpha.</summary>
    /// <param name="module">The tensors; all required ones are there.</param>
    /// <exception cref="InvalidFileException">Shapes are impossible, see <see cref="AdapterModule.Fault"/>.</exception>
    public abstract AdapterOptions OptionsFor(AdapterModule module);

    /// <summary>Whether a tensor of this name can be part of an adapter.</summary>
    internal bool IsKnown(string name) => Required.Contains(name) || Optional.Contains(name);
}
