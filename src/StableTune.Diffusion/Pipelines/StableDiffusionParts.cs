using StableTune.Models;

namespace StableTune.Diffusion;

/// <summary>Stable Diffusion 1.x and 2.x as the pipeline sees it.</summary>
internal sealed class StableDiffusionParts : ITextToImageModel
{
    private readonly StableDiffusionModel _model;
    private readonly IPromptEncoder _prompts;

    internal StableDiffusionParts(StableDiffusionModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _prompts = PromptEncoder.For(model);
        Schedule = NoiseSchedule.From(model.Scheduler);
        Prediction = PredictionType.Parse(model.Scheduler.PredictionType);
    }

    public NoiseSchedule Schedule { get; }

    public PredictionType Prediction { get; }

    public int LatentChannels => _model.Vae.Options.LatentChannels;

    public int Downscale => _model.Vae.Options.Downscale;

    public int? LargestClipSkip => _prompts.LargestClipSkip;

    public Device Device => _model.UNet.parameters().First().device;

    public string? Name => _model.Path is not { } path ? null
        : Directory.Exists(path) ? Path.GetFileName(Path.TrimEndingDirectorySeparator(path))
        : Path.GetFileNameWithoutExtension(path);

    public IDisposable Evaluating() => new Evaluation([_model.UNet, _model.Vae, .. _model.TextEncoders]);

    public Tensor Encode(IReadOnlyList<string> prompts, TextToImageOptions options) => _prompts.EncodeForSampling(prompts, options.ClipSkip).Context;

    public Tensor Predict(Tensor latents, Tensor timesteps, Tensor encoderHiddenStates) => _model.UNet.call(latents, timesteps, encoderHiddenStates);

    public Tensor Decode(Tensor latents)
    {
        using var scope = NewDisposeScope();
        return _model.Vae.Decode(latents / _model.Vae.Options.ScalingFactor).to(CPU).MoveToOuterDisposeScope();
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
