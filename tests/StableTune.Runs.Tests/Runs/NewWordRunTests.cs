using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Testing;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Whole runs that learn a new word, or use one.</summary>
public sealed class NewWordRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("tiny-sd15", "word.safetensors", "emb_params")]
    [InlineData("tiny-sd21-v", "word.bin", "sksfrog")]
    [InlineData("tiny-sdxl", "word.pt", "clip_g,clip_l")]
    public void Train_LearnsTheWord_AndFreesAllThatItTook(string model, string file, string keys)
    {
        var held = TinyRun.HeldBefore();
        var recorder = new Recorder();
        var result = Word(model, file).WithSamples(Samples("a sksfrog")).WithObserver(recorder).Train();
        Assert.Equal(held, TinyRun.HeldTensors);
        Assert.All(result.Losses, loss => Assert.True(double.IsFinite(loss)));
        using (var written = Tensors.WeightFile.Open(result.Files[0])) Assert.Equal(keys, string.Join(',', written.Names.Order()));
        // The pictures that the word draws are others after training.
        Assert.NotEqual(ImageFile.Load(result.Samples[0]).Pixels, ImageFile.Load(result.Samples[2]).Pixels);

        using var whole = ModelLoader.Load(Model(model));
        whole.AddEmbedding(result.Files[0], "sksfrog");
        var drawn = new TextToImagePipeline(whole).Generate(Prompt("a sksfrog"));
        Assert.Equal(ImageFile.Load(result.Samples[2]).Pixels, drawn.Pixels);
    }

    [Fact]
    public void Train_SamplesOfOtherWords_StayAsTheyWere()
    {
        var result = Word("tiny-sd15", "word.safetensors").WithSamples(Samples("a frog")).Train();
        Assert.Equal(ImageFile.Load(result.Samples[0]).Pixels, ImageFile.Load(result.Samples[2]).Pixels);
    }

    [Theory]
    [InlineData("tiny-sd15")]
    [InlineData("tiny-sd21-v")]
    public void Train_EachLayerItsOwn_LearnsSixteenEmbeddings_AndDrawsWithThem(string model)
    {
        var held = TinyRun.HeldBefore();
        var result = Images(model).WithExtendedTextualInversion("sksfrog", initWord: "frog", vectors: 2)
            .SaveTo(_folder.File("out", "xti.safetensors")).WithSamples(Samples("a sksfrog", "a frog")).Train();
        Assert.Equal(held, TinyRun.HeldTensors);
        using var embedding = EmbeddingFile.Read(result.Files[0]);
        Assert.Equal([16, 2, model == "tiny-sd15" ? 48 : 32], embedding.Rows.shape);
        // All layers began alike, and have gone ways of their own.
        for (var k = 1; k < 16; k++) Assert.False(embedding.Rows[0].allclose(embedding.Rows[k], 1e-7, 1e-7), $"layer {k}");
        Assert.NotEqual(ImageFile.Load(result.Samples[0]).Pixels, ImageFile.Load(result.Samples[3]).Pixels);
        Assert.Equal(ImageFile.Load(result.Samples[1]).Pixels, ImageFile.Load(result.Samples[4]).Pixels);

        using var whole = ModelLoader.Load(Model(model));
        whole.AddEmbedding(embedding, "sksfrog");
        Assert.Equal(ImageFile.Load(result.Samples[3]).Pixels, new TextToImagePipeline(whole).Generate(Prompt("a sksfrog")).Pixels);
    }

    [Fact]
    public void Train_EachLayerItsOwn_OnOneBatch_LowersTheLoss()
    {
        var losses = Images("tiny-sd15").WithExtendedTextualInversion("sksfrog", initWord: "frog").WithLearningRate(5e-2)
            .WithNoise(new Steady()).WithTimesteps(new UniformTimesteps { Min = 500, Max = 501 })
            .For(TrainingLength.Steps(24)).SaveTo(_folder.File("out", "xti.safetensors")).Train().Losses;
        var (first, last) = (losses.Take(4).Average(), losses.TakeLast(4).Average());
        Assert.True(last < first, $"{first} to {last}");
    }

    [Fact]
    public void Train_ContinuedFromAFile_BeginsWithItsNumbers()
    {
        var first = Word("tiny-sd15", "word.pt").Train();
        var again = Images("tiny-sd15").WithTextualInversion(new TextualInversionOptions
        {
            Token = "sksfrog", Vectors = 2, InitialWeights = first.Files[0], Rate = 0, Format = EmbeddingFormat.WebUi,
        }).SaveTo(_folder.File("out", "again.pt")).Train();
        Assert.Equal(Numbers(first.Files[0]), Numbers(again.Files[0]));
    }

    [Fact]
    public void Train_Renormalized_KeepsTheLengthOfTheModelsOwnVectors()
    {
        using var scope = NewDisposeScope();
        float median;
        using (var model = ModelLoader.Load(Model("tiny-sd15")))
            median = model.TextEncoder.TokenEmbedding.weight.detach().norm(1).median().item<float>();
        float[] Lengths(bool on)
        {
            var result = Images("tiny-sd15").WithTextualInversion(new TextualInversionOptions
            {
                Token = "sksfrog", Vectors = 2, Renormalize = on,
            }).SaveTo(_folder.File("out", $"{on}.safetensors")).Train();
            using var embedding = EmbeddingFile.Read(result.Files[0]);
            return embedding.Rows.norm(1).data<float>().ToArray();
        }

        Assert.All(Lengths(true), length => Assert.Equal(median, length, 1e-5f));
        Assert.All(Lengths(false), length => Assert.True(Math.Abs(length - median) > 1e-3));
    }

    [Fact]
    public void Train_ResumedAfterAStop_LearnsTheSame()
    {
        TrainerBuilder Builder(string name) => Images("tiny-sd15").WithTextualInversion(new TextualInversionOptions
        {
            Token = "sksfrog", Vectors = 2, Template = PromptTemplate.Object,
        }).SaveTo(_folder.File("out", name));
        var whole = Builder("whole.safetensors").For(TrainingLength.Steps(4)).Train();
        Builder("half.safetensors").For(TrainingLength.Steps(2)).SaveState(_folder.File("states", "frog")).Train();
        var resumed = Builder("rest.safetensors").For(TrainingLength.Steps(4))
            .ResumeFrom(Assert.Single(Directory.GetDirectories(_folder.File("states")))).Train();
        Assert.Equal(Numbers(whole.Files[0]), Numbers(resumed.Files[0]));
    }

    [Fact]
    public void Train_AnEmbeddingBesideAnAdapter_IsUsed_AndStaysAsItIs()
    {
        using var scope = NewDisposeScope();
        var (file, other) = (_folder.File("sksfrog.safetensors"), _folder.File("other.safetensors"));
        using (var embedding = new WordEmbedding(full([2, 48], 0.5))) EmbeddingWriter.Save(file, embedding);
        using (var embedding = new WordEmbedding(full([2, 48], -0.5))) EmbeddingWriter.Save(other, embedding);
        float[] Learn(string name, Func<TrainerBuilder, TrainerBuilder> with)
        {
            var held = TinyRun.HeldBefore();
            var result = with(Captioned(TinyRun.Bare(_folder, name), "a sksfrog")).Train();
            Assert.Equal(held, TinyRun.HeldTensors);
            return TinyRun.Weights(Assert.Single(result.Files));
        }

        var used = Learn("used", builder => builder.WithEmbedding(file));
        Assert.Equal(used, Learn("named", builder => builder.WithEmbedding(_folder.File("sksfrog.safetensors"), "sksfrog")));
        Assert.NotEqual(used, Learn("without", builder => builder));
        Assert.NotEqual(used, Learn("other", builder => builder.WithEmbedding(other, "sksfrog")));
        using var same = EmbeddingFile.Read(file);
        Assert.Equal(0.5f, same.Rows.max().item<float>());
    }

    [Fact]
    public void Train_OnAModelOfTheHost_LeavesItAsItWas_OrKeepsTheWord()
    {
        using var model = ModelLoader.Load(Model("tiny-sd15"));
        var plain = model.Tokenizer;
        Word("tiny-sd15", "word.safetensors").WithModel(model).Train();
        Assert.Same(plain, model.Tokenizer);
        Assert.Equal(0, model.TextEncoder.TokenEmbedding.AddedRows);

        using var kept = Word("tiny-sd15", "kept.safetensors").KeepModel().Train().Model!;
        Assert.Contains("sksfrog", kept.Tokenizer.AddedTokens.Keys);
    }

    [Fact]
    public void Build_NoCaptionSaysTheWord_IsAnError_AndSomeAreAWarning()
    {
        string[] Problems(TrainerBuilder builder) => [.. Assert.Throws<InvalidOptionsException>(() => builder.Build())
            .Problems.Select(problem => problem.ToString())];
        TrainerBuilder Saying(string caption, PromptTemplate template = PromptTemplate.None) =>
            Captioned(new TrainerBuilder().WithModel(Model("tiny-sd15")), caption).For(TrainingLength.Steps(1))
                .WithTextualInversion("sksfrog", template: template).SaveTo(_folder.File("out", "word.safetensors")).Overwrite();

        Assert.Contains("no caption says the new word", Assert.Single(Problems(Saying("a frog"))), StringComparison.Ordinal);
        Assert.Contains("capitals count", Assert.Single(Problems(Saying("a SksFrog"))), StringComparison.Ordinal);
        Saying("a frog", PromptTemplate.Style).Build();
        Saying("a sksfrog").Build();

        File.WriteAllText(Path.Combine(_folder.Path, "a sksfrog", "0.caption"), "nothing");
        var recorder = new Recorder();
        Saying("a sksfrog").WithObserver(recorder).Train();
        Assert.Contains(recorder.Started!.Warnings, warning =>
            warning.Contains("1 of 4 captions do not say it", StringComparison.Ordinal));
    }

    [Fact]
    public void Train_RegularisationImages_AreWarnedAbout_AndKeepTheirCaptions()
    {
        var recorder = new Recorder();
        var captions = new Listening();
        new TrainerBuilder().WithModel(Model("tiny-sd15"))
            .WithDataset(new DatasetBuilder().WithResolution(64).AddFolder(CaptionedFolder("a frog"))
                .AddFolder(CaptionedFolder("an animal"), new SubsetOptions { IsRegularization = true }))
            .WithTextualInversion("sksfrog", template: PromptTemplate.Object).WithTrainable(captions)
            .WithObserver(recorder).For(TrainingLength.Steps(8)).SaveTo(_folder.File("out", "{name}.safetensors")).Train();
        Assert.Contains(recorder.Started!.Warnings, warning => warning.Contains("teach a new word nothing", StringComparison.Ordinal));
        Assert.Contains("an animal", captions.Heard);
        Assert.All(captions.Heard.Where(caption => caption != "an animal"), caption =>
            Assert.Contains(caption.Replace("sksfrog", "{}", StringComparison.Ordinal), PromptTemplates.Object));
        Assert.True(captions.Heard.Distinct().Count() > 3, string.Join(" | ", captions.Heard));
    }

    [Fact]
    public void Build_WhatDoesNotGoTogether_IsTold()
    {
        string Problem(TrainerBuilder builder) => Assert.Throws<InvalidOptionsException>(() => builder.Build()).Message;
        void Says(string told, TrainerBuilder builder) => Assert.Contains(told, Problem(builder), StringComparison.Ordinal);
        using var scope = NewDisposeScope();
        var wide = _folder.File("wide.safetensors");
        using (var embedding = new WordEmbedding(ones(2, 1024))) EmbeddingWriter.Save(wide, embedding);
        TrainerBuilder With(NewWordOptions options, string model = "tiny-sd15") =>
            Images(model).WithTrainable(options).SaveTo(_folder.File("out", "word.safetensors"));

        Says("brackets weigh no captions", With(new TextualInversionOptions { Token = "sksfrog" }).WithWeightedCaptions());
        Says("brackets weigh no captions", With(new ExtendedTextualInversionOptions { Token = "sksfrog" }).WithWeightedCaptions());
        Says("the model is SDXL", With(new ExtendedTextualInversionOptions { Token = "sksfrog" }, "tiny-sdxl"));
        Says("one token of the model's vocabulary", With(new TextualInversionOptions { Token = "the", Template = PromptTemplate.Object }));
        Says("1024 wide", With(new TextualInversionOptions { Token = "sksfrog", Vectors = 2, InitialWeights = wide }));
        Says("SDXL has two", With(new TextualInversionOptions { Token = "sksfrog", Vectors = 2, InitialWeights = wide }, "tiny-sdxl"));
        Says("same vectors for all attention layers",
            With(new ExtendedTextualInversionOptions { Token = "sksfrog", Vectors = 2, InitialWeights = wide }));
        Says("End the path with .pt", With(new TextualInversionOptions { Token = "sksfrog", Format = EmbeddingFormat.WebUi }));
        Says("there is no word in it", With(new TextualInversionOptions { Token = "sksfrog", InitWord = " " }));
        Says("in their own way", With(new TextualInversionOptions { Token = "(sksfrog)" }));
        Says("a template takes the place", Images("tiny-sd15").SaveTo(_folder.File("out", "{name}.safetensors"))
            .WithTextualInversion("sksfrog", template: PromptTemplate.Object).WithTextualInversion("skscat"));
        Says("1024 wide", TinyRun.Builder(_folder).WithEmbedding(wide));
        Says("there is no such file", TinyRun.Builder(_folder).WithEmbedding(_folder.File("gone.pt")));
        Says("one token of the model's vocabulary", TinyRun.Builder(_folder).WithEmbedding(Good(), "the"));
        Says("would not know its word", TinyRun.Builder(_folder).WithEmbedding(Good()).WithCachedTextEncoderOutputs(true));

        string Good()
        {
            var path = _folder.File("good.safetensors");
            using var embedding = new WordEmbedding(ones(2, 48));
            EmbeddingWriter.Save(path, embedding);
            return path;
        }
    }

    [Fact]
    public void Train_TwoWords_EachLearnsItsOwn_AndBothAreSaid()
    {
        var result = Captioned(new TrainerBuilder().WithModel(Model("tiny-sd15")), "a sksfrog on a skscat")
            .WithTextualInversion("sksfrog", initWord: "frog").WithTextualInversion("skscat", vectors: 3)
            .WithLearningRate(5e-3).For(TrainingLength.Steps(2)).SaveTo(_folder.File("out", "{name}.safetensors")).Train();
        Assert.Equal(["skscat.safetensors", "sksfrog.safetensors"], result.Files.Select(Path.GetFileName).Order());
        Assert.Equal([1 * 48, 3 * 48], result.Files.Order().Reverse().Select(file => Numbers(file).Length));
    }

    [Fact]
    public void Train_TheFile_SaysWhatItIs()
    {
        var result = Word("tiny-sd15", "word.safetensors").Train();
        using var file = SafetensorsFile.Open(result.Files[0]);
        Assert.Equal("stable-diffusion-v1/textual-inversion", file.Metadata["modelspec.architecture"]);
        Assert.Equal("word", file.Metadata["modelspec.title"]);
    }

    private TrainerBuilder Word(string model, string file) => Images(model)
        .WithTextualInversion("sksfrog", initWord: "frog", vectors: 2).SaveTo(_folder.File("out", file));

    /// <summary>A run on four pictures of "a sksfrog", of two batches an epoch and three steps.</summary>
    private TrainerBuilder Images(string model) => Captioned(new TrainerBuilder().WithModel(Model(model)), "a sksfrog")
        .WithLearningRate(1e-1).For(TrainingLength.Steps(3));

    private TrainerBuilder Captioned(TrainerBuilder builder, string caption) =>
        builder.WithImages(CaptionedFolder(caption), resolution: 64).WithBatchSize(2);

    private string CaptionedFolder(string caption)
    {
        var images = _folder.Folder(caption);
        foreach (var file in Directory.GetFiles(TinyRun.Images(_folder), "*.png"))
        {
            var copy = Path.Combine(images, Path.GetFileName(file));
            File.Copy(file, copy, overwrite: true);
            if (!File.Exists(Path.ChangeExtension(copy, ".caption"))) File.WriteAllText(Path.ChangeExtension(copy, ".caption"), caption);
        }

        return images;
    }

    private string Model(string name) => Directory.Exists(_folder.File(name)) ? _folder.File(name) : name switch
    {
        "tiny-sd15" => FixtureModels.TinySd15(_folder),
        "tiny-sdxl" => FixtureModels.TinySdxl(_folder),
        _ => FixtureModels.TinySd21V(_folder),
    };

    private SampleOptions Samples(params string[] prompts) =>
        new() { Folder = _folder.File("samples"), Prompts = [.. prompts.Select(Prompt)] };

    private static TextToImageOptions Prompt(string text) => new() { Prompt = text, Width = 64, Height = 64, Steps = 2 };

    private static float[] Numbers(string path)
    {
        using var embedding = EmbeddingFile.Read(path);
        return embedding.Rows.data<float>().ToArray();
    }

    /// <summary>The same noise in every step.</summary>
    private sealed record Steady : OptionsBase, INoiseSource
    {
        public Tensor Draw(Tensor latents, Generator generator)
        {
            using var random = new Generator(5);
            return randn(latents.shape, generator: random);
        }

        public override IEnumerable<OptionProblem> Validate() => [];
    }

    /// <summary>Writes down the captions that are encoded; trains nothing.</summary>
    private sealed record Listening : TrainableOptions
    {
        public Listening() => Trained = false;

        public List<string> Heard { get; } = [];

        public override string DefaultName => "listening";

        public override ITrainable Create(TrainingPlan plan) => new Ear(Heard);

        private sealed class Ear(List<string> heard) : ITrainable, ICaptionStage
        {
            public string Name => "trainables/listening";

            public IReadOnlyList<Optimizers.ParameterGroup> Groups => [];

            public void Attach(TrainingSetup setup) => setup.Stages.Captions.Add(this);

            public string Change(string caption, in CaptionMoment moment)
            {
                heard.Add(caption);
                return caption;
            }

            public IReadOnlyList<string> Save(SaveRequest request) => [];

            public void Save(StateWriter writer) { }

            public void Load(StateReader reader) { }

            public void Dispose() { }
        }
    }
}
