using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Data.Tests;

/// <summary>Text encoder outputs of sd-trainer's layout: prepared for each image, in place of its caption.</summary>
public sealed class PrecomputedTextOutputsTests : SdTrainerLayout
{
    private string OutputsOf(string name) => Folder.File("text_emb", name + ".npz");

    /// <summary>What sd-trainer gives: the arrays of a batch's files, stacked in float32.</summary>
    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(2, false)]
    public void Batches_CarryTheArraysOfTheirImages(int batchSize, bool images)
    {
        // By image, not by caption.
        foreach (var caption in Directory.GetFiles(Folder.File("captions"))) File.WriteAllText(caption, "");
        if (!images) Directory.Delete(Folder.File("images"), recursive: true);
        var dataset = Builder().WithBatchSize(batchSize).Build();
        Assert.DoesNotContain(dataset.Warnings, warning => warning.Contains("caption", StringComparison.Ordinal));
        Assert.DoesNotContain(dataset.Check().Findings, finding => finding.Kind == FindingKind.NoCaption);
        using var latents = LatentCache.Open(dataset, new(0.5));
        using var texts = TextOutputCache.Open(dataset, new());
        Assert.Empty(texts.Missing);
        using var loader = new BatchLoader(new(), latents, texts);
        var seen = 0;
        foreach (var batch in Batches(loader, dataset))
        {
            seen += batch.Count;
            Assert.Equal([batch.Count, 77, 16], batch.Text!.Context.shape);
            Assert.Equal([batch.Count, 20], batch.Text!.Pooled!.shape);
            Assert.Equal(batch.Items.SelectMany(item => Array(item, "encoder_hidden_state")), batch.Text?.Context.data<float>().ToArray());
            Assert.Equal(batch.Items.SelectMany(item => Array(item, "pooled_output")), batch.Text?.Pooled.data<float>().ToArray());
        }

        Assert.Equal(3, seen);
    }

    [Fact]
    public void HalfPrecision_AndFilesWithoutPooledOutput_AreRead_AlsoForImagesThatAreHeldOut()
    {
        foreach (var name in new[] { "a", "b", "c" })
            NpzWriter.Write(OutputsOf(name), [NpyArray.Of("encoder_hidden_state", [.. Enumerable.Repeat((Half)name[0], 12)], 3, 4)
                .ToPayload()]);
        Directory.Delete(Folder.File("latents"), recursive: true);
        var builder = Builder();
        var dataset = builder.WithOptions(builder.Plan.Options with { ValidationSplit = 0.4 }).Build();
        using var loader = new BatchLoader();
        foreach (var part in new[] { dataset, dataset.Validation! })
            foreach (var batch in Batches(loader, part))
            {
                Assert.Equal([1, 3, 4], batch.Text!.Context.shape);
                Assert.Equal(Enumerable.Repeat((float)Path.GetFileName(batch.Items[0].Path)[0], 12), batch.Text?.Context.data<float>()
                    .ToArray());
                Assert.Null(batch.Text?.Pooled);
            }
    }

    [Fact]
    public void LeftOut_CaptionsAreEncoded_AndMayVary()
    {
        var dataset = new DatasetBuilder().Add(new SdTrainerSource(Folder.Path) { TakeTextOutputs = false },
            new SubsetOptions { Captions = new() { DropoutRate = 0.5 } }).WithResolution(64).Build();
        Assert.All(dataset.Samples, sample => Assert.Null(sample.Item.TextOutputsPath));
        Assert.Single(TextOutputCache.Validate(dataset));
        using var loader = new BatchLoader();
        foreach (var batch in Batches(loader, dataset)) Assert.Null(batch.Text?.Context);
    }

    [Fact]
    public void CaptionsThatVary_AreRefused()
    {
        var captions = new CaptionOptions { DropoutRate = 0.1, Shuffle = true, Prefix = "a " };
        var error = Assert.Throws<InvalidOptionsException>(() => new DatasetBuilder()
            .AddSdTrainer(Folder.Path, new SubsetOptions { Captions = captions }).WithResolution(64).Build());
        Assert.Equal(["CaptionOptions.DropoutRate", "CaptionOptions.Shuffle"], error.Problems.Select(problem => problem.Option)
            .Order(StringComparer.Ordinal));
        Assert.All(error.Problems, problem => Assert.Contains("SdTrainerSource.TakeTextOutputs", problem.ToString()));
    }

    [Fact]
    public void OfSeveralDataSets_EachHasThemOrNot()
    {
        var dataset = Builder().AddDataset(new DatasetBuilder().Add(new SdTrainerSource(Folder.Path) { TakeTextOutputs = false })
            .WithResolution(64)).Build();
        using var cache = TextOutputCache.Open(dataset, new());
        Assert.Equal(["caption of a, tag", "caption of b, tag", "caption of c, tag"], cache.Missing);
        var problem = Assert.Single(TextOutputCache.ValidatePrecomputed(dataset, 48, null));
        Assert.Equal("DatasetItem.TextOutputsPath", problem.Option);
        Assert.Contains("states [77, 16] and pooled ones [20], the model attends to text of width 48", problem.ToString());
        Assert.Contains("takes pooled text of width 48", Assert.Single(TextOutputCache.ValidatePrecomputed(dataset, 16, 48)).ToString());
        Assert.Empty(TextOutputCache.ValidatePrecomputed(dataset, 16, 20));
        Assert.Empty(TextOutputCache.ValidatePrecomputed(dataset, 16, null));
    }

    public static TheoryData<string, string> Faults => new()
    {
        { "missing", "some images of the data set have text encoder outputs, but 1 do not: " },
        { "truncated", "" },
        { "text", "" },
        { "name", "it holds no array \"encoder_hidden_state\"" },
        { "shape", "encoder_hidden_state is F32 [77]" },
        { "empty", "encoder_hidden_state is F32 [0, 16]" },
        { "pooled shape", "pooled_output is F32 [1, 20]" },
        { "kind", "pooled_output is I64 [20], but floating-point numbers are wanted" },
        { "length", "it holds states [154, 16] and pooled ones [20], " },
        { "width", "it holds states [77, 24] and pooled ones [20], " },
        { "no pooled", "it holds states [77, 16] and no pooled ones, " },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Outputs_ThatDoNotServe_AreNamedWhenTheDataSetIsBuilt(string fault, string message)
    {
        Break("b", fault);
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => Builder().Build()).Problems);
        Assert.Equal("DatasetItem.TextOutputsPath", problem.Option);
        Assert.Contains(message, problem.ToString());
        Assert.Contains(fault == "missing" ? "b.png" : OutputsOf("b"), problem.ToString());
        Assert.Contains("SdTrainerSource.TakeTextOutputs", fault is "truncated" or "text" ? "SdTrainerSource.TakeTextOutputs"
            : problem.Remedy);
    }

    [Fact]
    public void AllThatDoNotServe_AreNamedTogether()
    {
        Break("a", "truncated");
        Break("c", "kind");
        Break("b", "missing");
        Assert.Equal(3, Assert.Throws<InvalidOptionsException>(() => Builder().Build()).Problems.Count);
    }

    [Fact]
    public void NumbersThatAreNone_AreNamedBeforeTraining()
    {
        var states = new float[77 * 16];
        states[500] = float.NaN;
        Write("c", states, [77, 16]);
        var dataset = Builder().Build();
        Assert.Equal(OutputsOf("c"), Assert.Single(dataset.CheckImages()).Value);
        Assert.Equal(1, dataset.Check().ErrorCount);
        using var loader = new BatchLoader();
        Assert.Equal(OutputsOf("c"), Assert.Throws<InvalidFileException>(() => Batches(loader, dataset).Count()).Path);
    }

    [Fact]
    public void Outputs_ThatChangedSince_AreNamedByTheLoader()
    {
        var dataset = Builder().WithBatchSize(2).Build();
        using var loader = new BatchLoader();
        Break("b", "width");
        Assert.Contains("states [77, 24]", Assert.Throws<InvalidFileException>(() => Batches(loader, dataset).Count()).Fault);
        File.Delete(OutputsOf("b"));
        Assert.Equal(OutputsOf("b"), Assert.Throws<InvalidFileException>(() => Batches(loader, dataset).Count()).Path);
    }

    private void Break(string name, string fault)
    {
        var path = OutputsOf(name);
        if (fault == "missing") File.Delete(path);
        if (fault == "truncated") File.WriteAllBytes(path, File.ReadAllBytes(path)[..^30]);
        if (fault == "text") File.WriteAllText(path, "encoder_hidden_state");
        if (fault == "name") NpzWriter.Write(path, [NpyArray.Of<float>("hidden", new float[77 * 16], 77, 16).ToPayload()]);
        if (fault == "shape") Write(name, new float[77], [77]);
        if (fault == "empty") Write(name, [], [0, 16]);
        if (fault == "pooled shape") Write(name, new float[77 * 16], [77, 16], NpyArray.Of<float>("pooled_output", new float[20], 1, 20));
        if (fault == "kind") Write(name, new float[77 * 16], [77, 16], NpyArray.Of<long>("pooled_output", new long[20], 20));
        if (fault == "length") Write(name, new float[154 * 16], [154, 16]);
        if (fault == "width") Write(name, new float[77 * 24], [77, 24]);
        if (fault == "no pooled")
            NpzWriter.Write(path, [NpyArray.Of<float>("encoder_hidden_state", new float[77 * 16], 77, 16).ToPayload()]);
    }

    private void Write(string name, float[] states, long[] shape, NpyArray? pooled = null) => NpzWriter.Write(OutputsOf(name),
        [NpyArray.Of<float>("encoder_hidden_state", states, shape).ToPayload(),
            (pooled ?? NpyArray.Of<float>("pooled_output", new float[20], 20)).ToPayload()]);

    private DatasetBuilder Builder() => new DatasetBuilder().AddSdTrainer(Folder.Path).WithResolution(64);

    private float[] Array(TrainingSample item, string name)
    {
        using var file = NpzFile.Open(OutputsOf(Path.GetFileNameWithoutExtension(item.Path)));
        return file.ReadArray(name).As<float>().ToArray();
    }

    private static IEnumerable<Batch> Batches(BatchLoader loader, TrainingDataset dataset)
    {
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)))
            using (batch)
            using (NewDisposeScope()) yield return batch;
    }
}
