using System.Text.Json;
using StableTune.Adapters;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Losses;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>What a run writes about its images.</summary>
public sealed class RunMetadataTests
{
    [Fact]
    public void Describe_HasTheReferencesNamesAndForms()
    {
        var metadata = Describe(Cats());
        Assert.Equal("{\"10_cat\": {\"cat\": 2, \"sitting\": 1, \"dog\": 1, \"\\u00e9t\\u00e9 \\\"x\\\"\": 1}, \"1_cat\": {\"cat\": 1}}",
            metadata["ss_tag_frequency"]);
        Assert.Equal("{\"10_cat\": {\"n_repeats\": 10, \"img_count\": 2}}", metadata["ss_dataset_dirs"]);
        Assert.Equal("{\"1_cat\": {\"n_repeats\": 1, \"img_count\": 1}}", metadata["ss_reg_dataset_dirs"]);
        Assert.Equal(("20", "1", "20", "(512, 768)", "null", "1.0"),
            (metadata["ss_num_train_images"], metadata["ss_num_reg_images"], metadata["ss_num_batches_per_epoch"],
            metadata["ss_resolution"], metadata["ss_bucket_info"], metadata["ss_prior_loss_weight"]));
        Assert.Equal(768, JsonDocument.Parse(metadata["ss_datasets"]).RootElement[0].GetProperty("resolution")[1].GetInt32());
    }

    [Fact]
    public void Describe_WithoutDataNames_KeepsFoldersAndCaptionsPrivate()
    {
        var metadata = Describe(Cats(), includeDataNames: false);
        Assert.DoesNotContain(metadata.Values, value => value.Contains("cat", StringComparison.Ordinal));
        Assert.Equal(["ss_dataset_dirs", "ss_datasets", "ss_reg_dataset_dirs", "ss_tag_frequency"],
            Describe(Cats()).Keys.Except(metadata.Keys).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Describe_CaptionsBucketsAndWeights_AreWrittenAsTheyWereSet()
    {
        var captions = new CaptionOptions
        {
            Shuffle = true, KeepTokens = 2, KeepTokensSeparator = "|||", SecondarySeparator = ";;;", Wildcard = true, Prefix = "a",
            Suffix = "b",
            DropoutRate = 0.00005, DropoutEveryNEpochs = 3, TagDropoutRate = 0.1,
        };
        var dataset = new DatasetBuilder()
            .WithOptions(new DatasetOptions { Resolution = new(512, 512), BatchSize = 4, PriorLossWeight = 0.5,
                Interpolation = Interpolation.Area, Bucketing = new ByShape() })
            .Add(new Items(Item("reg", "1_cat", "c.png", 512, 512)), new() { IsRegularization = true })
            .Add(new Items(Item("img", "2_dog", "a.png", 512, 512), Item("img", "2_dog", "b.png", 1000, 500)),
                new() { Repeats = 2, ClassTokens = "dog", Captions = captions }).Build();
        var metadata = Describe(dataset);

        var expected = new (string Key, string Value)[]
        {
            ("ss_batch_size_per_device", "4"), ("ss_total_batch_size", "4"), ("ss_prior_loss_weight", "0.5"), ("ss_enable_bucket", "True"),
                ("ss_bucket_no_upscale", "False"),
            ("ss_min_bucket_reso", "None"), ("ss_max_bucket_reso", "None"), ("ss_shuffle_caption", "True"), ("ss_keep_tokens", "2"),
                ("ss_caption_dropout_rate", "5e-05"),
            ("ss_caption_dropout_every_n_epochs", "3"), ("ss_caption_tag_dropout_rate", "0.1"), ("ss_resize_interpolation", "area"),
                ("ss_color_aug", "False"),
            ("ss_flip_aug", "False"), ("ss_random_crop", "False"),
            ("ss_bucket_info", """{"buckets": {"0": {"resolution": [512, 512], "count": 6}, "1": {"resolution": [768, 512], "count": 2}}, "mean_img_ar_error": 0.16666666666666666}"""),
        };
        Assert.Equal(expected, expected.Select(e => (e.Key, metadata[e.Key])));
        Assert.Equal("512x512", metadata["modelspec.resolution"]);
        var set = Assert.Single(JsonDocument.Parse(metadata["ss_datasets"]).RootElement.EnumerateArray());
        Assert.Equal(metadata["ss_bucket_info"], set.GetProperty("bucket_info").GetRawText());
        Assert.Equal(metadata["ss_tag_frequency"], set.GetProperty("tag_frequency").GetRawText());
        Assert.Equal((4, 4, 1), (set.GetProperty("batch_size_per_device").GetInt32(), set.GetProperty("num_train_images").GetInt32(),
            set.GetProperty("num_reg_images").GetInt32()));
        Assert.Equal("""
            {"img_count": 2, "num_repeats": 2, "color_aug": false, "flip_aug": false, "random_crop": false, "shuffle_caption": true, "keep_tokens": 2, "keep_tokens_separator": "|||", "secondary_separator": ";;;", "enable_wildcard": true, "caption_prefix": "a", "caption_suffix": "b", "resize_interpolation": "area", "image_dir": "2_dog", "class_tokens": "dog", "is_reg": false}
            """, set.GetProperty("subsets").EnumerateArray().Single(subset => !subset.GetProperty("is_reg").GetBoolean()).GetRawText());
    }

    [Fact]
    public void Describe_FoldersOfOneName_CountTogether()
    {
        var dataset = new DatasetBuilder().WithResolution(64)
            .Add(new Items(Item("here", "3_cat", "a.png", 64, 64)), new() { Repeats = 3 })
                .Add(new Items(Item("there", "3_cat", "b.png", 64, 64)), new() { Repeats = 3 }).Build();
        Assert.Equal("{\"3_cat\": {\"n_repeats\": 3, \"img_count\": 2}}", Describe(dataset)["ss_dataset_dirs"]);
    }

    [Fact]
    public void Describe_TheLoss_IsWrittenAsItWasSet()
    {
        var loss = new DiffusionLoss
        {
            Loss = new HuberLoss { C = 0.2, Scale = 1.5, Schedule = HuberSchedule.Constant },
            Weightings = [new MinSnrWeighting { Gamma = 5 }, new DebiasedWeighting()],
        };
        var metadata = Describe(Cats(), plan: new TrainingPlan { Loss = loss });
        (string, string)[] expected =
        [
            ("ss_loss_type", "huber"), ("ss_huber_c", "0.2"), ("ss_huber_scale", "1.5"), ("ss_huber_schedule", "constant"),
                ("ss_min_snr_gamma", "5.0"),
            ("ss_debiased_estimation", "True"),
        ];
        Assert.Equal(expected, expected.Select(e => (e.Item1, metadata[e.Item1])));
    }

    [Fact]
    public void Describe_EveryKindOfLoss_HasItsReferenceName()
    {
        ILoss[] losses = [new MseLoss(), new L1Loss(), new HuberLoss(), new SmoothL1Loss(), new OwnLoss()];
        Assert.Equal(["l2", "l1", "huber", "smooth_l1", "OwnLoss"],
            losses.Select(loss => Describe(Cats(), plan: new TrainingPlan { Loss = new DiffusionLoss { Loss = loss } })["ss_loss_type"]));
    }

    private sealed class OwnLoss : ILoss
    {
        public Tensor PerElement(Tensor predicted, Tensor target, NoiseSchedule schedule, Tensor timesteps) => predicted - target;
    }

    private static TrainingDataset Cats() => new DatasetBuilder().WithResolution(512, 768).WithBatchSize(2)
        .Add(new Items(
            new DatasetItem(Path.Combine("img", "10_cat", "a.png"), new(64, 64), "Cat, Sitting , cat") { Repeats = 10 },
            new DatasetItem(Path.Combine("img", "10_cat", "b.png"), new(64, 64), "dog,, \u00e9t\u00e9 \"x\"") { Repeats = 10 }))
        .Add(new Items(new DatasetItem(Path.Combine("reg", "1_cat", "c.png"), new(64, 64), "CAT")), new() { IsRegularization = true })
            .Build();

    private static IReadOnlyDictionary<string,
        string> Describe(TrainingDataset dataset, bool includeDataNames = true, TrainingPlan? plan = null) =>
        RunMetadata.Describe(new SaveRequest
    {
        Path = "out/output.safetensors", FinalPath = "out/output.safetensors", WriteDataNames = includeDataNames, Moment = new SaveMoment
    {
        Reason = SaveReason.End,
        Step = 1,
        Epoch = 1,
        Trainables = [],
        Plan = plan ?? new TrainingPlan(),
        Run = new RunDescription
        {
            SessionId = 7, StartedAt = DateTimeOffset.UnixEpoch, TotalSteps = 1, TotalEpochs = 1, Dataset = dataset,
            BaseModel = ModelVersion.Sd1, Prediction = ModelPrediction.Epsilon, CachesLatents = true,
        },
    },
    }, new AdapterTrainableOptions { Adapter = new LoRAOptions() }, new LoRAOptions().Describe()).Full;

    private static DatasetItem Item(string root, string folder, string name, int width, int height) =>
        new(Path.Combine(root, folder, name), new(width, height), "x");

    private sealed class Items(params DatasetItem[] items) : IDatasetSource
    {
        IEnumerable<DatasetItem> IDatasetSource.Items() => items;
    }

    /// <summary>Squares, and one size for all that is wider.</summary>
    private sealed class ByShape : IBucketing
    {
        public bool HasBuckets => true;

        public IEnumerable<OptionProblem> Validate(PixelSize resolution) => [];

        public Framing Frame(PixelSize image, PixelSize resolution) =>
            image.Width > image.Height ? new(new(1024, 512), 128, 0, new(768, 512)) : new(image, 0, 0, image);
    }
}
