using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>A tiny model's texts and what the references make of them. Tolerances are those of the fixtures' README.</summary>
public abstract class PromptGolden : IDisposable
{
    protected const double Tolerance = 1e-5;

    private readonly string _fixture;
    private readonly DisposeScope _scope = NewDisposeScope();

    /// <param name="fixture">The model's folder among the components.</param>
    protected PromptGolden(string fixture)
    {
        _fixture = fixture;
        Expected = Golden.Open("components", fixture, "text.safetensors");
    }

    private protected Golden Expected { get; }

    public virtual void Dispose()
    {
        Expected.Dispose();
        _scope.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected Golden SamplingPrompts() => Golden.Open("components", _fixture, "sampling_prompts.safetensors");

    private protected JsonDocument Json(string file) => JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("components", _fixture, file)));

    private protected string[] Texts(string name)
    {
        using var document = Json("texts.json");
        return [.. document.RootElement.GetProperty(name).EnumerateArray().Select(text => text.GetString()!)];
    }

    private protected void AssertIds(string expected, ITextTokenizer tokenizer, int maxTokenLength)
    {
        var ids = Texts("texts").SelectMany(text => tokenizer.EncodePadded(text, maxTokenLength)).SelectMany(row => row).ToArray();
        Expected.AssertEqual(expected, tensor(ids, Expected[expected].shape));
    }

    private protected void AssertWeighted(string expectedIds, string expectedWeights, ITextTokenizer tokenizer, int maxTokenLength)
    {
        var weighted = Texts("weighted_texts").Select(text => tokenizer.EncodeWeighted(text, maxTokenLength)).ToArray();
        Expected.AssertEqual(expectedIds,
            tensor(weighted.SelectMany(text => text.Ids).SelectMany(row => row).ToArray(), Expected[expectedIds].shape));
        Expected.AssertClose(expectedWeights,
            tensor(weighted.SelectMany(text => text.Weights).SelectMany(row => row).ToArray(), Expected[expectedWeights].shape), 1e-6);
    }

    /// <summary>Compares the gradients of the mean square of the encoder's states for some ids.</summary>
    /// <returns>How many gradients were compared.</returns>
    private protected int AssertGradients(TextModel encoder, Tensor ids)
    {
        encoder.SetRequiresGrad(true);
        var loss = encoder.call(ids).pow(2).mean();
        loss.backward();
        Expected.AssertClose("grad_loss", loss, Tolerance);
        var parameters = encoder.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        var names = Expected.Names.Where(name => name.StartsWith("grad.", StringComparison.Ordinal)).ToArray();
        foreach (var name in names) Expected.AssertClose(name, parameters[name["grad.".Length..]].grad!, 1e-4, relativeToMax: true);
        return names.Length;
    }
}

/// <summary>What the prompts of every model with one CLIP encoder are tested for.</summary>
public abstract class ClipPromptGolden(string fixture) : PromptGolden(fixture)
{
    private protected abstract IPromptEncoder Encoder { get; }

    [Theory]
    [InlineData(75, 1, "hidden_77")]
    [InlineData(75, 2, "hidden_77_clipskip2")]
    [InlineData(75, 3, "hidden_77_clipskip3")]
    [InlineData(225, 1, "hidden_225")]
    [InlineData(225, 2, "hidden_225_clipskip2")]
    public void Encode_Texts_AgreesWithTheReference(int maxTokenLength, int clipSkip, string expected)
    {
        using var frozen = no_grad();
        var conditions = Encoder.Encode(Texts("texts"), clipSkip, maxTokenLength);
        Expected.AssertClose(expected, conditions.Context, Tolerance);
        Assert.Null(conditions.Pooled);
    }

    [Theory]
    [InlineData(75, 1, "weighted_hidden_77")]
    [InlineData(75, 2, "weighted_hidden_77_clipskip2")]
    [InlineData(75, 3, "weighted_hidden_77_clipskip3")]
    [InlineData(225, 1, "weighted_hidden_225")]
    public void EncodeWeighted_Texts_AgreesWithTheReference(int maxTokenLength, int clipSkip, string expected)
    {
        using var frozen = no_grad();
        Expected.AssertClose(expected, Encoder.EncodeWeighted(Texts("weighted_texts"), clipSkip, maxTokenLength).Context, Tolerance);
    }

    [Theory]
    [InlineData(1, "")]
    [InlineData(2, "_clipskip2")]
    public void EncodeForSampling_Prompts_AgreesWithTheReference(int clipSkip, string suffix)
    {
        using var frozen = no_grad();
        using var golden = SamplingPrompts();
        using var document = Json("sampling_prompts.json");
        var index = 0;
        foreach (var item in document.RootElement.GetProperty("prompts").EnumerateArray())
        {
            var states = Encoder.EncodeForSampling(
                [item.GetProperty("prompt").GetString()!, item.GetProperty("negative_prompt").GetString()!], clipSkip).Context;
            golden.AssertClose($"{index}.prompt{suffix}", states.narrow(0, 0, 1), Tolerance);
            golden.AssertClose($"{index}.negative{suffix}", states.narrow(0, 1, 1), Tolerance);
            index++;
        }

        Assert.Equal(3, index);
    }
}
