using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Models.Tests.Captioning;

/// <summary>BLIP beside sd-scripts' own model: inner values, scores of tokens, and texts.</summary>
public sealed class BlipParityTests : IDisposable
{
    private const double Tolerance = 1e-5;

    private static readonly JsonElement s_facts = BlipFixture.Read("original.json");

    private readonly Golden _golden = Golden.Open("blip", "original.safetensors");
    private readonly BlipModel _model = BlipFixture.Model();

    public static TheoryData<string> Cases => [.. s_facts.GetProperty("cases").EnumerateObject().Select(entry => entry.Name)];

    private static int[] Prompt => BlipFixture.Ids(s_facts.GetProperty("prompt_ids"));

    private static int End => s_facts.GetProperty("special_ids").GetProperty("[SEP]").GetInt32();

    public void Dispose()
    {
        _golden.Dispose();
        _model.Dispose();
    }

    [Fact]
    public void Vision_GivesTheReferencesValues()
    {
        using var scope = NewDisposeScope();
        var pixels = _golden["pixel_values"];
        _golden.AssertClose("vit.patches", _model.Vision.Embeddings.Patches(pixels), Tolerance, relativeToMax: true);
        var seen = _model.Vision.Embeddings.call(pixels);
        for (var i = 0; i < 2; i++)
        {
            seen = _model.Vision.Layers[i].call(seen);
            _golden.AssertClose($"vit.block{i}", seen, Tolerance, relativeToMax: true);
        }

        _golden.AssertClose("image_embeds", _model.call(pixels), Tolerance, relativeToMax: true);
    }

    [Fact]
    public void Vision_OfLargerPictures_ResizesItsPositions()
    {
        using var scope = NewDisposeScope();
        using var larger = new VisionTransformer(BlipOptions.Tiny.Vision with { ImageSize = 48 });
        var weights = _model.Vision.state_dict().Where(entry => !entry.Key.EndsWith("position_embedding", StringComparison.Ordinal));
        larger.load_state_dict(weights.ToDictionary(entry => entry.Key, entry => entry.Value), strict: false);
        larger.Positions.SetData(larger.PositionsFor(_model.Vision.Positions.detach()));
        _golden.AssertClose("pos_embed_48", larger.Positions, Tolerance, relativeToMax: true);
        _golden.AssertClose("image_embeds_48", larger.call(_golden["pixel_values_48"]), Tolerance, relativeToMax: true);
    }

    [Fact]
    public void Decoder_GivesTheReferencesValues_AlsoOfPadding()
    {
        using var scope = NewDisposeScope();
        var (ids, mask, seen) = (_golden["input_ids"], _golden["attention_mask"], _golden["image_embeds"]);
        var body = _model.Decoder.Body;
        _golden.AssertClose("decoder.embeddings", body.Embeddings.Run(ids, 0), Tolerance, relativeToMax: true);
        var hidden = body.Embeddings.Run(ids, 0);
        using var memory = _model.Decoder.Begin(seen);
        using var bias = Bias(mask);
        var number = 0;
        foreach (var layer in body.Layers)
        {
            hidden = layer.Run(hidden, bias, memory, number);
            _golden.AssertClose($"decoder.layer{number++}", hidden, Tolerance, relativeToMax: true);
        }

        _golden.AssertClose("logits", _model.Logits(seen, ids, mask), Tolerance, relativeToMax: true);
    }

    /// <summary>Written down again: a token sees itself and those before it, but no padding.</summary>
    private static Tensor Bias(Tensor mask)
    {
        using var scope = NewDisposeScope();
        var length = mask.shape[1];
        var seen = ones(length, length).tril().unsqueeze(0) * mask.to(ScalarType.Float32).unsqueeze(1);
        return ((1 - seen) * -10_000).unsqueeze(1).MoveToOuterDisposeScope();
    }

    [Fact]
    public void Decoder_TokenByToken_GivesWhatItGivesAtOnce()
    {
        using var scope = NewDisposeScope();
        var greedy = s_facts.GetProperty("captions").EnumerateArray().First();
        var ids = BlipFixture.Ids(greedy.GetProperty("ids"));
        using var memory = _model.Decoder.Begin(_golden["image_embeds"].narrow(0, 0, 1));
        var steps = new List<Tensor>();
        for (var length = Prompt.Length; length < ids.Length; length++)
        {
            var added = length == Prompt.Length ? ids[..length] : ids[(length - 1)..length];
            steps.Add(_model.Decoder.Run(tensor(added.Select(id => (long)id).ToArray()).unsqueeze(0), memory, lastOnly: true));
        }

        _golden.AssertClose("greedy_steps", cat(steps, 0L), Tolerance, relativeToMax: true);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Generate_WritesTheReferencesTexts_OneByOneAndTogether(string name)
    {
        using var scope = NewDisposeScope();
        var decoding = BlipFixture.Decoding(s_facts.GetProperty("cases").GetProperty(name));
        var expected = Expected("captions", name, entry => true);
        Assert.Equal(4, expected.Count);
        var together = _model.Generate(_golden["pixel_values"], new(Prompt, End), decoding);
        Assert.Equal(expected, together.Select(found => found[0].Ids));
        for (var i = 0; i < 4; i++)
            Assert.Equal(expected[i],
                _model.Generate(_golden["pixel_values"].narrow(0, i, 1), new(Prompt, End), decoding).Single()[0].Ids);
    }

    [Fact]
    public void Generate_WithBeams_FindsTheReferencesTextsAndScores()
    {
        using var scope = NewDisposeScope();
        var images = s_facts.GetProperty("images").EnumerateArray().Select(image => image.GetString()).ToList();
        foreach (var entry in s_facts.GetProperty("beams").EnumerateArray())
        {
            var decoding = BlipFixture.Decoding(s_facts.GetProperty("cases").GetProperty(entry.GetProperty("case").GetString()!));
            var image = images.IndexOf(entry.GetProperty("image").GetString());
            var found = _model.Generate(_golden["pixel_values"].narrow(0, image, 1), new(Prompt, End), decoding).Single();
            var beams = entry.GetProperty("beams").EnumerateArray().ToList();
            Assert.Equal(beams.Select(beam => BlipFixture.Ids(beam[0])), found.Select(text => text.Ids));
            Assert.All(beams.Zip(found), pair => Assert.Equal(pair.First[1].GetDouble(), pair.Second.Score!.Value, Tolerance));
        }
    }

    [Fact]
    public void Generate_WithTheHubsEpsilon_WritesTheSame_OfOtherScores()
    {
        using var scope = NewDisposeScope();
        using var golden = Golden.Open("blip", "hf-equal.safetensors");
        foreach (var (name, eps) in new[] { ("original_eps", 1e-6), ("default_eps", 1e-5) })
        {
            using var model = BlipFixture.Model(BlipOptions.Tiny with { Vision = BlipOptions.Tiny.Vision with { LayerNormEps = eps } });
            var seen = model.call(_golden["pixel_values"]);
            golden.AssertClose($"{name}.image_embeds", seen, Tolerance, relativeToMax: true);
            golden.AssertClose($"{name}.logits", model.Logits(seen, _golden["input_ids"], _golden["attention_mask"]), Tolerance,
                relativeToMax: true);
            Assert.Equal(Expected("captions", "beam3", entry => true),
                model.Generate(_golden["pixel_values"], new(Prompt, End), new BeamSearch { Beams = 3, MaxLength = 20 })
                    .Select(found => found[0].Ids));
        }
    }

    private static List<int[]> Expected(string list, string name, Func<JsonElement, bool> wanted) =>
        [.. s_facts.GetProperty(list).EnumerateArray().Where(entry => entry.GetProperty("case").GetString() == name && wanted(entry))
            .Select(entry => BlipFixture.Ids(entry.GetProperty("ids")))];
}
