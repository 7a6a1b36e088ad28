using StableTune.Adapters;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Testing;

namespace StableTune.Tests.Extensions;

/// <summary>Runs made of a host's own parts.</summary>
public sealed class HostRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_WithAHostsSourceSaverAndListener_UsesThem()
    {
        var images = TinyRun.Images(_folder);
        foreach (var image in Directory.GetFiles(images, "*.png"))
            File.WriteAllText(Path.ChangeExtension(image, ".txt"), "sls frog, green");
        var (note, recorder) = (_folder.File("out", "note.txt"), new Recorder());
        var result = new TrainerBuilder()
            .WithModel(SmallRun.TinySd15(_folder))
            .WithImages(new CaptionedFolder(images), resolution: 64)
            .WithLoRA(rank: 4, alpha: 2)
            .WithMinSnr(gamma: 5)
            .For(TrainingLength.Epochs(1))
            .SaveEvery(steps: 2)
            .SaveTo(new NoteSaver(note, "first try"))
            .SaveTo(TinyRun.Output(_folder))
            .WithObserver(recorder)
            .Train();

        Assert.Equal([note, TinyRun.Output(_folder)], result.Files);
        Assert.Equal("first try: lora, 444 tensors, step 4 of 4", File.ReadAllText(note));
        Assert.Equal("first try: lora, 444 tensors, step 2 of 4", File.ReadAllText(_folder.File("out", "note-step00000002.txt")));
        var metadata = TinyRun.Metadata(TinyRun.Output(_folder));
        Assert.Contains("\"green\": 4", metadata["ss_tag_frequency"]);
        Assert.Equal("5.0", metadata["ss_min_snr_gamma"]);
        Assert.Equal(4, recorder.Started!.TotalSteps);
    }

    [Fact]
    public void Train_WithAHostsOptimizerAndSchedule_StepsAtItsRates()
    {
        var reports = new Reports();
        var before = TinyRun.HeldBefore();
        TinyRun.Builder(_folder).WithOptimizer(new PlainOptions()).WithSchedule(new HalvingOptions()).WithLearningRate(0.5).Train(reports);
        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Equal([0.5, 0.25, 0.125], reports.Steps.Select(r => r.LearningRates["unet"]));
        var metadata = TinyRun.Metadata(TinyRun.Output(_folder));
        Assert.Equal((typeof(PlainOptions).FullName, "halving"), (metadata["ss_optimizer"], metadata["ss_lr_scheduler"]));
        Assert.Equal(["PlainOptions.Factor"], Refused(TinyRun.Builder(_folder, "refused").WithOptimizer(new PlainOptions { Factor = 0 })));
    }

    [Fact]
    public void Train_WithAHostsOptimizer_MovesEachWeightAgainstItsGradient()
    {
        // Clipped to a small norm and taken at a rate of 1, one step from ΔW = 0 leaves weights of that norm.
        Own(TinyRun.Builder(_folder).For(TrainingLength.Steps(1)).WithOptimizer(new PlainOptions()).WithLearningRate(1)
            .WithMaxGradientNorm(1e-3)).Train();
        Assert.Equal(1e-3, Math.Sqrt(TinyRun.Weights(TinyRun.Output(_folder)).Sum(w => (double)w * w)), 1e-6);
    }

    [Fact]
    public void Train_WithAHostsAdapter_SavesItUnderItsNames()
    {
        var before = TinyRun.HeldBefore();
        var result = Own(TinyRun.Builder(_folder).WithModel(SmallRun.TinySd15(_folder)).WithParts(AdapterParts.All)).Train();
        Assert.Equal(before, TinyRun.HeldTensors);
        using var file = Formats.SafetensorsFile.Open(TinyRun.Output(_folder));
        Assert.Equal(30 + 192, file.Tensors.Count);
        Assert.All(file.Tensors, t => Assert.Matches("^own_(unet|te)_.*[.]diff$", t.Name));
        Assert.Contains(file.Tensors, t => t.Name.StartsWith("own_te_", StringComparison.Ordinal));
        Assert.Equal(typeof(DifferenceOptions).FullName, file.Metadata["ss_network_module"]);
        Assert.All(result.Losses, l => Assert.True(double.IsFinite(l)));
        Assert.Contains(TinyRun.Weights(TinyRun.Output(_folder)), w => w != 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Train_WithAHostsTrainable_TrainsItBesideAnAdapterOrAlone(bool beside)
    {
        var before = TinyRun.HeldBefore();
        var (reports, bias) = (new Reports(), _folder.File("out", "output bias.safetensors"));
        var saver = new TrainableSaver(_folder.File("out", "{name}.safetensors"));
        var plan = TinyRun.Builder(_folder).WithOutputBias().SaveEvery(steps: 1)
            .WithTimesteps(new FirstTimesteps()).Plan with { Savers = [saver] };
        if (!beside) plan = plan with { Trainables = plan.Trainables.RemoveAt(0) };
        var result = new Trainer(plan).Train(reports);
        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Equal(beside ? [_folder.File("out", "lora.safetensors"), bias] : [bias], result.Files);
        Assert.All(reports.Steps, report => Assert.Equal(beside ? ["unet", "output bias"] : ["output bias"], report.LearningRates.Keys));
        Assert.All(reports.Steps, report => Assert.Equal(1e-2, report.LearningRates["output bias"]));

        float[] At(string file) => TinyRun.Weights(file);
        var (first, last) = (At(_folder.File("out", "output bias-step00000001.safetensors")), At(bias));
        Assert.Equal(4, last.Length);
        // AdamW moves a weight by about its rate in each step.
        Assert.All(first.Zip(last), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 1e-3, 2.5e-2));
    }

    [Fact]
    public void Build_AHostsTrainableThatCannotWork_IsNamed()
    {
        Assert.Equal(["OutputBiasOptions.LearningRate", "TrainableSaver.Path"],
            Refused(TinyRun.Builder(_folder).WithOutputBias(new() { LearningRate = 0 })));
        var together = Assert.Single(Assert.Throws<InvalidOptionsException>(() =>
            TinyRun.Builder(_folder).WithOutputBias().Build()).Problems);
        Assert.Equal(("TrainableSaver.Path", TinyRun.Output(_folder)), (together.Option, together.Value));
        Assert.Contains("{name}", together.Remedy, StringComparison.Ordinal);
        var twice = Assert.Throws<InvalidOperationException>(() =>
            new Trainer(TinyRun.Builder(_folder).WithOutputBias()
            .WithOutputBias(new() { Group = "again" }).Plan with { Savers = [new TrainableSaver(
            _folder.File("twice", "{name}.safetensors"))] }).Train());
        Assert.Contains("conv_out.bias", twice.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_WithAHostsLossNoiseTimestepsAndWeighting_AsksThem()
    {
        var (loss, noise, timesteps, weighting) = (new CountingLoss(), new CountingNoise(), new FirstTimesteps(), new Doubled());
        var plain = TinyRun.Builder(_folder, "plain").WithTimesteps(timesteps).For(TrainingLength.Steps(1)).Train();
        var own = TinyRun.Builder(_folder).WithLoss(loss).WithNoise(noise).WithTimesteps(timesteps).WithLossWeighting(weighting).Train();
        Assert.Equal((3, 3), (loss.Calls, noise.Calls));
        Assert.Equal(4, timesteps.Calls);
        Assert.Equal(2 * plain.Losses[0], own.Losses[0], 1e-5);
        Assert.Equal("CountingLoss", TinyRun.Metadata(TinyRun.Output(_folder))["ss_loss_type"]);
    }

    [Fact]
    public void Build_AHostsPartsAreAskedWhatIsWrong()
    {
        Assert.Equal(["NoteSaver.text"], Refused(TinyRun.Builder(_folder).SaveTo(new NoteSaver("note.txt", ""))));
        Assert.Equal(["DatasetPlan.Subsets"], Refused(TinyRun.Builder(_folder).WithImages(new CaptionedFolder(_folder.Folder("empty")))));
        var missing = Assert.Throws<InvalidOptionsException>(() =>
            TinyRun.Builder(_folder).WithImages(new CaptionedFolder(TinyRun.Images(_folder))).Build());
        Assert.Contains("0.txt", Assert.Single(missing.Problems).Rule);
    }

    /// <summary>The run with the host's adapter in place of LoRA.</summary>
    private static Trainer Own(TrainerBuilder builder) =>
        new(builder.Plan with { Trainables = new TrainerBuilder().WithDifference().Plan.Trainables });

    private static string[] Refused(TrainerBuilder builder) =>
        [.. Assert.Throws<InvalidOptionsException>(() => builder.Build()).Problems.Select(p => p.Option)];

    private sealed class CountingLoss : ILoss
    {
        public int Calls { get; private set; }

        public Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps)
        {
            Calls++;
            return new MseLoss().PerElement(predicted, target, schedule, timesteps);
        }
    }

    private sealed class CountingNoise : INoiseSource
    {
        public int Calls { get; private set; }

        public Tensor Draw(Tensor latents, Generator generator)
        {
            Calls++;
            return new NormalNoise().Draw(latents, generator);
        }
    }

    private sealed class FirstTimesteps : ITimestepSource
    {
        public int Calls { get; private set; }

        public Tensor Draw(int count, Generator generator)
        {
            Calls++;
            return full([count], 10, dtype: ScalarType.Int64);
        }
    }

    private sealed class Doubled : ILossWeighting
    {
        public Tensor Weights(NoiseSchedule schedule, PredictionType prediction, Tensor timesteps) =>
            full([timesteps.shape[0]], 2, dtype: ScalarType.Float32);
    }
}
