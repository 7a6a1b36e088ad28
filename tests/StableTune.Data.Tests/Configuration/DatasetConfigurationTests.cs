using System.Globalization;
using System.Text.Json;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests.Configuration;

/// <summary>Data set configurations against sd-scripts' (tests/fixtures/data/configs).</summary>
public sealed class DatasetConfigurationTests : IDisposable
{
    private static readonly string s_folder = Fixtures.Path("data", "configs");
    private static readonly JsonElement s_expected =
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(s_folder, "expected.json"))).RootElement;

    /// <summary>
    /// What only one of the reference's scripts refuses: there is one engine here, which takes every kind for every target.
    /// </summary>
    private static readonly string[] s_accepted =
    [
        "invalid_conditioning_without_support.toml", "invalid_dreambooth_subset_in_fine_tune.toml", "invalid_missing_conditioning_dir.toml",
        "invalid_fine_tuning_subset_in_train_db.toml", "invalid_dropout_in_train_db.toml",
    ];

    private readonly TemporaryFolder _temporary = new();

    public static TheoryData<string> Good => [.. GoodNames];

    public static TheoryData<string> Bad => [.. BadNames];

    private static IEnumerable<string> GoodNames => Cases("valid").Concat(Cases("random")).Concat(Cases("invalid"))
        .Where(entry => entry.Value.TryGetProperty("datasets", out var datasets) && datasets.EnumerateArray()
            .Any(set => set.GetProperty("subsets").GetArrayLength() > 0)).Select(entry => entry.Name);

    private static IEnumerable<string> BadNames => Cases("invalid").Concat(Cases("random"))
        .Where(entry => entry.Value.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.String
            && !s_accepted.Contains(entry.Name)).Select(entry => entry.Name);

    public void Dispose() => _temporary.Dispose();

    [Fact]
    public void Cases_AreAllTested()
    {
        string[] without = ["no_datasets.toml", "empty_file.toml", "dataset_without_subsets.toml"];
        var all = new[] { "valid", "invalid", "random" }.SelectMany(Cases).Select(entry => entry.Name).ToList();
        Assert.Equal((79, 31, 40), (all.Count, GoodNames.Count(), BadNames.Count()));
        Assert.Equal(all.Order(), GoodNames.Concat(BadNames).Concat(s_accepted).Concat(without).Order());
        Assert.Equal(2, s_expected.GetProperty("unreadable").GetArrayLength());
    }

    /// <summary>One engine takes what one of the reference's scripts refuses.</summary>
    [Fact]
    public void Read_OfWhatOneScriptAloneRefuses_TakesIt() => Assert.All(s_accepted, name =>
    {
        var subset = Assert.Single(Assert.Single(DatasetConfiguration.Read(Path.Combine(s_folder, name)).All).Subsets);
        Assert.True(name switch
        {
            "invalid_conditioning_without_support.toml" => subset.Options.ConditioningFolder is not null,
            "invalid_fine_tuning_subset_in_train_db.toml" => subset.Source is MetadataSource,
            "invalid_dropout_in_train_db.toml" => subset.Options.Captions.DropoutRate > 0,
            _ => subset is { Source: FolderSource, Options.ConditioningFolder: null },
        }, name);
    });

    [Fact]
    public void Read_OfALeastFile_HasTheDefaultsOfTheReferencesArguments()
    {
        File.WriteAllText(_temporary.File("data.toml"), "[[datasets]]\n[[datasets.subsets]]\nimage_dir = \"a\"");
        var plan = DatasetConfiguration.Read(_temporary.File("data.toml"));
        var (options, subset, defaults) = (plan.Options, Assert.Single(plan.Subsets), s_expected.GetProperty("argument_defaults"));
        var (captions, augmentation, buckets) = (subset.Options.Captions, subset.Options.Augmentation, new AspectBuckets());
        var found = new Dictionary<string, object?>
        {
            ["train_batch_size"] = options.BatchSize, ["resolution"] = options.Resolution,
            ["enable_bucket"] = options.Bucketing is not null,
            ["min_bucket_reso"] = buckets.MinSide, ["max_bucket_reso"] = buckets.MaxSide, ["bucket_reso_steps"] = buckets.Step,
            ["bucket_no_upscale"] = buckets.NoUpscale,
            ["color_aug"] = augmentation.Color != ColorAugmentation.None, ["flip_aug"] = augmentation.Flip, ["face_crop_aug_range"] =
                augmentation.FaceCrop, ["random_crop"] = augmentation.RandomCrop,
            ["shuffle_caption"] = captions.Shuffle, ["caption_separator"] = captions.Separator, ["caption_extension"] =
                string.Join(",", ((FolderSource)subset.Source).CaptionExtensions),
            ["keep_tokens"] = captions.KeepTokens, ["keep_tokens_separator"] = captions.KeepTokensSeparator ?? "",
            ["secondary_separator"] = captions.SecondarySeparator,
            ["enable_wildcard"] = captions.Wildcard, ["caption_prefix"] = captions.Prefix, ["caption_suffix"] = captions.Suffix,
            ["caption_dropout_rate"] = captions.DropoutRate,
            ["caption_dropout_every_n_epochs"] = captions.DropoutEveryNEpochs, ["caption_tag_dropout_rate"] = captions.TagDropoutRate,
            ["token_warmup_min"] = captions.WarmupMin, ["token_warmup_step"] = captions.WarmupSteps,
            ["dataset_repeats"] = subset.Options.Repeats ?? 1,
            ["prior_loss_weight"] = options.PriorLossWeight, ["resize_interpolation"] = options.Interpolation?.Name,
        };
        string[] elsewhere = ["debug_dataset", "max_token_length"];                // of a run
        Assert.Equal(defaults.EnumerateObject().Select(value => value.Name).Order(), found.Keys.Concat(elsewhere).Order());
        foreach (var (name, value) in found) Same(defaults, name, value);
    }

    [Fact]
    public void Read_WithWhatTheCallerGives_KeepsItWhereTheFileSaysNothing()
    {
        DatasetOptions Read(string dataset, IBucketing? bucketing)
        {
            File.WriteAllText(_temporary.File("data.toml"), $"[[datasets]]\n{dataset}\n[[datasets.subsets]]\nimage_dir = \"a\"");
            return DatasetConfiguration.Read(_temporary.File("data.toml"), new() { Bucketing = bucketing }).Options;
        }

        var (squash, theirs) = (new FixedResolution { Mode = ResizeMode.Squash }, new SdTrainerBuckets { MaxAspect = 3 });
        Assert.Same(squash, Read("", squash).Bucketing);
        Assert.Same(squash, Read("enable_bucket = false", squash).Bucketing);
        Assert.Equal(new AspectBuckets(), Read("enable_bucket = true", squash).Bucketing);
        Assert.Same(theirs, Read("", theirs).Bucketing);
        Assert.Null(Read("enable_bucket = false", theirs).Bucketing);
        Assert.Equal(new AspectBuckets { Step = 32 }, Read("bucket_reso_steps = 32", theirs).Bucketing);
        Assert.Equal(new AspectBuckets { Step = 32, NoUpscale = true },
            Read("bucket_no_upscale = true", new AspectBuckets { Step = 32 }).Bucketing);
    }

    [Fact]
    public void Read_WithLimitsButNoBuckets_NotesThatTheyHaveNoEffect()
    {
        File.WriteAllText(_temporary.File("data.toml"),
            "[general]\nmin_bucket_reso = 128\n[[datasets]]\nbucket_no_upscale = true\n[[datasets.subsets]]\nimage_dir = \"a\"");
        var note = Assert.Single(DatasetConfiguration.Read(_temporary.File("data.toml")).Notes);
        Assert.EndsWith("line 2, column 1: without enable_bucket these have no effect: min_bucket_reso, bucket_no_upscale.", note,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("alpha_mask = true", 1)]
    [InlineData("alpha_mask = false", 0)]
    [InlineData("", 0)]
    public void Read_WhereConditioningImagesAreTheMasks_TheyGoBeforeTheAlphaChannel(string line, int notes)
    {
        File.WriteAllText(_temporary.File("data.toml"),
            $"[[datasets]]\n[[datasets.subsets]]\nimage_dir = \"a\"\nconditioning_data_dir = \"b\"\n{line}");
        var plan = DatasetConfiguration.Read(_temporary.File("data.toml"), subsets: new() { Mask = LossMask.Conditioning });
        Assert.Equal(LossMask.Conditioning, Assert.Single(plan.Subsets).Options.Mask);
        Assert.Equal(notes, plan.Notes.Length);
        Assert.All(plan.Notes, note => Assert.Contains("line 5, column 1: alpha_mask has no effect", note, StringComparison.Ordinal));
    }

    [Fact]
    public void Build_OfWhatWasLeftOut_SaysSo_AndAKnownAttributeHasItsType()
    {
        Pictures.Write(_temporary.File("a.png"), 64, 64);
        string Fault(string lines)
        {
            File.WriteAllText(_temporary.File("data.toml"),
                $"[[datasets]]\nresolution = 64\n[[datasets.subsets]]\nimage_dir = \".\"\n{lines}");
            return Assert.Single(Assert.Throws<InvalidOptionsException>(() => DatasetBuilder.FromToml(_temporary.File("data.toml"))
                .Build()).Problems).ToString();
        }

        Assert.Contains("line 3, column 12: the subset is left out, its num_repeats is 0", Fault("num_repeats = 0"),
            StringComparison.Ordinal);
        Assert.Contains("SubsetOptions.Attributes is \"yes\": the attribute diff_output_preservation is true or false",
            Fault("custom_attributes = { diff_output_preservation = \"yes\" }"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("flip", "flip_aug")]
    [InlineData("repeats", "num_repeats")]
    [InlineData("shuffle", "shuffle_caption")]
    [InlineData("caption_dropout", "caption_dropout_rate")]
    [InlineData("Keep_Token", "keep_tokens")]
    public void Read_WithAPartOfAName_FindsTheName(string key, string name)
    {
        File.WriteAllText(_temporary.File("data.toml"), $"[[datasets]]\n[[datasets.subsets]]\nimage_dir = \"a\"\n{key} = true");
        Assert.Contains($"Did you mean \"{name}\"?",
            Assert.ThrowsAny<InvalidFileException>(() => DatasetConfiguration.Read(_temporary.File("data.toml"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Read_WithAFaultInGeneral_TellsItOnce()
    {
        File.WriteAllText(_temporary.File("data.toml"),
            "[general]\nflip_aug = 1\n[[datasets]]\n[[datasets.subsets]]\nimage_dir = \"a\"\n[[datasets.subsets]]\nimage_dir = \"b\"");
        Assert.Single(Assert.ThrowsAny<InvalidFileException>(() =>
            DatasetConfiguration.Read(_temporary.File("data.toml"))).Message.Split("flip_aug")[1..]);
    }

    [Theory]
    [MemberData(nameof(Good))]
    public void Read_OfAGoodFile_ResolvesToTheReferencesOptions(string name)
    {
        var expected = Find(name);
        var (datasets, subsets) = Arguments(expected.TryGetProperty("arguments", out var given)
            ? [.. given.EnumerateArray().Select(argument => argument.GetString()!)] : []);
        var plans = DatasetConfiguration.Read(Path.Combine(s_folder, name), datasets, subsets).All.ToList();
        Assert.Equal(expected.GetProperty("datasets").GetArrayLength(), plans.Count);
        foreach (var (wanted, plan) in expected.GetProperty("datasets").EnumerateArray().Zip(plans)) Compare(wanted, plan);
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void Read_OfABadFile_IsRefusedAtItsLine(string name)
    {
        var error = Assert.ThrowsAny<InvalidFileException>(() => DatasetConfiguration.Read(Path.Combine(s_folder, name)));
        Assert.StartsWith(Path.Combine(s_folder, name), error.Message, StringComparison.Ordinal);
        Assert.Matches("line [0-9]+, column [0-9]+", error.Message);
        var message = Find(name).GetProperty("message").GetString()!;
        // What the reference names in brackets last is the key that is wrong; a missing one stands in the remedy.
        if (message.Contains("@ data", StringComparison.Ordinal))
            Assert.Contains(message.Split('\'')[^2], error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no_datasets.toml", "describes no data set")]
    [InlineData("empty_file.toml", "describes no data set")]
    [InlineData("dataset_without_subsets.toml", "has no subsets")]
    [InlineData("unsupported.yaml", "ends in .toml or .json")]
    [InlineData("missing.toml", "missing.toml")]
    public void Read_OfWhatCannotBeTrained_SaysWhy(string name, string why) =>
        Assert.Contains(why, Assert.ThrowsAny<InvalidFileException>(() => DatasetConfiguration.Read(Path.Combine(s_folder, name))).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Read_WithSeveralFaults_ListsAll_WithTheNearestNames()
    {
        File.WriteAllText(_temporary.File("data.toml"), """
            [general]
            shufle_caption = true
            [[datasets]]
            batch_size = "4"
              [[datasets.subsets]]
              image_dir = "a"
              resolution = 512
              resize_interpolation = "sinc"
            """);
        var message = Assert.ThrowsAny<InvalidFileException>(() => DatasetConfiguration.Read(_temporary.File("data.toml"))).Message;
        Assert.Contains("line 2, column 1: \"shufle_caption\" is no option of [general]. Did you mean \"shuffle_caption\"?", message,
            StringComparison.Ordinal);
        Assert.Contains("line 4, column 14: \"batch_size\" is the text \"4\", not a whole number", message, StringComparison.Ordinal);
        Assert.Contains("line 7, column 3: \"resolution\" is no option of a subset. It stands in [general] or in [[datasets]].", message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Build_OfTwoDataSets_KeepsTheirSizesAndBatchesApart()
    {
        Directory.CreateDirectory(_temporary.File("small"));
        Directory.CreateDirectory(_temporary.File("20_large"));
        for (var i = 0; i < 5; i++) Pictures.Write(_temporary.File($"small/{i}.png"), 64, 64, i);
        for (var i = 0; i < 3; i++) Pictures.Write(_temporary.File($"20_large/{i}.png"), 64, 64, i);
        File.WriteAllText(_temporary.File("data.toml"), """
            [[datasets]]
            resolution = 32
            batch_size = 2
              [[datasets.subsets]]
              image_dir = "small"
              class_tokens = "a small one"
            [[datasets]]
            resolution = [64, 48]
            batch_size = 3
            network_multiplier = -1.0
              [[datasets.subsets]]
              image_dir = "20_large"
              num_repeats = 2
              cache_info = true
              [[datasets.subsets]]
              image_dir = "nothing"
              num_repeats = 0
            """);
        var dataset = DatasetConfiguration.Read(_temporary.File("data.toml")).Build();
        Assert.Equal(8, dataset.Samples.Count);
        Assert.Equal(Enumerable.Range(0, 8), dataset.Samples.Select(sample => sample.Index));
        Assert.Equal((11, 5, 2), (dataset.TrainingImageCount, dataset.BatchesPerEpoch, dataset.Parts.Count));
        Assert.Contains("num_repeats is 0", Assert.Single(dataset.Warnings, warning => warning.Contains("data.toml")));

        using var loader = new BatchLoader(new() { Workers = 0 });
        var seen = new List<(long[] Shape, int Count)>();
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)))
        {
            seen.Add((batch.Pixels!.shape[1..], batch.Count));
            Assert.All(batch.Items, item => Assert.Equal(batch.Size == new PixelSize(32, 32) ? 1 : -1, item.Dataset.NetworkMultiplier));
            batch.Dispose();
        }

        Assert.Equal([(32, 1), (32, 2), (32, 2), (48, 3), (48, 3)], seen.Select(batch => (batch.Shape[1], batch.Count)).Order());
    }

    [Theory]
    [MemberData(nameof(Good))]
    public void Write_OfWhatWasRead_ReadsAsTheSame(string name)
    {
        var plan = DatasetConfiguration.Read(Path.Combine(s_folder, name));
        var text = DatasetConfiguration.ToToml(plan);
        if (plan.All.Any(part => part.Subsets.IsEmpty))                          // all subsets were left out
        {
            var error = Assert.Throws<InvalidConfigurationException>(() =>
                DatasetConfiguration.Read(TomlDocument.Parse(text, Path.Combine(s_folder, "again.toml"))));
            Assert.Contains("no subsets", error.Message, StringComparison.Ordinal);
            return;
        }

        Assert.Equal(text,
            DatasetConfiguration.ToToml(DatasetConfiguration.Read(TomlDocument.Parse(text, Path.Combine(s_folder, "again.toml")))));
        // Everything that tells plans apart is in the text, sources too; notes are about a file, not about the plan.
        Assert.Equal(Shape(plan), Shape(DatasetConfiguration.Read(TomlDocument.Parse(text, Path.Combine(s_folder, "again.toml")))));
    }

    [Fact]
    public void Write_OfWhatTheBuilderMade_NamesFoldersAsTheyAreRead()
    {
        Directory.CreateDirectory(_temporary.File("train/20_sls frog"));
        Directory.CreateDirectory(_temporary.File("train/3_toad"));
        Directory.CreateDirectory(_temporary.File("10_cat"));
        var builder = new DatasetBuilder().AddDreamBoothRoot(_temporary.File("train"))
            .AddFolder(_temporary.File("10_cat"), new SubsetOptions { IsRegularization = true })
            .AddMetadata("meta.json", "images", new() { Captions = new() { Shuffle = true, KeepTokens = 1 } }).WithResolution(512, 768)
                .WithBatchSize(2).WithBuckets();
        var mixed = Assert.Throws<InvalidOptionsException>(() => DatasetConfiguration.ToToml(builder.Plan));
        Assert.Contains("metadata", mixed.Message, StringComparison.Ordinal);

        var plan = builder.Plan with { Subsets = builder.Plan.Subsets.RemoveAt(2) };
        DatasetConfiguration.Write(_temporary.File("data.toml"), plan);
        Assert.Equal($"""
            [[datasets]]
            resolution = [512, 768]
            batch_size = 2
            enable_bucket = true

              [[datasets.subsets]]
              image_dir = "{_temporary.File("train/20_sls frog")}"
              num_repeats = 20
              class_tokens = "sls frog"

              [[datasets.subsets]]
              image_dir = "{_temporary.File("train/3_toad")}"
              num_repeats = 3
              class_tokens = "toad"

              [[datasets.subsets]]
              image_dir = "{_temporary.File("10_cat")}"
              num_repeats = 10
              class_tokens = "cat"
              is_reg = true

            """.ReplaceLineEndings("\n"), File.ReadAllText(_temporary.File("data.toml")));
    }

    [Fact]
    public void Write_OfWhatTheFormatCannotSay_NamesEachOption()
    {
        var plan = new DatasetBuilder()
            .Add(new Own(), new() { Augmentation = new() { Color = ColorAugmentation.Reference },
            Captions = new() { Further = [new Loud()] } })
            .WithResolution(512).WithBucketing(new Halves()).WithPriorLossWeight(0.5).Plan;
        var error = Assert.Throws<InvalidOptionsException>(() => DatasetConfiguration.ToToml(plan));
        Assert.Equal(["AugmentationOptions.Color", "CaptionOptions.Further", "DatasetOptions.Bucketing", "DatasetOptions.PriorLossWeight",
            "SubsetPlan.Source"], error.Problems.Select(problem => problem.Option).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(7)]
    public void Build_WithAValidationSplit_HoldsImagesOut_Unchanged(int? seed)
    {
        for (var i = 0; i < 10; i++)
        {
            Pictures.Write(_temporary.File($"{i}.png"), 64, 64, i);
            File.WriteAllText(_temporary.File($"{i}.caption"), $"tag {i}, other");
        }

        File.WriteAllText(_temporary.File("data.toml"), $"""
            [[datasets]]
            resolution = 32
            validation_split = 0.25
            {(seed is null ? "" : $"validation_seed = {seed}")}
            shuffle_caption = true
            caption_dropout_rate = 1.0
              [[datasets.subsets]]
              image_dir = "."
              num_repeats = 5
              flip_aug = true
            """);
        var dataset = DatasetBuilder.FromToml(_temporary.File("data.toml")).Build();
        var held = dataset.Validation!.Samples;
        Assert.Equal((40, 2), (dataset.TrainingImageCount, held.Count));
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"{i}.png"), dataset.Samples.Concat(held)
            .Select(sample => Path.GetFileName(sample.Path)).Order(StringComparer.Ordinal));
        if (seed is null) Assert.Equal(["8.png", "9.png"], held.Select(sample => Path.GetFileName(sample.Path)));
        else Assert.NotEqual(["8.png", "9.png"], held.Select(sample => Path.GetFileName(sample.Path)));
        using var loader = new BatchLoader(new() { Workers = 0 });
        foreach (var batch in loader.Load(EpochPlan.Create(dataset.Validation, new NamedSeeds(1), 1)))
            using (batch) Assert.Equal(batch.Items.Select(item => item.Caption), batch.Captions);
    }

    private static string Shape(DatasetPlan plan) =>
        string.Join('\n', plan.All.Select(part => $"{part.Options} " + string.Join('\n', part.Subsets.Select(subset => subset.Source switch
    {
        FolderSource folder =>
            $"{folder.Folder}|{string.Join(",", folder.CaptionExtensions)}|{folder.CaptionsByFullName}|"
            + $"{folder.CacheInfo}|{folder.ReadFolderName}",
        MetadataSource file => $"{file.File}|{file.ImageFolder}|{file.Separator}|{file.Wildcard}",
        var other => other.ToString(),
    } + JsonSerializer.Serialize(subset.Options with { Attributes = new Dictionary<string, object?>() })
        + JsonSerializer.Serialize(subset.Options.Attributes)))));

    /// <summary>Every option that there is is either written and read again, or among those that a file cannot say.</summary>
    [Fact]
    public void Write_OfEveryOption_ReadsAsTheSame()
    {
        var augmentation = new AugmentationOptions
        {
            Flip = true, Color = ColorAugmentation.Weak, RandomCrop = true, FaceCrop = (1, 3.5), Brightness = 0.1, Contrast = 0.2,
            Saturation = 0.3, Rotation = 4, CircularMask = (0.5, 1),
        };
        var captions = new CaptionOptions
        {
            Text = "t",
            Prefix = "p", PrefixSeparator = "", TakeEmptyFirstLine = true, Suffix = "s\n\"", DropoutRate = 0.1, DropoutEveryNEpochs = 3,
            Wildcard = true, Shuffle = true, Separator = ";", KeepTokens = 2, KeepTokensSeparator = "|||",
            SecondarySeparator = ";;;", TagDropoutRate = 0.2, WarmupMin = 2, WarmupSteps = 0.5,
        };
        var subset = new SubsetOptions
        {
            Repeats = 4, SamplesPerEpoch = 5, Weight = 2.5, ClassTokens = "c", IsRegularization = true,
            CaptionExtensions = [".tags", ".txt"], CaptionsByFullName = true, Augmentation = augmentation, Captions = captions,
            Interpolation = Interpolation.Box, ConditioningFolder = "/hints", PromptFreeFolder = "/pfg", Mask = LossMask.Conditioning,
            Attributes = new Dictionary<string, object?> { ["a"] = 1L, ["b"] = new List<object?> { "x", 2.5 } },
        };
        var options = new DatasetOptions
        {
            Resolution = new(640, 448), BatchSize = 6, Bucketing = new AspectBuckets { MinSide = 128, MaxSide = 2048, Step = 32,
                NoUpscale = true }, PriorStyle = PriorStyle.Paired, MinibatchRepeat = 3,
            DropLast = true, MaxBatchesPerEpoch = 7, SamplesPerEpoch = 8, MinimumImageArea = 5_000_000_000, NetworkMultiplier = -1,
            ValidationSplit = 0.25, ValidationSeed = 9,
            ApplyExifOrientation = false, OnBadImage = BadImagePolicy.Skip, Interpolation = Interpolation.Nearest, FastDecoding = true,
            Background = new(1, 0xAB, 255), ClipSixteenBitGray = true, MaxImagePixels = 300_000_000,
        };
        string[] cannot = ["Further", "Codec", "PriorLossWeight"];
        Assert.Equal(cannot.Order(), Unset(options).Concat(Unset(subset)).Concat(Unset(captions)).Concat(Unset(augmentation)).Order());

        foreach (var bucketing in new IBucketing?[] { options.Bucketing, new SdTrainerBuckets { MinSide = 256, MaxSide = 960,
            MaxAspect = 1.5 }, new FixedResolution { Mode = ResizeMode.ShortSide }, null })
        {
            var source = new FolderSource("/images") { CaptionExtensions = [".tags", ".txt"], CaptionsByFullName = true, CacheInfo = true,
                TakeCached = true };
            var text = DatasetConfiguration.ToToml(new DatasetPlan { Options = options with { Bucketing = bucketing },
                Subsets = [new(source, subset)] });
            var read = DatasetConfiguration.Read(TomlDocument.Parse(text, _temporary.File("data.toml")));
            Assert.Empty(read.Notes);
            Assert.Equal(options with { Bucketing = bucketing }, read.Options);
            var again = Assert.Single(read.Subsets);
            Assert.Equal(subset.CaptionExtensions, again.Options.CaptionExtensions);
            Assert.Equal(subset with { Attributes = again.Options.Attributes, CaptionExtensions = again.Options.CaptionExtensions },
                again.Options);
            Assert.Equal(JsonSerializer.Serialize(subset.Attributes), JsonSerializer.Serialize(again.Options.Attributes));
            var folder = Assert.IsType<FolderSource>(again.Source);
            Assert.Equal(source.CaptionExtensions, folder.CaptionExtensions);
            Assert.Equal((source.Folder, true, true, true, false),
                (folder.Folder, folder.CaptionsByFullName, folder.CacheInfo, folder.TakeCached, folder.ReadFolderName));
            // JSON of the same shape says the same.
            Assert.Equal(options with { Bucketing = bucketing },
                DatasetConfiguration.Read(TomlDocument.ParseJson(Json(TomlDocument.Parse(text).Root),
                _temporary.File("data.json"))).Options);
        }

        static IEnumerable<string> Unset<T>(T options) where T : new() => typeof(T).GetProperties().Where(property => property.CanWrite
            && Equals(property.GetValue(options), property.GetValue(new T()))).Select(property => property.Name);
    }

    private static string Json(TomlValue value) => value switch
    {
        TomlTable table => $"{{{string.Join(",", table.Select(entry => $"{JsonSerializer.Serialize(entry.Key)}:{Json(entry.Value)}"))}}}",
        TomlArray list => $"[{string.Join(",", list.Select(Json))}]",
        TomlScalar { Value: double number } => number.ToString("0.0###############", CultureInfo.InvariantCulture),
        TomlScalar scalar => JsonSerializer.Serialize(scalar.Value),
        _ => throw new InvalidOperationException(),
    };

    [Theory]
    [InlineData("on_bad_image = \"ignore\"", "line 2, column 16: \"on_bad_image\" is the text \"ignore\", not one of \"fail\", \"skip\"")]
    [InlineData("prior_style = true", "not one of \"separate\", \"paired\"")]
    [InlineData("resize_mode = \"Squash\"", "not one of \"cover\", \"squash\", \"short_side\"")]
    [InlineData("enable_bucket = true\nmax_ratio = 2\nbucket_reso_steps = 32",
        "line 4, column 1: \"bucket_reso_steps\" does not go together with max_ratio")]
    [InlineData("minibatch_repeat = 1.5", "not a whole number")]
    public void Read_OfOurOwnOptions_RefusesWhatTheyAreNot(string lines, string fault)
    {
        File.WriteAllText(_temporary.File("data.toml"), $"[[datasets]]\n{lines}\n[[datasets.subsets]]\nimage_dir = \"a\"");
        Assert.Contains(fault,
            Assert.ThrowsAny<InvalidFileException>(() => DatasetConfiguration.Read(_temporary.File("data.toml"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Read_OfTheSameNameAtTwoLevels_KeepsThemApart()
    {
        File.WriteAllText(_temporary.File("data.toml"),
            "[general]\nsamples_per_epoch = 10\n[[datasets]]\nresize_mode = \"squash\"\nenable_bucket = "
                + "true\n[[datasets.subsets]]\nimage_dir = \"a\"\nweight = 2\nmasked_loss = false");
        var plan = DatasetConfiguration.Read(_temporary.File("data.toml"));
        var options = Assert.Single(plan.Subsets).Options;
        Assert.Equal((10, null, 2.0, LossMask.None), (plan.Options.SamplesPerEpoch, options.SamplesPerEpoch, options.Weight, options.Mask));
        Assert.Contains("line 4, column 1: with enable_bucket these have no effect: resize_mode", Assert.Single(plan.Notes),
            StringComparison.Ordinal);
    }

    private sealed class Loud : ICaptionStep
    {
        public VaryingOption? VariesBecauseOf => null;

        public string Apply(string caption, in CaptionUse use) => caption.ToUpperInvariant();
    }

    private sealed record Halves : IBucketing
    {
        public bool HasBuckets => false;

        public IEnumerable<OptionProblem> Validate(PixelSize resolution) => [];

        public Framing Frame(PixelSize image, PixelSize resolution) => new(resolution, 0, 0, resolution);
    }

    private sealed class Own : IDatasetSource
    {
        public IEnumerable<DatasetItem> Items() => [];
    }

    private static void Compare(JsonElement wanted, DatasetPlan plan)
    {
        var (parameters, options) = (wanted.GetProperty("params"), plan.Options);
        var buckets = options.Bucketing as AspectBuckets;
        Same(parameters, "resolution", options.Resolution is { } size ? $"[{size.Width},{size.Height}]" : null);
        Same(parameters, "network_multiplier", options.NetworkMultiplier);
        Same(parameters, "validation_seed", options.ValidationSeed);
        Same(parameters, "validation_split", options.ValidationSplit);
        Assert.Equal(parameters.GetProperty("resize_interpolation").GetString() is { } name ? Interpolation.Parse(name) : null,
            options.Interpolation);
        Same(parameters, "batch_size", options.BatchSize);
        Same(parameters, "enable_bucket", buckets is not null);
        if (buckets is not null)
        {
            Same(parameters, "min_bucket_reso", buckets.MinSide);
            Same(parameters, "max_bucket_reso", buckets.MaxSide);
            Same(parameters, "bucket_reso_steps", buckets.Step);
            Same(parameters, "bucket_no_upscale", buckets.NoUpscale);
        }

        if (parameters.TryGetProperty("prior_loss_weight", out _)) Same(parameters, "prior_loss_weight", options.PriorLossWeight);
        var subsets = wanted.GetProperty("subsets").EnumerateArray().Where(subset => subset.GetProperty("num_repeats").GetInt32() >= 1)
            .ToList();
        Assert.Equal(subsets.Count, plan.Subsets.Length);
        foreach (var (subset, made) in subsets.Zip(plan.Subsets)) Compare(subset, made, options);
    }

    private static void Compare(JsonElement wanted, SubsetPlan plan, DatasetOptions dataset)
    {
        var (options, captions, augmentation) = (plan.Options, plan.Options.Captions, plan.Options.Augmentation);
        Same(wanted, "num_repeats", options.Repeats ?? 1);
        Same(wanted, "shuffle_caption", captions.Shuffle);
        Same(wanted, "caption_separator", captions.Separator);
        Same(wanted, "keep_tokens", captions.KeepTokens);
        Same(wanted, "keep_tokens_separator", captions.KeepTokensSeparator ?? "");
        Same(wanted, "secondary_separator", captions.SecondarySeparator);
        Same(wanted, "enable_wildcard", captions.Wildcard);
        Same(wanted, "color_aug", augmentation.Color != ColorAugmentation.None);
        Same(wanted, "flip_aug", augmentation.Flip);
        Same(wanted, "random_crop", augmentation.RandomCrop);
        Same(wanted, "face_crop_aug_range", augmentation.FaceCrop is var (from, to)
            ? string.Create(CultureInfo.InvariantCulture, $"[{from:0.0#},{to:0.0#}]") : null);
        Same(wanted, "caption_prefix", captions.Prefix);
        Same(wanted, "caption_suffix", captions.Suffix);
        Same(wanted, "caption_dropout_rate", captions.DropoutRate);
        Same(wanted, "caption_dropout_every_n_epochs", captions.DropoutEveryNEpochs);
        Same(wanted, "caption_tag_dropout_rate", captions.TagDropoutRate);
        Same(wanted, "token_warmup_min", captions.WarmupMin);
        Same(wanted, "token_warmup_step", captions.WarmupSteps);
        Assert.Equal(wanted.GetProperty("resize_interpolation").GetString() is { } name ? Interpolation.Parse(name) : null,
            options.Interpolation ?? dataset.Interpolation);
        if (wanted.TryGetProperty("cache_info", out _)) Same(wanted, "cache_info", Assert.IsType<FolderSource>(plan.Source).CacheInfo);
        var attributes = wanted.GetProperty("custom_attributes");
        Assert.Equal(attributes.ValueKind == JsonValueKind.Null ? "{}" : Text(attributes), JsonSerializer.Serialize(options.Attributes));
        if (wanted.TryGetProperty("is_reg", out _)) Same(wanted, "is_reg", options.IsRegularization);
        if (wanted.TryGetProperty("class_tokens", out _)) Same(wanted, "class_tokens", options.ClassTokens);
        if (wanted.TryGetProperty("alpha_mask", out _)) Same(wanted, "alpha_mask", options.Mask == LossMask.Alpha);
        CompareSource(wanted, plan.Source, options);
    }

    private static void CompareSource(JsonElement wanted, IDatasetSource source, SubsetOptions options)
    {
        var folder = wanted.GetProperty("image_dir").GetString();
        if (wanted.TryGetProperty("metadata_file", out var file))
        {
            var metadata = Assert.IsType<MetadataSource>(source);
            Assert.Equal((Beside(file.GetString()), Beside(folder)), (metadata.File, metadata.ImageFolder));
            return;
        }

        var images = Assert.IsType<FolderSource>(source);
        Assert.Equal((Beside(folder), wanted.GetProperty("caption_extension").GetString()),
            (images.Folder, Assert.Single(images.CaptionExtensions)));
        Assert.Equal(wanted.TryGetProperty("conditioning_data_dir", out var hints) ? Beside(hints.GetString()) : null,
            options.ConditioningFolder);
    }

    private static string? Beside(string? path) => path is null ? null : Path.Combine(s_folder, path);

    private static void Same(JsonElement wanted, string name, object? found)
    {
        var value = wanted.GetProperty(name);
        var same = found switch
        {
            null => value.ValueKind == JsonValueKind.Null,
            string text => (value.ValueKind == JsonValueKind.String ? value.GetString() : Text(value)) == text,
            bool flag => value.GetBoolean() == flag,
            double number => value.GetDouble().Equals(number),
            // Python's True is 1.
            _ => (value.ValueKind == JsonValueKind.True ? 1 : value.GetInt64()) == Convert.ToInt64(found, CultureInfo.InvariantCulture),
        };
        Assert.True(same, $"{name}: {value} wanted, {found} found");
    }

    private static string Text(JsonElement value) => JsonSerializer.Serialize(value);

    private static IEnumerable<JsonProperty> Cases(string section) => s_expected.GetProperty(section).EnumerateObject();

    private static JsonElement Find(string name) => new[] { "valid", "invalid", "random" }.SelectMany(Cases)
        .Single(entry => entry.Name == name).Value;

    /// <summary>The options that a command line gives.</summary>
    private static (DatasetOptions, SubsetOptions) Arguments(string[] arguments)
    {
        var (datasets, captions, augmentation, subsets) = (new DatasetOptions(), new CaptionOptions(), new AugmentationOptions(),
            new SubsetOptions());
        var buckets = new AspectBuckets();
        var enabled = false;
        for (var i = 0; i < arguments.Length; i++)
        {
            var value = i + 1 < arguments.Length ? arguments[i + 1] : "";
            double Number() => double.Parse(value, CultureInfo.InvariantCulture);
            int[] Pair() => [.. value.Split(',').Select(part => int.Parse(part, CultureInfo.InvariantCulture))];
            switch (arguments[i])
            {
                case "--resolution": datasets = datasets with { Resolution = new(Pair()[0], Pair()[^1]) }; break;
                case "--train_batch_size": datasets = datasets with { BatchSize = (int)Number() }; break;
                case "--dataset_repeats": subsets = subsets with { Repeats = (int)Number() }; break;
                case "--enable_bucket": enabled = true; break;
                case "--min_bucket_reso": buckets = buckets with { MinSide = (int)Number() }; break;
                case "--max_bucket_reso": buckets = buckets with { MaxSide = (int)Number() }; break;
                case "--bucket_reso_steps": buckets = buckets with { Step = (int)Number() }; break;
                case "--bucket_no_upscale": buckets = buckets with { NoUpscale = true }; break;
                case "--shuffle_caption": captions = captions with { Shuffle = true }; break;
                case "--caption_extension": subsets = subsets with { CaptionExtensions = [value] }; break;
                case "--keep_tokens": captions = captions with { KeepTokens = (int)Number() }; break;
                case "--keep_tokens_separator": captions = captions with { KeepTokensSeparator = value }; break;
                case "--secondary_separator": captions = captions with { SecondarySeparator = value }; break;
                case "--enable_wildcard": captions = captions with { Wildcard = true }; break;
                case "--caption_prefix": captions = captions with { Prefix = value }; break;
                case "--caption_suffix": captions = captions with { Suffix = value }; break;
                case "--color_aug": augmentation = augmentation with { Color = ColorAugmentation.Weak }; break;
                case "--flip_aug": augmentation = augmentation with { Flip = true }; break;
                case "--random_crop": augmentation = augmentation with { RandomCrop = true }; break;
                case "--face_crop_aug_range": augmentation = augmentation with { FaceCrop = (2, 4) }; break;
                case "--token_warmup_min": captions = captions with { WarmupMin = (int)Number() }; break;
                case "--token_warmup_step": captions = captions with { WarmupSteps = Number() }; break;
                case "--caption_dropout_rate": captions = captions with { DropoutRate = Number() }; break;
                case "--caption_dropout_every_n_epochs": captions = captions with { DropoutEveryNEpochs = (int)Number() }; break;
                case "--caption_tag_dropout_rate": captions = captions with { TagDropoutRate = Number() }; break;
                case "--prior_loss_weight": datasets = datasets with { PriorLossWeight = Number() }; break;
                case "--resize_interpolation": datasets = datasets with { Interpolation = Interpolation.Parse(value) }; break;
            }
        }

        return (datasets with { Bucketing = enabled ? buckets : null }, subsets with { Captions = captions, Augmentation = augmentation });
    }
}
