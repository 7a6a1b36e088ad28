using System.Globalization;
using System.Text.Json.Nodes;
using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Samples.World;
using StableTune.Schedules;
using StableTune.Training;

namespace StableTune.Samples;

/// <summary>How long each stage is.</summary>
internal sealed record CurriculumOptions
{
    /// <summary>Steps of the VAE, both halves.</summary>
    public int VaeSteps { get; init; } = 9000;

    /// <summary>Pictures of a step of the VAE.</summary>
    public int VaeBatch { get; init; } = 8;

    /// <summary>Steps of the UNet and the text encoder.</summary>
    public int UNetSteps { get; init; } = 14_000;

    /// <summary>Pictures of a step of the UNet.</summary>
    public int UNetBatch { get; init; } = 32;

    /// <summary>Steps of the VAE's decoder in the end.</summary>
    public int DecoderSteps { get; init; } = 6000;

    /// <summary>Pictures in memory.</summary>
    public int Pictures { get; init; } = 30_000;

    /// <summary>Steps between states, from which an interrupted training goes on.</summary>
    public int SaveEvery { get; init; } = 500;

    /// <summary>A few steps of each stage, to see that all of it works.</summary>
    internal static CurriculumOptions Quick { get; } = new()
    {
        VaeSteps = 3, UNetSteps = 3, DecoderSteps = 2, Pictures = 64, SaveEvery = 2,
    };
}

/// <summary>Trains a model from nothing, in stages. Each is skipped when its result is there, and goes on from its last state when it was
/// interrupted.</summary>
internal sealed class Curriculum(string folder, CurriculumOptions options, IProgress<TrainingProgress> progress)
{
    private string VaePath => Path.Combine(folder, "1-vae");

    private string UNetPath => Path.Combine(folder, "2-unet");

    private string ModelPath => Path.Combine(folder, "model");

    /// <summary>Runs what is left to do.</summary>
    /// <returns>The folder of the model.</returns>
    internal string Train()
    {
        if (!Directory.Exists(VaePath)) TrainVae();
        if (!Directory.Exists(UNetPath)) TrainUNet();
        if (!Directory.Exists(ModelPath)) TrainDecoder();
        return ModelPath;
    }

    /// <summary>Stage 1: pictures through both halves of the VAE and back.</summary>
    private void TrainVae()
    {
        using var fresh = ModelFactory.Create(SmallWorldModel.Options);
        // Latents begin nearly without noise: else it takes the VAE long to make itself heard through it.
        using (no_grad()) fresh.Vae.get_parameter("quant_conv.bias")!.narrow(0, 4, 4).fill_(-6);
        Stage("vae", options.VaeSteps)
            .WithModel(fresh)
            .WithImages(PictureSource.Mixed(options.Pictures, seed: 1), resolution: Scene.Side).WithBatchSize(options.VaeBatch)
            .WithVaeTraining(vae => vae with { TrainEncoder = true, SaveWholeModel = true }, method => method with { KlWeight = 5e-3 })
            .WithLearningRate(2e-3).WithSchedule(new CosineScheduleOptions { Warmup = Warmup.Steps(50) })
            .WithEma(ema => ema with { Decay = 0.99 })
            .SaveTo(VaePath + ".part").Train(progress);
        ScaleLatents(VaePath + ".part");
        Directory.Move(VaePath + ".part", VaePath);
    }

    /// <summary>Stage 2: UNet and text encoder, on the latents of captioned pictures.</summary>
    private void TrainUNet()
    {
        using var fresh = ModelFactory.Create(SmallWorldModel.Options);
        using var trained = ModelLoader.Load(VaePath, new ModelLoadOptions { Parts = ModelParts.Vae });
        // Its parts belong to the two above.
        var together = new StableDiffusionModel(new ModelComponents
        {
            UNet = fresh.UNet, TextEncoder = fresh.TextEncoder, Tokenizer = fresh.Tokenizer, Vae = trained.Vae,
            Scheduler = SmallWorldModel.Options.Scheduler,
        });
        Stage("unet", options.UNetSteps)
            .WithModel(together)
            .WithImages(PictureSource.Scenes(options.Pictures, seed: 3), resolution: Scene.Side).WithBatchSize(options.UNetBatch)
            .WithCachedLatents()
            // Guidance compares with what the model draws without a text.
            .WithSubsetOptions(subset => subset with { Captions = subset.Captions with { DropoutRate = 0.1 } })
            .WithFullTraining(ModelParts.UNet | ModelParts.TextEncoder)
            .WithLearningRate(1.5e-3).WithSchedule(new CosineScheduleOptions { Warmup = Warmup.Steps(200) })
            .WithEma(ema => ema with { Decay = 0.998 })
            .SaveTo(UNetPath).Train(progress);
    }

    /// <summary>Stage 3: the decoder alone, so that latents keep their meaning. The result has half precision.</summary>
    private void TrainDecoder() => Stage("decoder", options.DecoderSteps)
        .WithModel(UNetPath)
        .WithImages(PictureSource.Mixed(options.Pictures, seed: 4), resolution: Scene.Side).WithBatchSize(options.VaeBatch)
        .WithVaeTraining(vae => vae with { SaveWholeModel = true })
        .WithLearningRate(1e-3).WithSchedule(new CosineScheduleOptions { Warmup = Warmup.Steps(50) })
        .WithEma(ema => ema with { Decay = 0.99 })
        .SaveTo(ModelPath, NumberFormat.Float16).Train(progress);

    /// <summary>What all stages have in common.</summary>
    private TrainerBuilder Stage(string name, int steps)
    {
        var states = Path.Combine(folder, "states", name);
        return new TrainerBuilder().For(TrainingLength.Steps(steps)).WithWorkers(1)
            .SaveEvery(steps: options.SaveEvery).SaveState(Path.Combine(states, name), keepLast: 1).ResumeFromLatest(states)
            .WithLog(Path.Combine(folder, name + ".jsonl")).WithLossCurve(Path.Combine(folder, name + ".png"));
    }

    /// <summary>Writes 1 / deviation of the latents into the VAE's configuration: the UNet learns fastest when latents have a variance of
    /// 1.</summary>
    private static void ScaleLatents(string path)
    {
        double deviation;
        using (var model = ModelLoader.Load(path, new ModelLoadOptions { Parts = ModelParts.Vae }))
        using (no_grad())
        using (NewDisposeScope())
            deviation = model.Vae.Encode(Pixels.Of(PictureSource.Scenes(512, seed: 2))).Mean.std().item<float>();
        var config = Path.Combine(path, "vae", "config.json");
        var json = JsonNode.Parse(File.ReadAllText(config))!;
        json["scaling_factor"] = 1 / deviation;
        File.WriteAllText(config, json.ToJsonString());
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"deviation of the latents: {deviation:F3}"));
    }
}
