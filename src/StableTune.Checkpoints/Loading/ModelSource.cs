using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>
/// Where a model comes from: a folder in diffusers' layout or a single file. Loading, checking, inspecting and converting go through it,
/// so that each knows
/// all forms. Opening reads small files and headers; what is wrong with one part is told when that part is asked for.
/// </summary>
/// <remarks>
/// To read a model without building modules: open the source, ask for <see cref="Part"/> by name, and take its tensors from
/// <see cref="ModelPart.Weights"/>
/// under the names that <see cref="ModelPart.Rename"/> gives. <see cref="ModelDescription"/> does this for several parts and adds the
/// rules between them.
/// </remarks>
internal abstract class ModelSource(string path) : IDisposable
{
    /// <summary>The file or folder on this disk.</summary>
    public string Path => path;

    /// <summary>What is known of the model by its name; null for nothing.</summary>
    public KnownModel? Known { get; private set; }

    /// <summary>The UNet's architecture, which tells what kind of model this is.</summary>
    /// <exception cref="InvalidFileException">It cannot be read, or is not supported.</exception>
    public abstract UNetOptions ReadUNet();

    /// <summary>Noise schedule and prediction type, before options.</summary>
    /// <exception cref="InvalidFileException">They cannot be read, or are not supported.</exception>
    public abstract SchedulerOptions ReadScheduler();

    /// <summary>What the model is and how that is known, options included; without the parts' types.</summary>
    /// <param name="unet">What <see cref="ReadUNet"/> gave.</param>
    /// <param name="scheduler">What <see cref="ReadScheduler"/> gave.</param>
    /// <exception cref="InvalidFileException">An option contradicts the model.</exception>
    public abstract ModelDetails Identify(UNetOptions unet, SchedulerOptions scheduler);

    /// <summary>A part, to be disposed by the caller before this source.</summary>
    /// <param name="name">A name of <see cref="ModelPart"/>.</param>
    /// <exception cref="InvalidFileException">The model lacks it, or it is not supported.</exception>
    public abstract ModelPart Part(string name);

    /// <summary>The tokenizer of a text encoder.</summary>
    /// <param name="textEncoder"><see cref="ModelPart.TextEncoder"/> or <see cref="ModelPart.TextEncoder2"/>.</param>
    /// <param name="folder">The folder to read it from; null for the model's own.</param>
    /// <exception cref="InvalidFileException">It is missing or corrupt.</exception>
    public abstract ITextTokenizer ReadTokenizer(string textEncoder, string? folder);

    /// <summary>The folder of a text encoder's tokenizer in diffusers' layout.</summary>
    public static string TokenizerOf(string textEncoder) => textEncoder.Replace("text_encoder", "tokenizer", StringComparison.Ordinal);

    /// <summary>What messages about a part name: its folder or file.</summary>
    public abstract string PlaceOf(string part);

    /// <summary>Closes what is open.</summary>
    public virtual void Dispose() { }

    /// <summary>Opens a model.</summary>
    /// <param name="name">A file or folder (links are followed), or a name on the hub.</param>
    /// <param name="options">Variant, version, prediction, hub.</param>
    /// <param name="cancellationToken">Ends downloads.</param>
    /// <exception cref="InvalidFileException">There is no model of this name, or none that is supported.</exception>
    public static ModelSource Open(string name, ModelLoadOptions options, CancellationToken cancellationToken = default)
    {
        var source = OpenAt(ModelLocation.Resolve(name, options, cancellationToken), options);
        source.Known = KnownModel.Find(name);
        return source;
    }

    private static ModelSource OpenAt(string path, ModelLoadOptions options)
    {
        if (Directory.Exists(path)) return DiffusersFolder.Open(path, options);
        // Who names the index means its folder.
        if (System.IO.Path.GetFileName(path) == DiffusersFolder.IndexName
            && System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path)) is { } folder)
            return DiffusersFolder.Open(folder, options);
        return SingleFileModel.Open(path, options);
    }
}
