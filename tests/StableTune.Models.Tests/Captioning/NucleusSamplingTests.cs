using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Models.Tests.Captioning;

/// <summary>Drawing tokens: which may be drawn, by which probabilities, and that a seed decides.</summary>
public sealed class NucleusSamplingTests : IDisposable
{
    private static readonly JsonElement s_facts = BlipFixture.Read("nucleus.json");

    private readonly Golden _golden = Golden.Open("blip", "nucleus.safetensors");

    public static TheoryData<string> Cases => [.. s_facts.GetProperty("cases").EnumerateArray().Select(row => row.GetProperty("case")
        .GetString()!)];

    private static int End => s_facts.GetProperty("eos").GetInt32();

    public void Dispose() => _golden.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void Probabilities_AreTheReferences(string name)
    {
        using var scope = NewDisposeScope();
        var row = s_facts.GetProperty("cases").EnumerateArray().Single(entry => entry.GetProperty("case").GetString() == name);
        var sampling = new NucleusSampling
        {
            TopP = row.GetProperty("top_p").GetDouble(), TopK = row.GetProperty("top_k").GetInt32() is > 0 and var count ? count : null,
            RepetitionPenalty = row.GetProperty("repetition_penalty").GetDouble(), MinLength = row.GetProperty("min_length").GetInt32(),
        };
        Assert.Empty(sampling.Validate());
        var at = row.GetProperty("row").GetInt32();
        AssertProbabilities(_golden["probs"][at], sampling, _golden["logits"][at], BlipFixture.Ids(row.GetProperty("prefix")));
        Assert.Equal(row.GetProperty("kept").GetInt32(), _golden["probs"][at].gt(0).sum().item<long>());
    }

    [Fact]
    public void Probabilities_AlongTheReferencesTexts_AreItsOwn_AndTheSeedDrawsItsTokens()
    {
        using var scope = NewDisposeScope();
        using var pictures = Golden.Open("blip", "original.safetensors");
        using var model = BlipFixture.Model();
        string[] images = ["a.png", "b.png", "c.png", "d.png"];
        foreach (var trace in s_facts.GetProperty("traces").EnumerateArray())
        {
            var (image, options, ids) =
                (trace.GetProperty("image").GetString()!, trace.GetProperty("options"), BlipFixture.Ids(trace.GetProperty("ids")));
            var sampling = new NucleusSampling
            {
                TopP = options.GetProperty("top_p").GetDouble(), MaxLength = options.GetProperty("max_length").GetInt32(),
                MinLength = options.GetProperty("min_length").GetInt32(),
            };
            const int prompt = 4;
            for (var step = 0; step < ids.Length - prompt; step++)
                AssertProbabilities(_golden[$"trace.{image}.probs"][step], sampling, _golden[$"trace.{image}.logits"][step],
                    ids[..(prompt + step)]);
            var pixels = pictures["pixel_values"].narrow(0, Array.IndexOf(images, image), 1);
            var request = new TextRequest(ids[..prompt], End, [trace.GetProperty("seed").GetInt64()]);
            Assert.Equal(ids, model.Generate(pixels, request, sampling).Single().Single().Ids);
        }
    }

    [Fact]
    public void Generate_DrawsForEachTextByItsOwnSeed()
    {
        using var scope = NewDisposeScope();
        using var pictures = Golden.Open("blip", "original.safetensors");
        using var model = BlipFixture.Model();
        var pixels = pictures["pixel_values"];
        var sampling = new NucleusSampling { MaxLength = 20 };
        IReadOnlyList<int>[] Texts(Tensor some, params long[] seeds) =>
            [.. model.Generate(some, new([118, 15, 85, 61], End, seeds), sampling).Select(found => found[0].Ids)];
        var all = Texts(pixels, 7, 8, 9, 10);
        Assert.Equal(all, Texts(pixels, 7, 8, 9, 10));
        Assert.Equal(all[2], Texts(pixels.narrow(0, 2, 1), 9).Single());
        Assert.NotEqual(all, Texts(pixels, 17, 18, 19, 20));
        var fault = Assert.Throws<ArgumentException>(() => Texts(pixels, 1, 2));
        Assert.Contains("2 seeds for 4 texts", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_ThatCannotWork_AreNamed()
    {
        string[] Faults(TextDecoding decoding) => [.. decoding.Validate().Select(problem => problem.Option)];
        Assert.Equal(["NucleusSampling.TopP"], Faults(new NucleusSampling { TopP = -0.1 }));
        Assert.Equal(["NucleusSampling.TopP"], Faults(new NucleusSampling { TopP = double.NaN }));
        Assert.Empty(Faults(new NucleusSampling { TopP = 1.5 }));
        Assert.Equal(["NucleusSampling.TopK"], Faults(new NucleusSampling { TopK = 0 }));
        Assert.Equal(["BeamSearch.Beams"], Faults(new BeamSearch { Beams = 0 }));
        Assert.Equal(["BeamSearch.MaxLength", "BeamSearch.MinLength", "BeamSearch.RepetitionPenalty"],
            Faults(new BeamSearch { MaxLength = 1, RepetitionPenalty = 0 }));
        Assert.Equal(["BeamSearch.MinLength"], Faults(new BeamSearch { MinLength = 76 }));
        using var model = new BlipModel(BlipOptions.Tiny);
        using var pixels = zeros(1, 3, 32, 32);
        void Refused(string part, TextDecoding decoding, params int[] prompt)
        {
            var fault = Assert.ThrowsAny<Exception>(() => model.Generate(pixels, new(prompt, 5), decoding));
            Assert.Contains(part, fault.Message, StringComparison.Ordinal);
        }

        Refused("places for 80 tokens", new BeamSearch { MaxLength = 81 }, 118);
        Refused("have 3 tokens already", new BeamSearch { MaxLength = 3, MinLength = 0 }, 118, 15, 85);
        Refused("0 to 119", new BeamSearch(), 120);
        Refused("at least the start", new BeamSearch());
        Refused("has 120 tokens only", new BeamSearch { Beams = 61 }, 118);
        using var wrong = zeros(1, 3, 33, 32);
        Assert.Contains("[1, 3, 33, 32]", Assert.Throws<ArgumentException>(() => model.Generate(wrong, new([118], 5), new BeamSearch()))
            .Message, StringComparison.Ordinal);
    }

    private static void AssertProbabilities(Tensor expected, NucleusSampling sampling, Tensor logits, int[] prefix)
    {
        using var scope = NewDisposeScope();
        var ids = tensor(prefix.Select(id => (long)id).ToArray()).unsqueeze(0);
        var actual = sampling.Probabilities(logits.unsqueeze(0), ids, End)[0];
        Assert.Equal(Kept(expected), Kept(actual));
        GoldenComparison.AssertClose("probabilities", expected, actual, 1e-6);

        static IEnumerable<bool> Kept(Tensor probabilities) => GoldenComparison.Floats(probabilities).Select(value => value > 0);
    }
}
