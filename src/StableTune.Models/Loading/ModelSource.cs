namespace StableTune.Models;

/// <summary>
/// Where a model comes from: a folder in diffusers' layout or a single file. Loading, checking, inspecting and converting go through it, so that each knows
/// all forms. Opening reads small files and headers; what is wrong with one part is told when that part is asked for.
/// </summary>
/// <remarks>
/// To read a model without building modules: open the source, ask for <see cref="Part"/> by name, and take its tensors from <see cref="ModelPart.Weights"/>
/// under the names that <see cref="ModelPart.Rename"/> gives. <see cref="ModelDescription"/> does this for several parts and adds the rules between them.
/// </remarks>
internal abstract class ModelSource(string path) : IDisposable
{
    /// <summary>The file or folder, as the user named it.</summary>
    public string Path => path;

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
    /// <exception cref="InvalidFileException">It is missing or corrupt.</exception>
    public abstract ITextTokenizer ReadTokenizer(string textEncoder);

    /// <summary>What messages about a part name: its folder or file.</summary>
    public abstract string PlaceOf(string part);

    /// <summary>Closes what is open.</summary>
    public virtual void Dispose() { }

    /// <summary>Opens a model on this disk.</summary>
    /// <param name="path">A file or folder; links are followed.</param>
    /// <param name="options">Variant, version, prediction.</param>
    /// <exception cref="InvalidFileException">There is no model at the path, or none that is supported.</exception>
    public static ModelSource Open(string path, ModelLoadOptions options)
    {
        if (Directory.Exists(path)) return DiffusersFolder.Open(path, options);
        if (File.Exists(path))
            throw new InvalidFileException(path, "this is a file, and single-file models are not supported by this version.", "Give a model folder in diffusers' layout, with a model_index.json.");
        throw new InvalidFileException(path, "the folder is missing.", "Give the path of a model folder with a model_index.json.");
    }
}
