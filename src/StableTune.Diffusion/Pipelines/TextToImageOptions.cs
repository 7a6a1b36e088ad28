using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Samplers;

namespace StableTune;

/// <summary>One picture to be drawn from a prompt, or several that differ in their seeds only.</summary>
public sealed record TextToImageOptions : OptionsBase
{
    /// <summary>Image sizes are multiples of this many pixels: the VAE's reduction.</summary>
    public const int SizeMultiple = 8;

    /// <summary>What the picture shows. Brackets weigh parts, as (red:1.3); up to 225 tokens count. Default empty.</summary>
    public string Prompt { get; init; } = "";

    /// <summary>What the picture should not show. Default empty. Not used with a guidance of 1 or less.</summary>
    public string NegativePrompt { get; init; } = "";

    /// <summary>Pixels across, a multiple of 8. Null for the width of the picture that is begun with, painted into or looked at, else the
    /// size that the model was made for: 512, 768 or 1024.</summary>
    public int? Width { get; init; }

    /// <summary>Pixels down, a multiple of 8. Null for the height of the picture that is begun with, painted into or looked at, else the
    /// size that the model was made for: 512, 768 or 1024.</summary>
    public int? Height { get; init; }

    /// <summary>Steps of the sampler, 1 to 1000. Default 30.</summary>
    public int Steps { get; init; } = 30;

    /// <summary>How strongly the prompt is followed (classifier-free guidance). 1 or less: not guided, half the work. Default
    /// 7.5.</summary>
    /// <remarks>Ho and Salimans, Classifier-free diffusion guidance, arXiv:2207.12598.</remarks>
    public double GuidanceScale { get; init; } = 7.5;

    /// <summary>The seed of the first picture; each further one takes the next number. Default 0.</summary>
    public long Seed { get; init; }

    /// <summary>
    /// The sampler. Null for the one that the model was published with (<see cref="TextToImagePipeline.ModelSampler"/>): PLMS for most of
    /// Stable Diffusion 1.x, DDIM for 2.x, Euler for SDXL.
    /// </summary>
    public ISampler? Sampler { get; init; }

    /// <summary>
    /// Which of the text encoder's last layers is used: 1 the last, 2 the last but one ... Not set: the last; for the samples of a
    /// training, the layer that is trained with. Not looked at for SDXL, whose layers are fixed.
    /// </summary>
    public int? ClipSkip { get; init; }

    /// <summary>SDXL only: the size that the model is told the picture had once; a small one makes it draw as from small pictures. Null
    /// for the size that is drawn.</summary>
    public PixelSize? OriginalSize { get; init; }

    /// <summary>SDXL only: what the model is told was cut off the picture, in pixels. Default (0, 0), a centred subject.</summary>
    public (int Top, int Left) CropTopLeft { get; init; }

    /// <summary>SDXL only: the size that the model is told the picture has. Null for the size that is drawn.</summary>
    public PixelSize? TargetSize { get; init; }

    /// <summary>
    /// How far a guided prediction is brought back to the deviation that it has without guidance, 0 to 1; 0.7 is customary for models of
    /// zero terminal SNR, which else draw too bright pictures. Default 0, off.
    /// </summary>
    /// <remarks>Lin et al., Common diffusion noise schedules and sample steps are flawed, arXiv:2305.08891, section 3.4.</remarks>
    public double GuidanceRescale { get; init; }

    /// <summary>The picture that drawing begins with (image-to-image); null, the default, for noise alone.</summary>
    public PictureStart? Start { get; init; }

    /// <summary>Draws small first; null, the default, at once at the full size.</summary>
    public HighResolutionPass? HighResolution { get; init; }

    /// <summary>Prompts of parts of the picture. Default none.</summary>
    public IReadOnlyList<PromptRegion> Regions { get; init; } = [];

    /// <summary>Parts of the timesteps that are drawn by other models, or with adapters set otherwise. Default none.</summary>
    public IReadOnlyList<SamplingStage> Stages { get; init; } = [];

    /// <summary>The picture to paint into, and where; inpainting models need it.</summary>
    public InpaintingSource? Inpainting { get; init; }

    /// <summary>Depth models only, which need it: how near each place of the picture is, grey, brighter is nearer; its red channel counts.
    /// Of any size and scale: it is resized to the latents, and stretched to the whole range.</summary>
    public PixelImage? DepthMap { get; init; }

    /// <summary>
    /// The picture that a ControlNet looks at, of the size that is drawn, RGB; one for all pictures. Looked at by <see cref="ControlNet"/>;
    /// for the samples of a training also by the ControlNet that is trained. Null, the default, for none.
    /// </summary>
    public PixelImage? ControlImage { get; init; }

    /// <summary>The ControlNet that steers the drawing; needs <see cref="ControlImage"/>. Stays the caller's. Null, the default, for
    /// none.</summary>
    public ControlNetModel? ControlNet { get; init; }

    /// <summary>How strongly <see cref="ControlNet"/> acts: the factor of its residuals. Default 1.</summary>
    public double ControlScale { get; init; } = 1;

    /// <summary>Pictures to draw. Default 1.</summary>
    public int ImageCount { get; init; } = 1;

    /// <summary>Pictures drawn at the same time; more take more memory, and change nothing else. Default 1.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>The size that is drawn, once it is known.</summary>
    internal PixelSize Size => new(Width ?? Given?.Width ?? 0, Height ?? Given?.Height ?? 0);

    /// <summary>The picture that says the size where no number does.</summary>
    private PixelImage? Given => Start?.Image ?? Inpainting?.Image ?? ControlImage;

    /// <summary>What SDXL is told of sizes.</summary>
    internal MicroConditioning Sizes => new(OriginalSize ?? Size, CropTopLeft.Left, CropTopLeft.Top, TargetSize ?? Size);

    /// <summary>A copy of these options with sizes: those of the picture to paint into or of the control picture, or else the
    /// model's.</summary>
    internal TextToImageOptions Sized(int usual) =>
        this with { Width = Width ?? Given?.Width ?? usual, Height = Height ?? Given?.Height ?? usual };

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Prompt is null) yield return Problem(Prompt, "a prompt is required", "give an empty text for a picture of anything");
        else if (Fault(Prompt) is { } fault) yield return Problem(Prompt, fault, "write weights as (text:1.2)");
        if (NegativePrompt is null) yield return Problem(NegativePrompt, "a negative prompt is required", "give an empty text for none");
        else if (Fault(NegativePrompt) is { } fault) yield return Problem(NegativePrompt, fault, "write weights as (text:1.2)");
        if (Width is { } width && (width < SizeMultiple || width % SizeMultiple != 0))
            yield return Problem(Width, $"the width must be a positive multiple of {SizeMultiple}", Nearest(width));
        if (Height is { } height && (height < SizeMultiple || height % SizeMultiple != 0))
            yield return Problem(Height, $"the height must be a positive multiple of {SizeMultiple}", Nearest(height));
        if (Steps is < 1 or > 1000) yield return Problem(Steps, "there must be 1 to 1000 steps", "20 to 50 are customary");
        if (!double.IsFinite(GuidanceScale))
            yield return Problem(GuidanceScale, "the guidance must be a finite number", "7.5 is customary, 1 switches it off");
        if (ClipSkip is < 1) yield return Problem(ClipSkip, "layers are counted from the last one, which is 1", "1 or 2 is customary");
        if (OriginalSize is { } original && (original.Width < 1 || original.Height < 1))
            yield return Problem(OriginalSize, "both sides must be at least 1 pixel", "leave it unset for the size that is drawn");
        if (TargetSize is { } target && (target.Width < 1 || target.Height < 1))
            yield return Problem(TargetSize, "both sides must be at least 1 pixel", "leave it unset for the size that is drawn");
        if (CropTopLeft.Top < 0 || CropTopLeft.Left < 0)
            yield return Problem(CropTopLeft, "what was cut off must not be negative", "(0, 0) is customary");
        if (Inpainting is { } source && (source.Image.Size != Size || source.Mask.Size != source.Image.Size))
            yield return Problem($"a picture of {source.Image.Size} with a mask of {source.Mask.Size}",
                $"both must have the size that is drawn, {Size}",
                "resize them, or draw another size", nameof(Inpainting));
        foreach (var problem in FurtherProblems()) yield return problem;
        if (ControlImage is { } control && control.Size != Size)
            yield return Problem($"a picture of {control.Size}", $"it must have the size that is drawn, {Size}",
                "resize it, or draw another size", nameof(ControlImage));
        if (ControlNet is not null && ControlImage is null)
            yield return Problem("set", "a ControlNet needs a picture to look at", "set ControlImage", nameof(ControlNet));
        if (!double.IsFinite(ControlScale))
            yield return Problem(ControlScale, "the scale must be a finite number", "1 is customary, 0 switches it off");
        if (ImageCount < 1) yield return Problem(ImageCount, "at least one picture must be drawn", "give 1 or more");
        if (BatchSize < 1) yield return Problem(BatchSize, "a batch holds at least one picture", "give 1 or more");
        if (Sampler is OptionsBase sampler)
            foreach (var problem in sampler.Validate()) yield return problem;
    }

    private IEnumerable<OptionProblem> FurtherProblems()
    {
        if (!(GuidanceRescale is >= 0 and <= 1))
            yield return Problem(GuidanceRescale, "the share must lie between 0 and 1", "0.7 is customary, 0 switches it off");
        if (Start is { } start)
        {
            if (start.Image.Size != Size)
                yield return Problem($"a picture of {start.Image.Size}", $"it must have the size that is drawn, {Size}",
                    "resize it, or draw another size", nameof(Start));
            if (StrengthFault(start.Strength) is { } fault) yield return Problem(start.Strength, fault, "0.75 is customary", nameof(Start));
        }

        if (HighResolution is { } high)
        {
            if (!(high.FirstScale is > 0 and < 1))
                yield return Problem(high.FirstScale, "the first pass is smaller than the picture: its scale lies between 0 and 1",
                    "0.5 is customary", nameof(HighResolution));
            if (StrengthFault(high.Strength) is { } fault)
                yield return Problem(high.Strength, fault, "0.7 is customary", nameof(HighResolution));
            if (Start is not null || Inpainting is not null || DepthMap is not null || ControlImage is not null)
                yield return Problem("set", "pictures that are begun with, painted into or looked at have one size, and this draws two",
                    "leave it unset, or draw the two passes yourself with Start", nameof(HighResolution));
        }

        foreach (var (region, index) in Regions.Select((region, index) => (region, index)))
            if (Fault(region.Prompt) is { } fault)
                yield return Problem(region.Prompt, fault, "write weights as (text:1.2)", $"{nameof(Regions)}[{index}]");
        foreach (var stage in Stages.Where(stage => !(stage.From >= 0 && stage.From < stage.To)))
            yield return Problem($"{stage.From} to {stage.To}", "this is no range of timesteps", "give 0 to 1000, the first lower",
                nameof(Stages));
    }

    private string? StrengthFault(double strength) =>
        !(strength is > 0 and <= 1) ? "the strength lies above 0 and up to 1"
        : StepsOf(strength) == 0 ? $"of {Steps} steps this share is none, so nothing would be drawn" : null;

    /// <summary>The steps that a strength walks, rounded down as in diffusers.</summary>
    internal int StepsOf(double strength) => Math.Min(Steps, (int)(Steps * strength));

    /// <summary>Why the brackets of a prompt cannot be read; null when they can.</summary>
    private static string? Fault(string prompt)
    {
        try
        {
            PromptAttention.Parse(prompt);
            return null;
        }
        catch (FormatException error)
        {
            return $"the brackets that weigh its parts cannot be read ({error.Message.TrimEnd('.')})";
        }
    }

    private static string Nearest(int size)
    {
        var below = Math.Max(SizeMultiple, size / SizeMultiple * SizeMultiple);
        return $"use {below} or {below + SizeMultiple}";
    }
}
