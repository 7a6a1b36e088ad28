namespace StableTune.Formats.Tests.Toml;

/// <summary>Configurations in JSON: the same document model, lines and columns.</summary>
public sealed class JsonConfigurationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ParseJson_EveryKindOfValue_IsUnderstood()
    {
        var root = TomlDocument.ParseJson("""{"t":"x\u00e9\ud83d\ude00\n","i":-5,"f":2.0,"e":1e3,"b":true,"n":null,"l":[1,[2.5,{}]],"o":{"p":{"q":false}}}""").Root;
        Assert.Equal("{ t = \"xé😀\\n\", i = -5, f = 2.0, e = 1000.0, b = true, n = null, l = [1, [2.5, {}]], o = { p = { q = false } } }",
            root.ToString());
        Assert.Equal([TomlKind.Text, TomlKind.Integer, TomlKind.Float, TomlKind.Float, TomlKind.Boolean, TomlKind.Null, TomlKind.Array,
            TomlKind.Table], root.Select(e => e.Value.Kind));
        Assert.Equal("null", root["n"].Describe());
        Assert.Throws<ArgumentException>(() => TomlWriter.Write(root));
    }

    [Fact]
    public void ParseJson_KeysAndValues_KnowLineAndColumn()
    {
        var root = TomlDocument.ParseJson("{\n \"é😀\": 1, \"b\": [\r\n  true,\n  {\"c\": 2}]\n}").Root;
        Assert.Equal(new TomlPosition(2, 2), root.First().Position);
        Assert.Equal(new TomlPosition(2, 9), root.First().Value.Position);
        Assert.Equal(new TomlPosition(2, 12), root.Last().Position);
        var list = root["b"].AsArray!;
        Assert.Equal(new TomlPosition(2, 17), list.Position);
        Assert.Equal(new TomlPosition(3, 3), list[0].Position);
        Assert.Equal(new TomlPosition(4, 4), list[1].AsTable!.First().Position);
    }

    [Theory]
    [InlineData("", "1, 1", "not valid JSON")]
    [InlineData("[1]", "1, 1", "the outermost value must be an object")]
    [InlineData("{\"a\": 1,}", "1, 9", "not valid JSON")]
    [InlineData("{\n\"é\": x}", "2, 6", "not valid JSON")]
    [InlineData("{} {}", "1, 4", "not valid JSON")]
    [InlineData("{\n  \"a\": 1,\n  \"a\": 2\n}", "3, 3", "'a' is given a second time; first at line 2, column 3")]
    [InlineData("{\"a\": 9223372036854775808}", "1, 7", "does not fit into 64 bits")]
    [InlineData("{\"a\": 1e999}", "1, 7", "does not fit into 64 bits")]
    [InlineData("{\"a\": \"\\ud800\"}", "1, 7", "not valid UTF-8")]
    [InlineData("{\"a\": NaN}", "1, 7", "not valid JSON")]
    [InlineData("{\"a\": 1 // x\n}", "1, 9", "not valid JSON")]
    public void ParseJson_Faults_SayWhere(string json, string place, string expected)
    {
        var fault = Assert.Throws<InvalidConfigurationException>(() => TomlDocument.ParseJson(json, "x.json"));
        Assert.Contains(expected, fault.Message);
        Assert.Equal(place, $"{fault.Position.Line}, {fault.Position.Column}");
    }

    [Fact]
    public void ParseJson_EndlessNesting_IsRefused() =>
        Assert.Throws<InvalidConfigurationException>(() => TomlDocument.ParseJson("{\"a\":" + new string('[', 1_000_000)));

    [Fact]
    public void Read_JsonFile_IsReadByItsEnding()
    {
        var root = TomlDocument.Read(Fixtures.Path("data", "configs", "json_file.json")).Root;
        Assert.Equal("[512, 512]", root["general"].AsTable!["resolution"].ToString());
        File.WriteAllBytes(_folder.File("X.JSON"), [0xEF, 0xBB, 0xBF, .. "{\"a\": 1}"u8]);
        Assert.Equal(1, TomlDocument.Read(_folder.File("X.JSON")).Root["a"].AsInteger);
        File.WriteAllBytes(_folder.File("bad.json"), [.. "{\"a\": \""u8, 0xFF, 0xFE, .. "\"}"u8]);
        Assert.Throws<InvalidConfigurationException>(() => TomlDocument.Read(_folder.File("bad.json")));
    }
}
