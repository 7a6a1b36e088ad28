using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Runs over sd-trainer's layout with prepared text encoder outputs: the text encoder is not loaded.</summary>
public sealed class PrecomputedTextOutputsRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly long _held = TinyRun.HeldBefore();

    public void Dispose()
    {
        _folder.Dispose();
        Assert.Equal(_held, TinyRun.HeldTensors);
    }

    [Theory]
    [InlineData(false, null)]
    [InlineData(false, false)]
    [InlineData(true, null)]
    public void Run_LearnsFromThem_WithoutATextEncoder(bool sdxl, bool? cache)
    {
        var model = Model(sdxl);
        var layout = Layout();
        // The text encoder's own outputs, made ahead: captions and files must teach the same.
        Prepare(model, layout);
        var encoded = Builder(model, layout, take: false).Train();
        foreach (var caption in Directory.GetFiles(Path.Combine(layout, "captions"))) File.Delete(caption);
        foreach (var part in Directory.GetDirectories(model, "text_encoder*")) MakeUnusable(Path.Combine(part, "model.safetensors"));
        var builder = Builder(model, layout, take: true);
        builder = builder.WithCache(_ => builder.Plan.Cache with { TextEncoderOutputs = cache });
        var given = builder.Train();
        Assert.Equal(3, given.Steps);
        Assert.Equal(encoded.Losses, given.Losses);
        Assert.DoesNotContain(given.Warnings, warning => warning.Contains("caption", StringComparison.Ordinal));

        // Whoever does encode captions with these weights finds numbers that are none.
        Assert.ThrowsAny<Exception>(() => Builder(model, layout, take: false).Train());
    }

    [Fact]
    public void Run_MeasuresHeldOutImagesWithTheirs()
    {
        var (model, layout) = (Model(sdxl: false), Layout());
        Prepare(model, layout);
        MakeUnusable(Path.Combine(model, "text_encoder", "model.safetensors"));
        var builder = Builder(model, layout, take: true);
        var options = new DatasetOptions { Resolution = new(64, 64), ValidationSplit = 0.4 };
        var result = builder.WithDataset(new DatasetBuilder().AddSdTrainer(layout).WithOptions(options)).Train();
        Assert.All(result.Losses, loss => Assert.True(double.IsFinite(loss)));
    }

    [Fact]
    public void WhatCannotGoTogether_IsToldAtOnce()
    {
        var (model, layout) = (Model(sdxl: false), Layout());
        var plan = Builder(model, layout, take: true).Plan with { Parts = AdapterParts.All, WeightedCaptions = true };
        var problems = plan.Validate().ToList();
        string[] expected = ["DatasetItem.TextOutputsPath", "DatasetItem.TextOutputsPath", "TrainingPlan.WeightedCaptions"];
        Assert.Equal(expected, problems.Select(problem => problem.Option).Order(StringComparer.Ordinal));
        Assert.All(problems, problem => Assert.Contains("SdTrainerSource.TakeTextOutputs", problem.Remedy));
        Assert.Single(problems, problem => problem.Rule.Contains("text encoder that is trained", StringComparison.Ordinal));
        Assert.Single(problems, problem => problem.Rule.Contains("the model attends to text of width 48", StringComparison.Ordinal));
        Assert.Empty(Builder(model, layout, take: false).Plan.Validate());
    }

    [Theory]
    [InlineData(80, 0, "no pooled ones")]
    [InlineData(80, 20, "pooled ones [20]")]
    [InlineData(48, 48, "states [77, 48]")]
    public void Sdxl_WantsItsWidths(int width, int pooled, string message)
    {
        var (model, layout) = (Model(sdxl: true), Layout());
        foreach (var name in new[] { "a", "b", "c" })
            Write(layout, name, new float[77 * width], width, pooled == 0 ? null : new float[pooled]);
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => Builder(model, layout, take: true).Build()).Problems);
        Assert.Equal("DatasetItem.TextOutputsPath", problem.Option);
        Assert.Contains(message, problem.ToString());
    }

    private TrainerBuilder Builder(string model, string layout, bool take) => TinyRun.Bare(_folder, $"take{take}").WithModel(model)
        .WithDataset(new DatasetBuilder().Add(new SdTrainerSource(layout) { TakeTextOutputs = take }).WithResolution(64).WithBatchSize(2));

    private string Model(bool sdxl) => sdxl ? FixtureModels.TinySdxl(_folder) : FixtureModels.TinySd15(_folder);

    private string Layout()
    {
        var (source, layout) = (Fixtures.Path("data", "latents_cache", "sd_trainer_layout"), _folder.Folder("layout"));
        foreach (var file in Directory.GetFiles(source, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(layout, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        return layout;
    }

    private static void Prepare(string path, string layout)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var model = ModelLoader.Load(path);
        string[] names = ["a", "b", "c"];
        // In one call, as a run does: the last bits of a row depend on how many there are.
        var text = PromptEncoder.For(model)
            .Encode([.. names.Select(name => File.ReadAllText(Path.Combine(layout, "captions", name + ".caption")))], null, 75);
        for (var i = 0; i < names.Length; i++)
            Write(layout, names[i], text.Context[i].flatten().data<float>().ToArray(), (int)text.Context.shape[2],
                text.Pooled?[i].flatten().data<float>().ToArray());
    }

    private static void Write(string layout, string name, float[] states, int width, float[]? pooled)
    {
        var arrays = new List<NpyArray> { NpyArray.Of<float>("encoder_hidden_state", states, states.Length / width, width) };
        if (pooled is not null) arrays.Add(NpyArray.Of<float>("pooled_output", pooled, pooled.Length));
        NpzWriter.Write(Path.Combine(layout, "text_emb", name + ".npz"), arrays.Select(array => array.ToPayload()));
    }

    /// <summary>The header stays, so that the model is known; every number is none.</summary>
    private static void MakeUnusable(string weights)
    {
        int place;
        using (var file = SafetensorsFile.Open(weights)) place = (int)file.DataOffset;
        var bytes = File.ReadAllBytes(weights);
        bytes.AsSpan(place).Fill(0xFF);
        File.WriteAllBytes(weights, bytes);
    }
}
