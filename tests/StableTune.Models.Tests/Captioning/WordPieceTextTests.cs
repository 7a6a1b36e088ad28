using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Models.Tests.Captioning;

/// <summary>Ids of BERT's tokenizer back to text, as BLIP's captions need it.</summary>
public sealed class WordPieceTextTests
{
    private static readonly BertTokenizer s_hub = BertTokenizer.FromFolder(Fixtures.Path("blip", "hf"));

    private static readonly BertTokenizer s_original =
        (BertTokenizer)s_hub.WithAddedTokens(new Dictionary<string, int> { ["[DEC]"] = 118, ["[ENC]"] = 119 });

    [Fact]
    public void Encode_GivesTheIdsOfBothTokenizers()
    {
        foreach (var entry in Cases("encode"))
        {
            var (text, ids) = (entry.GetProperty("text").GetString()!, BlipFixture.Ids(entry.GetProperty("ids")));
            Assert.Equal(ids, s_original.Encode(text));
            var fast = entry.TryGetProperty("ids_fast", out var other) ? BlipFixture.Ids(other) : ids;
            Assert.Equal(fast, s_hub.Encode(text));
        }
    }

    [Fact]
    public void Decode_GivesTheTextsOfBothTokenizers()
    {
        foreach (var entry in Cases("decode"))
        {
            var (ids, text) = (BlipFixture.Ids(entry.GetProperty("ids")), entry.GetProperty("decoded").GetString()!);
            Assert.Equal(text, s_original.Decode(ids));
            var fast = entry.TryGetProperty("decoded_fast", out var other) ? other.GetString()! : text;
            Assert.Equal(fast, s_hub.Decode(ids, pieceByPiece: true));
        }

        Assert.Equal("", s_hub.Decode([]));
        Assert.Equal("dog", s_hub.Decode([-1, 51, 100_000]));
    }

    private static IEnumerable<JsonElement> Cases(string list)
    {
        var cases = BlipFixture.Read("text_cases.json").GetProperty(list).EnumerateArray().ToList();
        Assert.NotEmpty(cases);
        return cases;
    }
}
