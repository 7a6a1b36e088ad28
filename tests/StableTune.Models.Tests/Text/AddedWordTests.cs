using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>Words that are added to a model, and how texts are read with them.</summary>
[Collection(CountsTensors.Name)]
public sealed class AddedWordTests : IDisposable
{
    private readonly StableDiffusionModel _model = new(new ModelComponents
    {
        TextEncoder = new ClipTextModel(ClipTextOptions.Tiny), UNet = TinyModels.UNet(),
        Tokenizer = new ClipTokenizer(ClipVocabulary.Embedded(FixtureModels.TinyMergeCount)),
    });

    public void Dispose() => _model.Dispose();

    [Fact]
    public void AWordOfSeveralVectors_IsReadAsAllOfThem_WhereverTheTokenizerCutsIt()
    {
        using var word = Add("sksdog", 3);
        int[] all = [1000, 1001, 1002];
        Assert.Equal(all, New("a sksdog"));
        Assert.Equal(all, New("a sksdog, b"));
        Assert.Equal(all, New("sksdogs"));
        Assert.Equal(all, New("a sksdog sksdog1 sksdog2"));
        Assert.Equal([1001], New("a sksdog1"));
        Assert.Equal([.. all, .. all], New("sksdog and (sksdog:1.2)"));
        Assert.Empty(New("a SksDog"));
    }

    [Fact]
    public void TwoWords_OneInTheOther_AreToldApart()
    {
        using var shorter = Add("sks", 2);
        using var longer = Add("sksdog", 2);
        Assert.Equal([1002, 1003], New("a sksdog"));
        Assert.Equal([1000, 1001, 1002, 1003], New("sks sksdog"));
    }

    [Fact]
    public void Dispose_InAnyOrder_LeavesTheOthers()
    {
        var plain = _model.Tokenizer;
        var first = Add("sksone", 2);
        var second = Add("skstwo", 1, value: 5);
        var before = States("a skstwo");
        first.Dispose();
        first.Dispose();
        Assert.Equal([1000], New("a skstwo"));
        Assert.Equal(before, States("a skstwo"));
        Assert.Empty(New("sksone"));
        Assert.Equal(1, _model.TextEncoder.TokenEmbedding.AddedRows);
        second.Dispose();
        Assert.Same(plain, _model.Tokenizer);
    }

    [Fact]
    public void Dispose_OfTheModel_FreesItsWords()
    {
        var before = HeldTensors.Before();
        using (var embedding = new WordEmbedding(ones(2, 48)) { Word = "skscat" }) _model.AddEmbedding(embedding);
        Assert.Equal(before + 1, TensorCount.Live);
        _model.ReleaseTextEncoder();
        Assert.True(TensorCount.Live < before);
    }

    [Fact]
    public void AWordThatIsKnown_IsRefused()
    {
        using var word = Add("sksdog", 2);
        Assert.Contains("\"sksdog1\" already", Fault("sksdog1"), StringComparison.Ordinal);
        Assert.Contains("one token of the model's vocabulary", Fault("the"), StringComparison.Ordinal);
        Assert.Null(AddedWord.FaultOf("skscat", 4, _model.Tokenizer));
        Assert.Throws<ArgumentException>(() => Add("the", 1));
        Assert.Equal(2, _model.TextEncoder.TokenEmbedding.AddedRows);

        string Fault(string name) => AddedWord.FaultOf(name, 1, _model.Tokenizer)!.Value.Fault;
    }

    [Fact]
    public void WordsOfLayers_GiveEachLayerAContext_AndOtherTextsOne()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var rows = randn([16 * 2, 48], generator: new Generator(3));
        using var word = AddedWord.To(_model, "skscat", 2, [rows]);
        var encoder = PromptEncoder.For(_model);
        Assert.Equal([1, 77, 48], encoder.Encode(["a frog"]).Context.shape);
        var mixed = encoder.Encode(["a frog", "a skscat, b"]).Context;
        Assert.Equal([2, 16, 77, 48], mixed.shape);
        var plain = encoder.Encode(["a frog"]).Context;
        for (var k = 0; k < 16; k++)
        {
            Assert.True(mixed[0, k].allclose(plain[0], 1e-5, 1e-5));
            // A layer reads the word with its own vectors: what a plain word of these gives.
            using var alone = AddedWord.To(_model, "sksplain", 2, [rows.narrow(0, 2 * k, 2)]);
            Assert.True(mixed[1, k].allclose(PromptEncoder.For(_model).Encode(["a sksplain, b"]).Context[0], 1e-5, 1e-5), $"layer {k}");
        }

        Assert.Equal([2, 16, 77, 48], encoder.EncodeForSampling(["", "a (skscat:1.3)"]).Context.shape);
        Assert.Equal([1, 16, 152, 48], encoder.EncodeWeighted(["a [skscat]"], maxTokenLength: 150).Context.shape);
    }

    [Fact]
    public void RowsThatDoNotFit_AreRefused()
    {
        using var scope = NewDisposeScope();
        var error = Assert.Throws<ArgumentException>(() => AddedWord.To(_model, "skscat", 2, [ones(5, 48)]));
        Assert.Contains("[2, C], or [32, C] for 16 attention layers", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => AddedWord.To(_model, "skscat", 2, [ones(2, 48), ones(2, 48)]));
        Assert.Throws<ArgumentException>(() => new WordEmbedding(ones(2)));
        Assert.Throws<ArgumentException>(() => new WordEmbedding(ones(2, 8), ones(3, 8)));
        using var nameless = new WordEmbedding(ones(2, 48));
        Assert.Throws<ArgumentException>(() => _model.AddEmbedding(nameless));
        Assert.Equal(0, _model.TextEncoder.TokenEmbedding.AddedRows);
    }

    private AddedWord Add(string word, int vectors, double value = 1)
    {
        using var embedding = new WordEmbedding(full([vectors, 48], value));
        return _model.AddEmbedding(embedding, word);
    }

    /// <summary>The ids of new words in a text, as prompts are read.</summary>
    private int[] New(string text) => [.. _model.Tokenizer.EncodeWeighted(text).Ids[0].Where(id => id >= 1000).Select(id => (int)id)];

    private float[] States(string text)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        return PromptEncoder.For(_model).Encode([text]).Context.contiguous().data<float>().ToArray();
    }
}
