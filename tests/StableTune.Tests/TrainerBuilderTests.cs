using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>What a host's developer does first: describe a run, be told what is wrong, train, look at the files.</summary>
public sealed class TrainerBuilderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Train_TheExampleOfTheReadme_WritesALoRA()
    {
        var output = _folder.File("out", "frog.safetensors");
        var result = Small(output).WithModel(SmallRun.TinySd15(_folder)).Train();

        Assert.Equal([output], result.Files);
        Assert.Equal(3, result.Steps);
        Assert.All(result.Losses, loss => Assert.True(double.IsFinite(loss) && loss > 0));
        using var file = Formats.SafetensorsFile.Open(output);
        Assert.Equal(3 * (30 + 192), file.Tensors.Count);
        Assert.Equal("networks.lora", file.Metadata["ss_network_module"]);
        Assert.Equal("3", file.Metadata["ss_steps"]);
        Assert.Equal("sd_v1", file.Metadata["ss_base_model_version"]);
        Assert.Contains("sls frog", file.Metadata["ss_tag_frequency"]);
        Assert.Contains("20_sls frog", file.Metadata["ss_dataset_dirs"]);
        Assert.Equal("stable-diffusion-v1/lora", file.Metadata["modelspec.architecture"]);
        Assert.Equal(Formats.WeightHashes.OfTensors(output), file.Metadata["sshs_model_hash"]);
    }

    [Fact]
    public void Build_WithNothingSet_ListsEverythingAtOnce()
    {
        var error = Assert.Throws<InvalidOptionsException>(() => new TrainerBuilder().Build());
        var options = error.Problems.Select(p => p.Option).ToArray();
        Assert.Contains("TrainingPlan.ModelPath", options);
        Assert.Contains("TrainingPlan.Trainables", options);
        Assert.Contains("TrainingPlan.Savers", options);
        Assert.All(error.Problems, p => Assert.NotEmpty(p.Remedy));
    }

    [Fact]
    public void Build_WithManyFaults_NamesOptionValueAndRemedyOfEach()
    {
        var error = Assert.Throws<InvalidOptionsException>(() => new TrainerBuilder()
            .WithModel(_folder.File("no-model"))
            .WithImages(_folder.Folder("empty"), resolution: 100)
            .WithLoRA(rank: 0, alpha: 1)
            .WithLearningRate(-1)
            .WithBatchSize(0)
            .WithGradientAccumulation(0)
            .WithMaxGradientNorm(-2)
            .WithClipSkip(0)
            .WithMaxTokenLength(80)
            .For(TrainingLength.Steps(0))
            .SaveEvery(steps: 0)
            .SaveTo(_folder.File("frog.onnx"))
            .Build());
        var text = error.Message;
        foreach (var expected in new[]
        {
            "no-model", "empty", "100 x 100", "LoRAOptions.Rank is 0", "LearningRate is -1", "BatchSize is 0", "GradientAccumulation is 0",
                "MaxGradientNorm is -2",
            "ClipSkip is 0", "MaxTokenLength is 80", "Length is 0 steps", "SaveOptions.EveryNSteps is 0", "frog.onnx",
        })
            Assert.Contains(expected, text);
    }

    [Fact]
    public void Build_SizesSaidOfTheTrainer_AreThoseOfItsDataSet_InAnyOrder()
    {
        var images = SmallRun.Images(_folder);
        var first = Small().WithResolution(64, 96).WithBuckets(new() { MinSide = 32, MaxSide = 128, Step = 16 }).Build().Dataset;
        var last = new TrainerBuilder().WithBuckets(new() { MinSide = 32, MaxSide = 128, Step = 16 }).WithResolution(64, 96)
            .WithBatchSize(2).WithImages(images)
            .WithModel(SmallRun.Model(_folder)).WithLoRA(rank: 4, alpha: 4).SaveTo(_folder.File("last.safetensors")).Build().Dataset;
        Assert.Equal(first.Buckets.Select(bucket => (bucket.Size, bucket.Entries.Count)),
            last.Buckets.Select(bucket => (bucket.Size, bucket.Entries.Count)));
        // the images' own shape, where one size for all would cut them
        Assert.Equal(new(80, 64), Assert.Single(first.Buckets).Size);
        Assert.Equal(new(64, 96), Assert.Single(Small().WithResolution(64, 96).Build().Dataset.Buckets).Size);
        Assert.Equal(8, first.Samples.Count);
    }

    [Fact]
    public void Check_CountsTokensWithTheModelsTokenizer()
    {
        var image = Path.Combine(SmallRun.Images(_folder), "3.png");
        var trainer = Small().Build();
        Assert.DoesNotContain(trainer.Check(new() { ReadPixels = false }).Findings, finding =>
            finding.Kind == Data.FindingKind.LongCaption);
        File.WriteAllText(Path.ChangeExtension(image, ".caption"), string.Join(" ", Enumerable.Repeat("frog", 100)));
        trainer = Small().Build();
        Assert.Equal(image, Assert.Single(trainer.Check(new() { ReadPixels = false }).Findings, finding =>
            finding.Kind == Data.FindingKind.LongCaption).Path);
        Assert.DoesNotContain(Small().WithMaxTokenLength(225).Build().Check(new() { ReadPixels = false }).Findings, finding =>
            finding.Kind == Data.FindingKind.LongCaption);
    }

    [Fact]
    public void Preview_ShowsTheRunsOwnDraws()
    {
        var dataset = new DatasetBuilder()
            .AddFolder(SmallRun.Images(_folder), new() { Captions = new() { Shuffle = true, Prefix = "a, b, c, d, e, f" } })
            .WithResolution(64);
        string Page(Action<string> write)
        {
            File.Delete(_folder.File("preview.html"));
            write(_folder.File("preview.html"));
            return File.ReadAllText(_folder.File("preview.html"));
        }

        var run = Page(path => TinyRun.Bare(_folder).WithDataset(dataset).WithSeed(7).Build().Preview(path));
        Assert.Equal(Page(path => TinyRun.Bare(_folder).WithDataset(dataset).WithSeed(7).Build().Preview(path)), run);
        Assert.NotEqual(Page(path => TinyRun.Bare(_folder).WithDataset(dataset).WithSeed(8).Build().Preview(path)), run);
        var tokenizer = Checkpoints.ModelConfiguration.Find(SmallRun.Model(_folder))!.Tokenizer!;
        Assert.Equal(Page(path => dataset.Build()
            .Preview(path, new() { Seed = 7, TotalSteps = 3, Check = new() { CountTokens = text => tokenizer.EncodeBody(text).Count } })),
            run);
    }

    [Fact]
    public void Build_OutputFolderIsAFile_SaysSo()
    {
        File.WriteAllText(_folder.File("file"), "");
        var error = Assert.Throws<InvalidOptionsException>(() => Small(_folder.File("file", "frog.safetensors")).Build());
        Assert.Contains("TrainableSaver.Path", Assert.Single(error.Problems).Option);
    }

    [Fact]
    public void Build_CachedTextOutputsWithATrainedTextEncoder_IsRefused()
    {
        var error = Assert.Throws<InvalidOptionsException>(() => Small().WithCachedTextEncoderOutputs().Build());
        Assert.Equal("CacheOptions.TextEncoderOutputs", Assert.Single(error.Problems).Option);
        Small().WithCachedTextEncoderOutputs().TrainUNetOnly().Build();
    }

    [Fact]
    public void Build_LaterCallsOnTheBuilder_DoNotReachTheTrainer()
    {
        var builder = Small();
        var trainer = builder.Build();
        builder.WithSeed(7).WithBatchSize(9);
        Assert.Equal((42, 2), (trainer.Plan.Seed, trainer.Plan.Dataset.Options.BatchSize));
    }

    [Fact]
    public void Train_TwiceWithOneSeed_WritesTheSameWeights_AndOtherSeedsOthers()
    {
        var first = Weights(Small(_folder.File("a.safetensors")).Train());
        var again = Weights(Small(_folder.File("b.safetensors")).Train());
        var other = Weights(Small(_folder.File("c.safetensors")).WithSeed(43).Train());
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Train_OnePartOnly_WritesThatPartOnly(bool unet, bool text)
    {
        var builder = Small(_folder.File("part.safetensors"));
        var result = (unet ? builder.TrainUNetOnly() : builder.TrainTextEncoderOnly()).Train();
        using var file = Formats.SafetensorsFile.Open(result.Files[0]);
        Assert.Equal(unet, file.Tensors.Any(t => t.Name.StartsWith("lora_unet_", StringComparison.Ordinal)));
        Assert.Equal(text, file.Tensors.Any(t => t.Name.StartsWith("lora_te_", StringComparison.Ordinal)));
    }

    [Fact]
    public void Train_WithAZeroRateForTheTextEncoder_LeavesItOut()
    {
        var result = Small(_folder.File("zero.safetensors")).WithLearningRate(1e-3, textEncoder: 0).Train();
        using var file = Formats.SafetensorsFile.Open(result.Files[0]);
        Assert.DoesNotContain(file.Tensors, t => t.Name.StartsWith("lora_te_", StringComparison.Ordinal));
    }

    [Fact]
    public void Train_InBFloat16WithCheckpointing_SavesBFloat16_NearTheFloat32Losses()
    {
        var exact = Small(_folder.File("f32.safetensors")).Train();
        var half = Small(_folder.File("bf16.safetensors")).WithPrecision(PrecisionPolicy.BFloat16).WithGradientCheckpointing().Train();
        for (var i = 0; i < exact.Losses.Count; i++) Assert.Equal(exact.Losses[i], half.Losses[i], 2e-2);
        using var file = Formats.SafetensorsFile.Open(half.Files[0]);
        Assert.All(file.Tensors, t => Assert.Equal(Formats.TensorDType.BF16, t.DType));
        Assert.Equal("bf16", file.Metadata["ss_mixed_precision"]);
    }

    [Fact]
    public void Train_WithCheckpointing_GivesTheSameWeights()
    {
        var plain = Weights(Small(_folder.File("plain.safetensors")).Train());
        var checkpointed = Weights(Small(_folder.File("checkpointed.safetensors")).WithGradientCheckpointing().Train());
        Assert.Equal(plain.Length, checkpointed.Length);
        Assert.True(plain.Zip(checkpointed).Max(p => Math.Abs(p.First - p.Second)) < 1e-5);
    }

    [Fact]
    public void Train_WithoutCaches_Works()
    {
        var result = Small().WithCachedLatents(false).TrainUNetOnly().WithCachedTextEncoderOutputs(false).Train();
        Assert.Equal(3, result.Steps);
    }

    [Fact]
    public void Train_WithAccumulation_CountsStepsAndEpochs()
    {
        // 8 pictures 20 times in batches of 16, four batches a step: 10 batches make 3 steps an epoch, the last with two batches.
        var result = Small().WithBatchSize(16).TrainUNetOnly().WithGradientAccumulation(4).For(TrainingLength.Epochs(2)).Train();
        Assert.Equal((6, 2), (result.Steps, result.Epochs));
    }

    [Fact]
    public void Train_LearnsTheseFewImages()
    {
        var result = Small().WithLearningRate(5e-3).For(TrainingLength.Steps(60)).Train();
        Assert.True(result.Losses.TakeLast(15).Average() < 0.9 * result.Losses.Take(5).Average(),
            $"first {result.Losses.Take(5).Average():F4}, last {result.Losses.TakeLast(15).Average():F4}");
    }

    private static float[] Weights(TrainingResult result)
    {
        using var file = Formats.SafetensorsFile.Open(result.Files[0]);
        return [.. file.Tensors.SelectMany(t =>
            System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(file.Span(t.Name)).ToArray())];
    }

    private TrainerBuilder Small(string? output = null) => SmallRun.Builder(_folder, output);
}
