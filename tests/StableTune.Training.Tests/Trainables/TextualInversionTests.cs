using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Training.Tests;

/// <summary>Training an embedding against the reference: tests/fixtures/training/textual_inversion.</summary>
public sealed class TextualInversionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StableDiffusionModel _model;
    private readonly RecordedSteps _steps;
    private readonly TrainingRandom _random = new(new NamedSeeds(0));

    public TextualInversionTests()
    {
        _model = ModelLoader.Load(FixtureModels.TinySd15(_folder));
        _steps = new RecordedSteps("textual_inversion", _model, trainsText: true);
    }

    private string[] Tokens => [.. _steps.Settings.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()!)];

    public void Dispose()
    {
        _steps.Dispose();
        _model.Dispose();
        _random.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void LossesNormsAndRows_FollowTheReference()
    {
        using var trainable = Attach();
        using var scope = NewDisposeScope();
        var rows = Assert.Single(trainable.Groups.Single().Parameters).Value;
        _steps.Tensors.AssertClose("initial_rows", rows.detach(), 0);
        _steps.Run(trainable,
            beforeUpdate: step => _steps.Tensors.AssertClose($"step{step}.grad_rows", rows.grad!, 1e-4, relativeToMax: true),
            afterUpdate: step => _steps.Tensors.AssertClose($"step{step}.rows_after", rows.detach(), 1e-4));
    }

    [Fact]
    public void Attach_GivesTheRowsTheNumbersAfterTheTable_AndTextsTheirWords()
    {
        var plain = _model.Tokenizer;
        using (var trainable = Attach())
        {
            int[] ids = [.. _steps.Settings.GetProperty("token_ids").EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal(ids, Tokens.Select(token => _model.Tokenizer.AddedTokens[token]));
            // The first word alone stands for all; where they follow already, nothing is added.
            Assert.Equal(_model.Tokenizer.EncodeBody($"a {string.Join(' ', Tokens)}, b"), _model.Tokenizer.EncodeBody($"a {Tokens[0]}, b"));
            foreach (var caption in _steps.Settings.GetProperty("captions").EnumerateArray().Select(caption => caption.GetString()!))
                Assert.Equal(ids, _model.Tokenizer.EncodeBody(caption).Where(id => id >= ids[0]));
        }

        Assert.Same(plain, _model.Tokenizer);
        Assert.Equal(0, _model.TextEncoder.TokenEmbedding.AddedRows);
        Assert.False(_model.TextEncoder.TokenEmbedding.weight.requires_grad);
    }

    [Fact]
    public void Save_AndContinue_GivesTheSameRows()
    {
        var file = _folder.File("word.safetensors");
        float[] trained;
        using (var trainable = Attach())
        {
            _steps.Run(trainable);
            Assert.Equal([file], trainable.Save(Request(file)));
            trained = Rows(trainable);
            using var saved = Golden.Open("training", "textual_inversion", "embedding_saved.safetensors");
            using var scope = NewDisposeScope();
            saved.AssertClose("emb_params", trainable.Groups[0].Parameters[0].Value.detach(), 1e-4);
        }

        using var again = Attach(options => options with { InitWord = null, InitialWeights = file });
        Assert.Equal(trained, Rows(again));
    }

    [Fact]
    public void Attach_BadFiles_AreNamed()
    {
        var three = Assert.Throws<InvalidFileException>(() =>
            Attach(options => options with { InitWord = null, Vectors = 3,
            InitialWeights = Fixtures.Path("training", "textual_inversion", "embedding_saved.safetensors") }));
        Assert.Contains("Vectors", three.Message, StringComparison.Ordinal);
        var lora = Assert.Throws<InvalidFileException>(() =>
            Attach(options => options with { InitWord = null,
            InitialWeights = Fixtures.Path("training", "lora_fp32", "lora_saved_fp16.safetensors") }));
        Assert.Contains("emb_params", lora.Message, StringComparison.Ordinal);
        Assert.Equal(0, _model.TextEncoder.TokenEmbedding.AddedRows);
    }

    [Fact]
    public void Validate_NamesEachOptionOutOfRange()
    {
        string[] Problems(TextualInversionOptions options) => [.. options.Validate().Select(problem => problem.Option)];
        Assert.Equal(["TextualInversionOptions.Token"], Problems(new() { Token = "two words" }));
        Assert.Equal(["TextualInversionOptions.Vectors"], Problems(new() { Token = "sks", Vectors = 0 }));
        Assert.Equal(["TextualInversionOptions.Rate"], Problems(new() { Token = "sks", Rate = double.NaN }));
        Assert.Equal(["TextualInversionOptions.InitialWeights"], Problems(new() { Token = "sks", InitialWeights = "nowhere.safetensors" }));
        Assert.Equal(["TextualInversionOptions.InitialWeights"], Problems(new() { Token = "sks", Trained = false }));
    }

    private ITrainable Attach(Func<TextualInversionOptions, TextualInversionOptions>? change = null)
    {
        var options = new TextualInversionOptions { Token = Tokens[0], Vectors = Tokens.Length,
            InitWord = _steps.Settings.GetProperty("init_word").GetString(), Rate = _steps.Rate };
        var trainable = (change?.Invoke(options) ?? options).Create(new TrainingPlan());
        try
        {
            trainable.Attach(Setup.Of(_model, _random));
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

    private static float[] Rows(ITrainable trainable) => trainable.Groups[0].Parameters[0].Value.detach().data<float>().ToArray();
}
