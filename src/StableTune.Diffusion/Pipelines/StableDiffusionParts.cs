using StableTune.Imaging;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Samplers;

namespace StableTune.Diffusion;

/// <summary>Stable Diffusion 1.x, 2.x and XL as the pipeline sees them.</summary>
internal sealed class StableDiffusionParts : ITextToImageModel
{
    private readonly StableDiffusionModel _model;

    internal StableDiffusionParts(StableDiffusionModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        LargestClipSkip = PromptEncoder.For(model).LargestClipSkip;
        Schedule = NoiseSchedule.From(model.Scheduler);
        Prediction = PredictionType.Of(model.Scheduler.Prediction);
        Sampler = SamplerCatalog.Default.For(model.Scheduler);
    }

    public NoiseSchedule Schedule { get; }

    public PredictionType Prediction { get; }

    public ModelSampler Sampler { get; }

    public int LatentChannels => _model.Vae.Options.LatentChannels;

    public int Downscale => _model.Vae.Options.Downscale;

    public int UsualSize => _model.UNet.Options.SampleSize * Downscale;

    public int? LargestClipSkip { get; }

    public bool TakesSizes => _model.UNet.Options.TakesAddedConditions;

    public bool TakesMask => _model.UNet.Options.TakesMask;

    public bool TakesDepth => _model.UNet.Options.TakesDepth;

    public int UnknownChannels => TakesMask || TakesDepth ? 0 : _model.UNet.Options.InChannels - LatentChannels;

    public Device Device => _model.UNet.parameters().First().device;

    public string? Name => _model.Path is not { } path ? null
        : Directory.Exists(path) ? Path.GetFileName(Path.TrimEndingDirectorySeparator(path))
        : Path.GetFileNameWithoutExtension(path);

    public string? ControlMisfit(ControlNetModel network) => network.Options.Misfit(_model.UNet.Options);

    public string? StageMisfit(StableDiffusionModel model)
    {
        var (own, its) = (_model.UNet.Options, model.UNet.Options);
        if (its.CrossAttentionDim != own.CrossAttentionDim)
            return $"its UNet takes text of width {its.CrossAttentionDim}, and this one's has {own.CrossAttentionDim}";
        if (its.InChannels != own.InChannels) return $"its UNet takes {its.InChannels} channels, and this one's {own.InChannels}";
        if (model.Scheduler.Prediction != _model.Scheduler.Prediction)
            return $"it predicts {model.Scheduler.Prediction}, and this one {_model.Scheduler.Prediction}";
        var levels = NoiseSchedule.From(model.Scheduler).AlphasCumprod;
        if (levels.Count != Schedule.AlphasCumprod.Count || levels.Zip(Schedule.AlphasCumprod, (a, b) => Math.Abs(a - b)).Max() > 1e-5)
            return "it was trained with another noise schedule";
        if (model.Device.ToString() != _model.Device.ToString()) return $"it is on {model.Device}, and this one on {_model.Device}";
        return model.Vae.Options.ScalingFactor.Equals(_model.Vae.Options.ScalingFactor) ? null
            : $"its latents are scaled by {model.Vae.Options.ScalingFactor}, and this one's by {_model.Vae.Options.ScalingFactor}";
    }

    public IDisposable Evaluating() => new Evaluation([_model.UNet, _model.Vae, .. _model.TextEncoders]);

    public UNetConditions Encode(IReadOnlyList<string> prompts, TextToImageOptions options)
    {
        // Made anew each time: words may have been added to the model.
        var text = PromptEncoder.For(_model).EncodeForSampling(prompts, options.ClipSkip);
        return new UNetConditions(text.Context)
        {
            // The negative prompt is drawn at the same sizes, as in diffusers.
            Added = TakesSizes ? new AddedConditions(text.Pooled!, MicroConditioning.TimeIds(prompts.Select(_ => options.Sizes), Device))
                : null,
            Inpainting = TakesMask && options.Inpainting is { } source ? Masked(source) : null,
            Depth = options.DepthMap is { } map ? Depth(map, options.Size) : null,
            Controls = options is { ControlNet: { } network, ControlImage: { } image }
                ? [new ControlNetCondition(network, ControlPicture.Of(image, Device), options.ControlScale)] : [],
        };
    }

    public Tensor Predict(Tensor latents, Tensor timesteps, UNetConditions conditions) => _model.UNet.call(latents, timesteps, conditions);

    public Tensor Encode(PixelImage picture)
    {
        using var scope = NewDisposeScope();
        var mean = _model.Vae.Encode(InpaintingSource.Floats(picture).to(Device)).Mean;
        return (mean.to(ScalarType.Float32) * _model.Vae.Options.ScalingFactor).MoveToOuterDisposeScope();
    }

    public Tensor Decode(Tensor latents)
    {
        using var scope = NewDisposeScope();
        return _model.Vae.Decode(latents / _model.Vae.Options.ScalingFactor).to(CPU).MoveToOuterDisposeScope();
    }

    private DepthInput Depth(PixelImage map, PixelSize size)
    {
        using var scope = NewDisposeScope();
        var values = new float[3 * map.Width * map.Height];
        map.ToFloats(values);
        var grey = tensor(values, [1, 3, map.Height, map.Width], dtype: ScalarType.Float32).narrow(1L, 0, 1);
        var depth = DepthInput.From(grey.to(Device), size.Height / Downscale, size.Width / Downscale);
        depth.Map.MoveToOuterDisposeScope();
        return depth;
    }

    private InpaintingInput Masked(InpaintingSource source)
    {
        var (pixels, mask) = source.ToTensors();
        return InpaintingInput.From(_model.Vae, pixels.to(Device), mask.to(Device));
    }

    /// <summary>Modules in evaluation mode; those that were training train again afterwards.</summary>
    private sealed class Evaluation : IDisposable
    {
        private readonly nn.Module[] _training;

        internal Evaluation(params nn.Module[] modules)
        {
            _training = [.. modules.Where(module => module.training)];
            foreach (var module in modules) module.eval();
        }

        public void Dispose()
        {
            foreach (var module in _training) module.train();
        }
    }
}
