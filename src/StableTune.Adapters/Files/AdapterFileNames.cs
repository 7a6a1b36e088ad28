using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>The names of an adapter file, read: which tensors make an adapter, and what else there is.</summary>
/// <param name="Modules">The adapters, in the order of the file.</param>
/// <param name="Strange">Names that no scheme can read.</param>
/// <param name="Embeddings">Names of tensors of bundled embeddings.</param>
internal sealed record AdapterFileNames(
    IReadOnlyList<AdapterFileModule> Modules, IReadOnlyList<string> Strange, IReadOnlyList<string> Embeddings)
{
    /// <summary>Reads all names.</summary>
    /// <param name="file">The file.</param>
    /// <param name="namings">The schemes.</param>
    /// <param name="tensors">What tensors are called within an adapter.</param>
    /// <exception cref="InvalidFileException">Two tensors are the same one of an adapter.</exception>
    public static AdapterFileNames Read(WeightFile file, AdapterNamings namings, IReadOnlySet<string> tensors)
    {
        var modules = new OrderedDictionary<(string?, AdapterParts, string), AdapterFileModule>();
        var (strange, embeddings) = (new List<string>(), new List<string>());
        foreach (var info in file.Tensors)
        {
            if (BundledEmbeddings.Is(info.Name)) embeddings.Add(info.Name);
            else if (namings.Read(info.Name, tensors) is var (naming, name))
            {
                var key = (name.Kind, name.Parts, name.Path.Replace('.', '_'));
                if (!modules.TryGetValue(key, out var module)) modules.Add(key, module = new AdapterFileModule(name, info.Name));
                if (!module.TryAdd(naming, name.Tensor, info))
                    throw new InvalidFileException(file.Path,
                        $"the tensors '{module.Tensors[name.Tensor].Name}' and '{info.Name}' are both the {name.Tensor} of one adapter.",
                        "Remove one of them from the file.");
            }
            else strange.Add(info.Name);
        }

        return new AdapterFileNames([.. modules.Values], strange, embeddings);
    }

    /// <summary>What tensors of all kinds are called within an adapter.</summary>
    public static HashSet<string> TensorsOf(AdapterFormats formats) =>
        formats.All.SelectMany(format => format.Required.Concat(format.Optional)).ToHashSet(StringComparer.Ordinal);
}

/// <summary>The tensors that a file has for one layer.</summary>
internal sealed class AdapterFileModule
{
    /// <summary>Tensors that several schemes call alike: they do not tell whose names a file has.</summary>
    private static readonly string[] Shared = ["alpha", "dora_scale"];

    private readonly Dictionary<string, TensorInfo> _tensors = new(StringComparer.Ordinal);
    private bool _isSure;

    public AdapterFileModule(AdapterTensorName name, string nameInFile) => (Name, Label) = (name, LabelOf(name, nameInFile));

    /// <summary>What the names mean; the tensor is the first one's.</summary>
    public AdapterTensorName Name { get; }

    /// <summary>What the file calls the adapter: <c>unet.mid_block.attentions.0.proj_in</c>.</summary>
    public string Label { get; }

    /// <summary>Whose names they are.</summary>
    public AdapterNaming Naming { get; private set; } = null!;

    /// <summary>The file's tensors by what they are called within an adapter.</summary>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>Adds a tensor; false when there is one of this name.</summary>
    public bool TryAdd(AdapterNaming naming, string tensor, TensorInfo info)
    {
        if (!_isSure) Naming = naming;
        _isSure |= !Shared.Contains(tensor);
        return _tensors.TryAdd(tensor, info);
    }

    /// <summary>The names of its tensors as the file has them, without the adapter's.</summary>
    public IEnumerable<string> TensorsInFile => _tensors.Values.Select(info =>
        info.Name.StartsWith(Label + ".", StringComparison.Ordinal) ? info.Name[(Label.Length + 1)..] : info.Name);

    private static string LabelOf(AdapterTensorName name, string nameInFile)
    {
        if (nameInFile.IndexOf(name.Path, StringComparison.Ordinal) is >= 0 and var at) return nameInFile[..(at + name.Path.Length)];
        // Attention processors: to_q_lora.down.weight.
        var words = nameInFile.Split('.');
        return string.Join('.', words[..Math.Max(1, words.Length - 2)]);
    }
}
