using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>
/// Embeddings for each attention layer, for which there are no recorded runs: what must hold against training one embedding for all layers.
/// </summary>
public sealed class ExtendedTextualInversionTests : IDisposable
{
    private static readonly string[] s_captions = ["a photo of sksdog", "a frog"];

    private readonly TemporaryFolder _folder = new();
    private readonly TrainingRandom _random = new(new NamedSeeds(0));

    public void Dispose()
    {
        _random.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("tiny-sd15", 1)]
    [InlineData("tiny-sd15", 3)]
    [InlineData("tiny-sd21-v", 2)]
    public void EqualEmbeddings_GiveTheLossOfOne_AndGradientsThatAddUpToIts(string name, int vectors)
    {
        using var model = ModelLoader.Load(name == "tiny-sd15" ? FixtureModels.TinySd15(_folder) : FixtureModels.TinySd21V(_folder));
        using var scope = NewDisposeScope();
        var (loss, gradient) = Backward(model, new TextualInversionOptions { Token = "sksdog", Vectors = vectors, InitWord = "the" });
        var (extended, each) = Backward(model,
            new ExtendedTextualInversionOptions { Token = "sksdog", Vectors = vectors, InitWord = "the" });
        Assert.Equal(loss, extended, 1e-6);
        Assert.Equal([16 * vectors, gradient.size(1)], each.shape);
        var byLayer = each.view(16, vectors, -1);
        Assert.True(byLayer.sum(0L).allclose(gradient, 1e-3, 1e-3 * gradient.abs().max().item<float>()));
        // Every layer's rows are reached, and no two alike.
        for (var k = 0; k < 16; k++) Assert.True(byLayer[k].abs().max().item<float>() > 0, $"layer {k}");
        for (var k = 1; k < 16; k++) Assert.False(byLayer[k].allclose(byLayer[k - 1]), $"layer {k}");
    }

    [Fact]
    public void Gradients_ReachNothingButRowsAndTable()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder));
        using var scope = NewDisposeScope();
        using var trainable = Attach(model, new ExtendedTextualInversionOptions { Token = "sksdog" });
        Loss(model, trainable).backward();
        var table = Assert.Single(trainable.ClippedAlong);
        string[] reached = [.. model.TextEncoder.named_parameters().Concat(model.UNet.named_parameters())
            .Where(entry => entry.parameter.grad is not null).Select(entry => entry.name)];
        Assert.EndsWith("token_embedding.weight", Assert.Single(reached), StringComparison.Ordinal);
        Assert.NotNull(table.grad);
    }

    [Fact]
    public void Save_AndContinue_GivesTheSameRows_AndDisposingLeavesNoTrace()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder));
        var plain = model.Tokenizer;
        var (file, before) = (_folder.File("word.safetensors"), TensorCount.Live);
        float[] rows;
        using (var trainable = Attach(model, new ExtendedTextualInversionOptions { Token = "sksdog", Vectors = 2 }))
        {
            rows = Rows(trainable);
            Assert.Equal([file], trainable.Save(Request(file)));
        }

        Assert.Equal(before, TensorCount.Live);
        Assert.Same(plain, model.Tokenizer);
        using (var again = Attach(model, new ExtendedTextualInversionOptions { Token = "sksdog", Vectors = 2, InitialWeights = file }))
            Assert.Equal(rows, Rows(again));
        // One for all layers cannot begin one for each, nor the other way round.
        Assert.Contains("for each attention layer",
            Fault(new TextualInversionOptions { Token = "sksdog", Vectors = 2, InitialWeights = file }), StringComparison.Ordinal);
        Assert.Contains("Set Vectors to 2", Fault(new ExtendedTextualInversionOptions { Token = "sksdog", InitialWeights = file }),
            StringComparison.Ordinal);
        Assert.Equal(0, model.TextEncoder.TokenEmbedding.AddedRows);

        string Fault(NewWordOptions options) => Assert.Throws<InvalidFileException>(() => Attach(model, options)).Message;
    }

    [Fact]
    public void Attach_ToSdxl_IsRefused()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySdxl(_folder));
        var error = Assert.Throws<InvalidOptionsException>(() => Attach(model, new ExtendedTextualInversionOptions { Token = "sksdog" }));
        Assert.Contains("the model is SDXL", error.Message, StringComparison.Ordinal);
        Assert.Contains("WithTextualInversion", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Attach_ToSdxl_GivesBothEncodersAsManyTokens()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySdxl(_folder));
        using var trainable = Attach(model, new TextualInversionOptions { Token = "sksdog", Vectors = 3 });
        Assert.Equal([3L, 3L], trainable.Groups[0].Parameters.Select(parameter => parameter.Value.shape[0]));
        Assert.Equal(model.TextEncoders.Select(encoder => encoder.TokenEmbedding.embedding_dim),
            trainable.Groups[0].Parameters.Select(parameter => parameter.Value.shape[1]));
        Assert.Equal(3, model.Tokenizer.EncodeBody("sksdog").Count);
        Assert.Equal(3, model.Tokenizer2.EncodeBody("sksdog").Count);
    }

    [Fact]
    public void InitWord_OfAnotherNumberOfTokens_IsTakenInTurn_AndTold()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder));
        using var scope = NewDisposeScope();
        var tokens = model.Tokenizer.EncodeBody("the a");
        Assert.Equal(2, tokens.Count);
        using var trainable = Attach(model, new TextualInversionOptions { Token = "sksdog", Vectors = 3, InitWord = "the a" });
        Assert.Contains("2 tokens begin 3 vectors, in turn", Assert.Single(trainable.Warnings), StringComparison.Ordinal);
        var table = model.TextEncoder.TokenEmbedding.weight.detach();
        foreach (var (id, i) in new[] { tokens[0], tokens[1], tokens[0] }.Select((id, i) => (id, i)))
            Assert.True(trainable.Groups[0].Parameters[0].Value.detach()[i].equal(table[id]).all().item<bool>());
        using var other = Attach(model, new TextualInversionOptions { Token = "skscat", Vectors = 2, InitWord = "the a" });
        Assert.Empty(other.Warnings);
    }

    [Fact]
    public void WithoutInitWord_BeginsWithSmallRandomNumbers()
    {
        using var model = ModelLoader.Load(FixtureModels.TinySd15(_folder));
        using var scope = NewDisposeScope();
        using var trainable = Attach(model, new ExtendedTextualInversionOptions { Token = "sksdog", Vectors = 8 });
        var rows = trainable.Groups[0].Parameters[0].Value.detach();
        Assert.Equal(0.02, rows.std().item<float>(), 1e-3);
        Assert.Equal(0, rows.mean().item<float>(), 1e-3);
    }

    [Fact]
    public void Templates_HaveTheCustomaryNumberOfSentences_EachWithOnePlace()
    {
        Assert.Equal((27, 19), (PromptTemplates.Object.Count, PromptTemplates.Style.Count));
        Assert.All(PromptTemplates.Object.Concat(PromptTemplates.Style), sentence => Assert.Equal(2, sentence.Split("{}").Length));
        Assert.Equal(27, PromptTemplates.Object.Distinct().Count());
    }

    private (double Loss, Tensor Gradient) Backward(StableDiffusionModel model, NewWordOptions options)
    {
        using var scope = NewDisposeScope();
        using var trainable = Attach(model, options);
        var loss = Loss(model, trainable);
        loss.backward();
        var gradient = trainable.Groups[0].Parameters[0].Value.grad!.clone();
        foreach (var table in trainable.ClippedAlong) table.grad = null;
        return (loss.item<float>(), gradient.MoveToOuterDisposeScope());
    }

    /// <summary>The loss of one batch, the same noise and timesteps each time.</summary>
    private Tensor Loss(StableDiffusionModel model, ITrainable trainable)
    {
        var plan = new TrainingPlan { Trainables = [new TextualInversionOptions { Token = "sksdog" }] };
        using var random = new TrainingRandom(new NamedSeeds(3));
        using var method = new DenoisingOptions().Create(new MethodSetup
        {
            Model = model, Plan = plan, Trainables = [trainable], Stages = new StageList(), Random = random,
        });
        using var batch = new Batch(s_captions) { Latents = randn([2, 4, 8, 8], generator: random["latents"]) };
        return method.Loss(batch);
    }

    private ITrainable Attach(StableDiffusionModel model, NewWordOptions options)
    {
        var trainable = options.Create(new TrainingPlan());
        try
        {
            foreach (var parameter in model.UNet.parameters().Concat(model.TextEncoder.parameters())) parameter.requires_grad_(false);
            trainable.Attach(Setup.Of(model, _random));
            return trainable;
        }
        catch
        {
            trainable.Dispose();
            throw;
        }
    }

    private static SaveRequest Request(string file) => new()
    {
        Path = file, FinalPath = file, WriteMetadata = false,
        Moment = new SaveMoment { Reason = SaveReason.End, Step = 1, Epoch = 1, Trainables = [], Plan = new TrainingPlan(), Run = null! },
    };

    private static float[] Rows(ITrainable trainable)
    {
        using var rows = trainable.Groups[0].Parameters[0].Value.detach();
        return rows.data<float>().ToArray();
    }
}
