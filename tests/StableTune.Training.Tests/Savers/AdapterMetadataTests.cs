using StableTune.Testing;
using System.Text.Json;
using StableTune.Adapters;
using StableTune.Data;
using StableTune.Formats;

namespace StableTune.Training.Tests;

/// <summary>The metadata of the reference's runs, value by value.</summary>
public sealed class AdapterMetadataTests
{
    private static Dictionary<string, string> Expected(string run, string what)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "lora_metadata.json")));
        return json.RootElement.GetProperty(run).GetProperty(what).EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!);
    }

    // What the captions of the reference's folders come to: "sks cat, sitting, White Background", " sks cat,running" and the like.
    private static readonly OrderedDictionary<string,
        int> s_two = new() { ["sks cat"] = 2, ["sitting"] = 1, ["white background"] = 1, ["running"] = 1 };
    private static readonly OrderedDictionary<string,
        int> s_three = new() { ["sks cat"] = 3, ["sitting"] = 2, ["white background"] = 1, ["running"] = 1 };

    private static OrderedDictionary<string, IReadOnlyDictionary<string,
        int>> Tags(params (string Folder, OrderedDictionary<string, int> Counts)[] folders) =>
        new(folders.Select(folder => KeyValuePair.Create(folder.Folder, (IReadOnlyDictionary<string, int>)folder.Counts)));

    private static AdapterMetadata Directories() => new()
    {
        Network = new AdapterDescription("networks.lora", 8, 4)
        {
            Arguments = new OrderedDictionary<string, object?> { ["conv_dim"] = "4", ["conv_alpha"] = "1", ["dropout"] = null },
            ScaleWeightNorms = 1,
        },
        Model = new ModelFacts("sd_v1")
        {
            Name = "model.safetensors", OldHash = "7daca209", Sha256 = "7d471e4af16db5a30ce10aebbc29f5178b2edbad6c7dc2e8ff8ee6e4848a726f",
            VaeName = "vae.pt", VaeOldHash = "29918e89", VaeSha256 = "5d89db9cc1e9d3d997fb49bba5c6b96a43dad1c294424ca04c0f1ce0ecb3f694",
            ClipSkip = 2,
        },
        Run = new RunFacts
        {
            SessionId = 1234567890, StartedAt = 1700000000.5, FinishedAt = 1700000100.25, OutputName = "example", TrainImages = 11,
            RegularizationImages = 2,
            BatchesPerEpoch = 22, Epochs = 5, Epoch = 10, Steps = 100, MaxTrainSteps = 100, Seed = 42, Comment = "a comment",
        },
        Rates = new RateFacts
        {
            LearningRate = 1e-4, UNetLearningRate = 1e-4, TextEncoderLearningRate = 5e-5, WarmupSteps = 10, Scheduler = "cosine",
            Optimizer = "torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))",
        },
        Loss = new LossFacts { NoiseOffset = 0.05, MinSnrGamma = 5 },
        Data = new DataFacts
        {
            EnableBucket = true, MinBucketResolution = 256, MaxBucketResolution = 1024, Buckets = [new(512, 512, 20), new(640, 384, 2)],
            Folders = new OrderedDictionary<string, FolderFacts> { ["1_dog"] = new(1, 2), ["3_sks cat"] = new(3, 3) },
            RegularizationFolders = new Dictionary<string, FolderFacts> { ["1_cat"] = new(1, 2) },
            TagFrequency = Tags(("1_dog", s_two), ("3_sks cat", s_three), ("1_cat", s_two)),
        },
        Specification = new ModelSpecification { Title = "example", Date = new DateTime(2023, 11, 14, 22, 13, 20, DateTimeKind.Utc),
            ImplementationVersion = "StableTune/0", EncoderLayer = 2 },
    };

    [Fact]
    public void Build_ARunOfTheReference_GivesItsEntries()
    {
        var expected = Expected("directories", "metadata");
        // What names the program is not the same.
        expected.Remove("ss_sd_scripts_commit_hash");
        expected["modelspec.implementation_version"] = "StableTune/0";
        Assert.Equal(expected.OrderBy(e => e.Key, StringComparer.Ordinal),
            Directories().Build().OrderBy(e => e.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void Build_Defaults_AreTheReferencesDefaults()
    {
        var expected = Expected("all_defaults", "metadata");
        var actual = new AdapterMetadata { Network = new LoRAOptions().Describe(), Model = new ModelFacts("sd_v1") }.Build();
        // 4, 1.0, and what was chosen: said, where the reference says "None" and "1"
        var ofTheRun = new HashSet<string>(["ss_network_dim", "ss_network_alpha", "ss_learning_rate"]);
        foreach (var (key, value) in expected.Where(e =>
            e.Value is "None" or "False" or "True" or "0.0" or "1.0" or "l2" or "snr" or "no" or "constant" or "null" or "(512, 512)"
            && !ofTheRun.Contains(e.Key)))
            if (key is not "ss_seed") Assert.Equal((key, value), (key, actual.GetValueOrDefault(key)));
        Assert.Equal("4", actual["ss_network_dim"]);
        Assert.Equal("1.0", actual["ss_network_alpha"]);
        Assert.DoesNotContain("ss_network_args", actual.Keys);
    }

    [Fact]
    public void Build_SeveralDataSets_GivesTheReferencesEntries()
    {
        var sizes = new DataFacts { EnableBucket = true, MinBucketResolution = 256, MaxBucketResolution = 1024 };
        var cats = new DatasetFacts(sizes with { BatchSize = 2, TagFrequency = Tags(("3_sks cat", s_three), ("1_cat", s_two)),
            Buckets = [new(512, 512, 18)] },
        [
            new("3_sks cat", new(3, 3)) { ShuffleCaption = true, KeepTokens = 1, ClassTokens = "sks cat" },
            new("1_cat", new(1, 2)) { IsRegularization = true },
        ]) { TrainImages = 9, RegularizationImages = 2 };
        var dogs = new DatasetFacts(sizes with
        {
            Resolution = (640, 448), TagFrequency = Tags(("1_dog", s_two)), Buckets = [new(704, 384, 2)],
            MeanAspectRatioError = 0.16666666666666652,
        }, [new("1_dog", new(1, 2))]) { TrainImages = 2 };
        var data = new DataFacts
        {
            Folders = new OrderedDictionary<string, FolderFacts> { ["3_sks cat"] = new(3, 3), ["1_dog"] = new(1, 2) },
            TagFrequency = Tags(("3_sks cat", s_three), ("1_cat", s_two), ("1_dog", s_two)),
        };
        var metadata = Directories() with { Data = data, Datasets = [cats, dogs] };
        var (expected, actual) = (Expected("dataset_config", "metadata"), metadata.Build());
        foreach (var key in new[] { "ss_datasets", "ss_dataset_dirs", "ss_tag_frequency" }) Assert.Equal(expected[key], actual[key]);
        Assert.DoesNotContain("ss_datasets", (metadata with { IncludeDataNames = false }).Build().Keys);
    }

    [Fact]
    public void Minimum_IsWhatNoMetadataLeaves()
    {
        Assert.Equal(Expected("directories", "minimum_metadata").OrderBy(e => e.Key),
            (Directories() with { Specification = null }).Minimum().OrderBy(e => e.Key));
    }

    [Fact]
    public void Build_WithoutDataNames_KeepsFoldersAndCaptionsPrivate()
    {
        var all = (Directories() with { IncludeDataNames = false }).Build();
        Assert.DoesNotContain(all, entry =>
            entry.Value.Contains("sks cat") || entry.Value.Contains("1_dog") || entry.Value.Contains("1_cat"));
        Assert.Contains("ss_bucket_info", all.Keys);
    }

    public static TheoryData<string> SpecificationCases() => ["sd1_lora", "sd2_v_lora", "sdxl_lora", "sdxl_v_lora", "sd1_all"];

    [Theory]
    [MemberData(nameof(SpecificationCases))]
    public void Build_ModelSpecification_IsTheReferences(string name)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "modelspec.json")));
        var entry = json.RootElement.GetProperty("modelspec").EnumerateArray().Single(e => e.GetProperty("case").GetString() == name);
        var args = entry.GetProperty("args");
        var version = args.GetProperty("sdxl").GetBoolean() ? "sdxl_base_v1-0" : !args.GetProperty("v2").GetBoolean() ? "sd_v1"
            : args.GetProperty("v_parameterization").GetBoolean() ? "sd_v2_v" : "sd_v2";
        var all = name == "sd1_all";
        var specification = new ModelSpecification
        {
            Title = all ? "T" : "LoRA@1700000000.25", Date = new DateTime(2023, 11, 14, 22, 13, 20, DateTimeKind.Utc),
            PredictsV = args.GetProperty("v_parameterization").GetBoolean(),
            ImplementationVersion = "sd-scripts/48d368fa557731ad0488c07304dfeba8c07910eb",
            Resolution = all ? (640, 448) : null, Author = all ? "A" : null, Description = all ? "D" : null, License = all ? "L" : null,
            Tags = all ? "x,y" : null,
            MergedFrom = all ? "a, b" : null, TimestepRange = all ? (100, 900) : null, EncoderLayer = all ? 2 : null,
        };
        var actual = new AdapterMetadata { Network = new LoRAOptions().Describe(), Model = new ModelFacts(version),
            Specification = specification }.Build();
        Assert.Equal(entry.GetProperty("value").EnumerateObject().Select(p => (p.Name, p.Value.GetString()!))
            .OrderBy(p => p.Name, StringComparer.Ordinal),
            actual.Where(e => e.Key.StartsWith("modelspec.", StringComparison.Ordinal)).Select(e => (e.Key, e.Value))
                .OrderBy(p => p.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void Build_UnknownBaseModel_NamesTheKnownOnes()
    {
        var metadata = Directories() with { Model = new ModelFacts("sd_v9") };
        Assert.Contains("sd_v1", Assert.Throws<ArgumentException>(() => metadata.Build()).Message);
    }

    [Fact]
    public void Describe_Dropouts_AreTheReferencesArguments()
    {
        var facts = new LoRAOptions { Rank = 4, Dropout = 0.1, RankDropout = 0.25, ModuleDropout = 0.5 }.Describe();
        var metadata = new AdapterMetadata { Network = facts, Model = new ModelFacts("sd_v1") }.Build();
        Assert.Equal("""{"rank_dropout": "0.25", "module_dropout": "0.5", "dropout": 0.1}""", metadata["ss_network_args"]);
        Assert.Equal("0.1", metadata["ss_network_dropout"]);
    }

    [Theory]
    [InlineData(null, "None")]
    [InlineData(true, "True")]
    [InlineData(false, "False")]
    [InlineData(5, "5")]
    [InlineData(1.0, "1.0")]
    [InlineData(0.0, "0.0")]
    [InlineData(-0.0, "-0.0")]
    [InlineData(1e-4, "0.0001")]
    [InlineData(5e-5, "5e-05")]
    [InlineData(1.5e-7, "1.5e-07")]
    [InlineData(-2e-300, "-2e-300")]
    [InlineData(1e15, "1000000000000000.0")]
    [InlineData(1e16, "1e+16")]
    [InlineData(1.25e20, "1.25e+20")]
    [InlineData(1700000100.25, "1700000100.25")]
    [InlineData(0.16666666666666652, "0.16666666666666652")]
    [InlineData(0.1f, "0.1")]
    [InlineData(double.NaN, "nan")]
    [InlineData(double.NegativeInfinity, "-inf")]
    [InlineData("text", "text")]
    public void PythonText_Of_IsPythonsStr(object? value, string expected) => Assert.Equal(expected, PythonRepr.Of(value));

    [Fact]
    public void PythonText_Json_IsPythonsDumps()
    {
        Assert.Equal("(512, 768)", PythonRepr.Of((512, 768)));
        Assert.Equal("(1,)", PythonRepr.Of(ValueTuple.Create(1)));
        Assert.Equal("""{"a": [1, 2.0, null, true], "b\u00e9\u0001\n\"": {}, "\ud83d\ude00": []}""", PythonRepr.Json(new OrderedDictionary<string, object?>
        {
            ["a"] = new object?[] { 1, 2.0, null, true }, ["bé\u0001\n\""] = new Dictionary<string, object?>(), ["😀"] = Array.Empty<int>(),
        }));
        Assert.Equal("null", PythonRepr.Json(null));
        Assert.Throws<ArgumentException>(() => PythonRepr.Json(new Version(1, 2)));
    }
}
