using System.Text;

namespace StableTune.Tests;

/// <summary>JSON files of others: what is wrong is told with its place.</summary>
public sealed class JsonFileTests
{
    [Theory]
    [InlineData("{\n  \"a\": x\n}", "a.json: not JSON that could be read at line 2, byte 8: 'x' is an invalid start of a value. Mend it.")]
    [InlineData("{\"a\": 1, \"a\": 2}", "a.json: not JSON that could be read")]
    [InlineData("{\"a\": [{\"b\": \"\\ud800\"}]}", "a.json: not JSON that could be read: ")]
    [InlineData("{\"\\udc00\": 1}", "a.json: not JSON that could be read: ")]
    [InlineData("", "a.json: not JSON that could be read at line 1, byte 1")]
    public void Parse_Faults_NameThePlace(string json, string message) =>
        Assert.StartsWith(message, Assert.Throws<InvalidFileException>(() => JsonFile.Parse("a.json", json, "Mend it.")).Message);

    [Fact]
    public void Parse_OneLineOfAFile_CountsItsLine() => Assert.Contains("at line 7, byte 2:",
        Assert.Throws<InvalidFileException>(() => JsonFile.Parse("a.jsonl", "{x", "Mend it.", line: 7)).Message, StringComparison.Ordinal);

    [Fact]
    public void Parse_Bytes_MayBeginWithAMarkAndSayThingsTwice()
    {
        ReadOnlyMemory<byte> json = Encoding.UTF8.GetPreamble().Concat("{\"a\": 1, \"a\": 2}"u8.ToArray()).ToArray();
        using var document = JsonFile.Parse("a.json", json, "Mend it.", allowTwice: true);
        Assert.Equal(2, document.RootElement.GetProperty("a").GetInt32());
        Assert.Throws<InvalidFileException>(() => JsonFile.Parse("a.json", json, "Mend it."));
    }

    [Fact]
    public void AsProblem_OfAFile_KeepsItsWords() => Assert.Equal("TrainingPlan.ModelPath is \"a.json\": it is empty. Mend it.",
        new InvalidFileException("a.json", "it is empty.", "Mend it.").AsProblem("TrainingPlan.ModelPath").ToString());

    [Fact]
    public void Indented_Text_IsReadableAndTheSameEverywhere()
    {
        var text = System.Text.Json.JsonSerializer.Serialize(new Dictionary<string, string> { ["é"] = "<日本>" }, JsonText.Indented);
        Assert.Equal("{\n  \"é\": \"<日本>\"\n}", text);
    }
}
