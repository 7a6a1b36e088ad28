using StableTune.Imaging;
using StableTune.Samplers;

namespace StableTune;

/// <summary>
/// Pictures of a class that the unmodified model draws, to be trained beside the subject so that the model keeps its idea of the class
/// (ppdiffusers and diffusers: <c>class_data_dir</c>, <c>class_prompt</c>, <c>num_class_images</c>).
/// </summary>
public sealed record ClassImageOptions : OptionsBase
{
    /// <summary>The folder; created when missing. Images that are there already count, whoever made them.</summary>
    public string? Folder { get; init; }

    /// <summary>What is drawn, and the caption of the images in training: "a dog".</summary>
    public string? Prompt { get; init; }

    /// <summary>What the pictures should not show. Default empty.</summary>
    public string NegativePrompt { get; init; } = "";

    /// <summary>Images that are wanted in all; those that are missing are drawn. Default 100; 200 to 300 are customary.</summary>
    public int Count { get; init; } = 100;

    /// <summary>Pictures drawn at the same time; more take more memory, and change nothing else. Default 4.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>
    /// The sizes of the pictures in pixels, multiples of 8, taken in turn: several give images in the shapes that the training has. Empty,
    /// the default, for the resolution of the data set, and without one for 512x512.
    /// </summary>
    public IReadOnlyList<PixelSize> Sizes { get; init; } = [];

    /// <summary>Steps of the sampler. Default 50.</summary>
    public int Steps { get; init; } = 50;

    /// <summary>How strongly the prompt is followed. Default 7.5.</summary>
    public double GuidanceScale { get; init; } = 7.5;

    /// <summary>The sampler; null, the default, for the one that the model was published with.</summary>
    public ISampler? Sampler { get; init; }

    /// <summary>The seed of the first picture; each further one takes the next number, which is in its file name. Default 42.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>The type that the model computes in while it draws; null, the default, for Float16 on a GPU and Float32
    /// elsewhere.</summary>
    public ScalarType? Precision { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (string.IsNullOrWhiteSpace(Folder))
            yield return Problem(Folder, "class images need a folder", "name one; it may be empty or missing");
        else if (!AtomicFile.CanWriteInto(Folder, out var reason))
            yield return Problem(Folder, $"the folder cannot be written to ({reason.TrimEnd('.')})",
                "choose another folder or mend its permissions");
        if (string.IsNullOrWhiteSpace(Prompt))
            yield return Problem(Prompt, "class images need a prompt", "name the class: \"a dog\" for a subject \"a sks dog\"");
        if (Count < 1) yield return Problem(Count, "at least one class image must be wanted", "100 to 300 are customary");
        foreach (var problem in Drawing(0, 1).Validate()) yield return problem;
    }

    /// <summary>The size of a picture by its place.</summary>
    internal PixelSize SizeOf(int index) => Sizes.Count == 0 ? new PixelSize(512, 512) : Sizes[index % Sizes.Count];

    /// <summary>The name of a picture by its place.</summary>
    internal string NameOf(int index) => FormattableString.Invariant($"class-{index:D5}-{Seed + index}.png");

    /// <summary>How pictures are drawn.</summary>
    /// <param name="first">The place of the first.</param>
    /// <param name="count">How many.</param>
    internal TextToImageOptions Drawing(int first, int count) => new()
    {
        Prompt = Prompt ?? "", NegativePrompt = NegativePrompt, Width = SizeOf(first).Width, Height = SizeOf(first).Height, Steps = Steps,
        GuidanceScale = GuidanceScale, Sampler = Sampler, Seed = Seed + first, ImageCount = count, BatchSize = Math.Max(1, BatchSize),
    };
}
