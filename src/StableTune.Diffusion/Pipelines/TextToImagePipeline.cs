using StableTune.Imaging;
using StableTune.Models;
using StableTune.Samplers;
using StableTune.Tensors;

namespace StableTune.Diffusion;

/// <summary>
/// Draws pictures from prompts: encodes both prompts, walks from seeded noise to latents with guidance, decodes.
/// Adapters attached to the model's modules take part, so the pipeline draws samples during training too.
/// </summary>
/// <remarks>The model stays the caller's: it is put into evaluation mode while drawing and back afterwards, and never disposed.
/// The global random state is neither read nor changed.</remarks>
public sealed class TextToImagePipeline
{
    private readonly ITextToImageModel _model;

    /// <summary>A pipeline over a loaded model.</summary>
    /// <param name="model">The model; must outlive the pipeline.</param>
    public TextToImagePipeline(StableDiffusionModel model) : this(new StableDiffusionParts(model)) { }

    internal TextToImagePipeline(ITextToImageModel model) => _model = model;

    /// <summary>
    /// The sampler that the model was published with, which draws when <see cref="TextToImageOptions.Sampler"/> is null; and a note when
    /// its configuration asks for one that is not known.
    /// </summary>
    public ModelSampler ModelSampler => _model.Sampler;

    /// <summary>
    /// Changes what the model is told before a picture is drawn: further controls, further tokens. Is given the conditions of the negative
    /// and the positive prompt, [2, ...], or of the positive alone, [1, ...], with those of regions behind, and the options; gives fresh
    /// tensors of the open dispose scope. Null, the default, for none.
    /// </summary>
    public Func<UNetConditions, TextToImageOptions, UNetConditions>? ChangeConditions { get; init; }

    /// <summary>Draws one picture, whatever <see cref="TextToImageOptions.ImageCount"/> says.</summary>
    /// <param name="options">What to draw, and how.</param>
    /// <param name="progress">Told after every step, on this thread.</param>
    /// <param name="cancellationToken">Looked at between steps.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work; the message lists every problem.</exception>
    /// <exception cref="InvalidOperationException">Latents or pixels became NaN or infinite; the message says at which step.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public PixelImage Generate(TextToImageOptions options, IProgress<SamplingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        return GenerateMany(options with { ImageCount = 1 }, progress, cancellationToken)[0].Image;
    }

    /// <summary>Draws <see cref="TextToImageOptions.ImageCount"/> pictures, each from a seed of its own: picture i of seed s is the first
    /// of seed s + i.</summary>
    /// <param name="options">What to draw, and how.</param>
    /// <param name="progress">Told after every step, on this thread.</param>
    /// <param name="cancellationToken">Looked at between steps.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work; the message lists every problem.</exception>
    /// <exception cref="InvalidOperationException">Latents or pixels became NaN or infinite; the message says at which step.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public IReadOnlyList<GeneratedImage> GenerateMany(
        TextToImageOptions options, IProgress<SamplingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options = options.Sized(_model.UsualSize) with { Sampler = SamplerOf(options) };
        InvalidOptionsException.ThrowIfAny(Problems(options));
        cancellationToken.ThrowIfCancellationRequested();

        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        using var evaluating = _model.Evaluating();
        var conditions = Encode(options);
        var images = new List<GeneratedImage>(options.ImageCount);
        while (images.Count < options.ImageCount)
        {
            var first = images.Count;
            var seeds = Enumerable.Range(first, Math.Min(options.BatchSize, options.ImageCount - first))
                .Select(index => options.Seed + index).ToArray();
            images.AddRange(Draw(options, conditions, seeds, step => progress?.Report(
                new SamplingProgress(first, options.ImageCount, step.Step, step.TotalSteps)), cancellationToken));
        }
        return images;
    }

    /// <summary>Conditions of the negative and the positive prompt, [2, ...], or of the positive alone, [1, ...], when not guided; those of
    /// regions stand behind.</summary>
    internal UNetConditions Encode(TextToImageOptions options)
    {
        string[] positive = [options.Prompt, .. options.Regions.Select(region => region.Prompt)];
        var conditions = _model.Encode(
            GuidedDenoiser.IsGuided(options.GuidanceScale) ? [options.NegativePrompt, .. positive] : positive, options);
        return ChangeConditions?.Invoke(conditions, options) ?? conditions;
    }

    /// <summary>From standard normal noise [B, C, h, w] to scaled latents, a fresh tensor of the same shape.</summary>
    internal Tensor Sample(TextToImageOptions options, UNetConditions conditions, Tensor initialNoise, NoiseDraw noise,
        Action<SamplingStep>? stepDone = null, CancellationToken cancellationToken = default) =>
        Walk(new DrawnPictures(options, conditions, noise, stepDone, cancellationToken), initialNoise, null, 1);

    private Tensor Walk(DrawnPictures drawn, Tensor initialNoise, Tensor? original, double strength)
    {
        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        var options = drawn.Options;
        var sampler = SamplerOf(options);
        var times = sampler.Times(_model.Schedule, options.Steps);
        var noised = new NoisedLatents(_model.Schedule, times);
        var first = original is null ? 0 : options.Steps - options.StepsOf(strength);
        using var denoiser = new GuidedDenoiser(_model, drawn.Conditions, options.GuidanceScale)
        {
            Rescale = options.GuidanceRescale,
            Regions = options.Regions.Count == 0 ? null
                : PromptRegion.Weights(options.Regions, initialNoise.shape[2], initialNoise.shape[3], initialNoise.device),
            Stages = [.. options.Stages.Select(stage => (stage, stage.Model is { } model ? _model.Of(model) : _model))],
        };
        using var evaluating =
            new Together(denoiser.Stages.Where(stage => stage.Model != _model).Select(stage => stage.Model.Evaluating()));
        var context = new SamplingContext
        {
            Schedule = _model.Schedule,
            Prediction = _model.Prediction,
            Noise = drawn.Noise,
            StepDone = drawn.StepDone,
            AfterStep = !_model.TakesMask && options.Inpainting is { } source ? PutsBack(source, noised, initialNoise, first) : null,
            CancellationToken = drawn.CancellationToken,
        };
        var start = original is null ? initialNoise * times.InitialSigma : noised.At(original, initialNoise, first);
        return sampler.Sample(denoiser.Predict, start, noised.From(first), context).MoveToOuterDisposeScope();
    }

    /// <summary>Where a plain model paints, the rest of the picture is put back after each step, with the noise that is due
    /// there.</summary>
    private Func<SamplingStep, Tensor> PutsBack(InpaintingSource source, NoisedLatents noised, Tensor noise, int first)
    {
        var kept = _model.Encode(source.Image);                                                         // [1, C, h, w]
        var mask = nn.functional.interpolate(source.ToTensors().Mask, size: [kept.shape[2], kept.shape[3]],
            mode: InterpolationMode.Nearest).ge(0.5).to(kept.device);                                   // [1, 1, h, w]
        return step => where(mask, step.Latents, noised.At(kept, noise, first + step.Step));
    }

    private List<GeneratedImage> Draw(
        TextToImageOptions options, UNetConditions conditions, long[] seeds, Action<SamplingStep> stepDone,
        CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        using var noise = new SeededNoise(seeds);
        var drawn = new DrawnPictures(options, conditions, noise.DrawLike, stepDone, cancellationToken);
        var (original, strength) = (options.Start is { } start ? _model.Encode(start.Image) : null, options.Start?.Strength ?? 1);
        if (options.HighResolution is { } high)
        {
            var small = Walk(drawn, noise.Draw(Shape(high.FirstSize(options.Size, _model.Downscale)), _model.Device), null, 1);
            var shape = Shape(options.Size);
            (original, strength) = (nn.functional.interpolate(small, size: [shape[2], shape[3]], mode: InterpolationMode.Bilinear,
                align_corners: false), high.Strength);
        }

        var latents = Walk(drawn, noise.Draw(Shape(options.Size), _model.Device), original, strength);
        return [.. seeds.Select((seed, index) =>
            new GeneratedImage(Decode(latents.narrow(0, index, 1)), seed,
                GeneratedImage.Describe(_model.LargestClipSkip is null ? options with { ClipSkip = null } : options, seed, _model.Name)))];

        long[] Shape(PixelSize size) =>
            [seeds.Length, _model.LatentChannels, size.Height / _model.Downscale, size.Width / _model.Downscale];
    }

    /// <summary>The picture of scaled latents [1, C, h, w].</summary>
    private PixelImage Decode(Tensor latents)
    {
        using var scope = NewDisposeScope();
        var pixels = _model.Decode(latents);
        return FiniteNumbers.Fault(pixels) is not { } fault ? ToImage(pixels) : throw new InvalidOperationException(
            $"The VAE made a broken picture of sound latents: {fault}. Some VAEs overflow in float16: load it with " +
            "ModelLoadOptions.VaeType = ScalarType.Float32.");
    }

    /// <summary>The picture of pixels [1, 3, H, W] around [-1, 1], float32, on the CPU.</summary>
    internal static PixelImage ToImage(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var values = pixels.contiguous();   // [1, 3, H, W]
        return PixelImage.FromFloats(values.Elements<float>(), (int)pixels.shape[3], (int)pixels.shape[2]);
    }

    private IEnumerable<OptionProblem> Problems(TextToImageOptions options)
    {
        var own = options.Validate().ToList();
        if (options.AdapterStrengths.Count > 0)
            own.Add(new($"{nameof(TextToImageOptions)}.{nameof(options.AdapterStrengths)}", string.Join(", ", options.AdapterStrengths),
                "only the samples of a training know which adapters are meant", "call SetMultiplier of the attached networks"));
        foreach (var problem in own) yield return problem;
        if (options.Steps > _model.Schedule.Count)
            yield return Problem(nameof(options.Steps), options.Steps, $"the model was trained with {_model.Schedule.Count} timesteps",
                "take at most as many steps");
        else if (own.Count == 0 && TimesFault(options) is { } fault)
            yield return Problem(nameof(options.Steps), options.Steps, $"the sampler cannot place so many steps ({fault})",
                "take fewer steps, or another sampler");
        if (options.ClipSkip > _model.LargestClipSkip)
            yield return Problem(nameof(options.ClipSkip), options.ClipSkip, $"the text encoder has {_model.LargestClipSkip} layers",
                "1 or 2 is customary");
        if (!_model.TakesSizes && (options.OriginalSize is not null || options.TargetSize is not null || options.CropTopLeft != (0, 0)))
            yield return Problem(nameof(options.OriginalSize), options.Sizes, "only SDXL is told the sizes of pictures",
                "leave OriginalSize, CropTopLeft and TargetSize unset");
        if (_model.UnknownChannels != 0)
            yield return new OptionProblem("StableDiffusionModel.UNet", $"for {_model.LatentChannels + _model.UnknownChannels} channels",
                "pictures are drawn with models for text alone (4 channels), with depth maps (5) and for inpainting (9)",
                "use another model");
        if (_model.TakesDepth && options.DepthMap is null)
            yield return Problem(nameof(options.DepthMap), null, "a depth model draws by a depth map", "give one");
        if (!_model.TakesDepth && options.DepthMap is not null)
            yield return Problem(nameof(options.DepthMap), "set", "this model takes no depth map: its UNet has no channel for one",
                "use a depth model, or leave it unset");
        if (_model.TakesMask && options.Inpainting is null)
            yield return Problem(nameof(options.Inpainting), null, "an inpainting model paints into a picture",
                "give a picture and a mask");
        foreach (var stage in options.Stages)
            if (stage.Model is { } other && _model.StageMisfit(other) is { } misfit)
                yield return Problem(nameof(options.Stages), $"{stage.From} to {stage.To}", $"its model does not fit this one: {misfit}",
                    "take models that were trained from the same one");
        if (options is { ControlImage: not null, ControlNet: null } && ChangeConditions is null)
            yield return Problem(nameof(options.ControlImage), "set", "there is no ControlNet that could look at it",
                "set ControlNet, or leave it unset");
        if (options.ControlNet is { } network && _model.ControlMisfit(network) is { } controlFault)
            yield return Problem(nameof(options.ControlNet), "set", $"the ControlNet does not fit the model: {controlFault}",
                "use one that was made for this kind of model");
        foreach (var (name, size) in new[] { (nameof(options.Width), options.Size.Width), (nameof(options.Height), options.Size.Height) })
            if (_model.Downscale != TextToImageOptions.SizeMultiple && size % _model.Downscale != 0)
                yield return Problem(name, size, $"this model's pictures are multiples of {_model.Downscale} pixels", "round the size");
    }

    private ISampler SamplerOf(TextToImageOptions options) => options.Sampler ?? _model.Sampler.Sampler;

    private static OptionProblem Problem(string option, object? value, string rule, string remedy) =>
        new($"{nameof(TextToImageOptions)}.{option}", value, rule, remedy);

    /// <summary>Why the sampler has no times for so many steps; null when it has.</summary>
    private string? TimesFault(TextToImageOptions options)
    {
        try
        {
            SamplerOf(options).Times(_model.Schedule, options.Steps);
            return null;
        }
        catch (ArgumentOutOfRangeException error)
        {
            return error.Message.Split('\n')[0].Split(" (Parameter")[0].Trim().TrimEnd('.');
        }
    }

    /// <summary>What is the same for all walks of some pictures.</summary>
    private sealed record DrawnPictures(TextToImageOptions Options, UNetConditions Conditions, NoiseDraw Noise,
        Action<SamplingStep>? StepDone, CancellationToken CancellationToken);

    /// <summary>Several things that end together.</summary>
    private sealed class Together(IEnumerable<IDisposable> parts) : IDisposable
    {
        private readonly IDisposable[] _parts = [.. parts];

        public void Dispose()
        {
            foreach (var part in _parts) part.Dispose();
        }
    }
}
