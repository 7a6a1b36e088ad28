using System.Text;

namespace StableTune.Formats.Tests.Toml;

/// <summary>Thousands of damaged configurations: each is read, or refused with a place inside the file.</summary>
public sealed class TomlFuzzTests
{
    private static readonly string[] Pieces =
    [
        "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "#", "\"", "'", "\"\"\"", "'''", "\\", "\\u12", "\\U0001F600", "\n", "\r\n", "\r",
            "\t", " ", "\0", "\uD800", "é", "😀",
        "a", "a = 1\n", "[a]\n", "[[a]]\n", "a.b = 1\n", "1979-05-27", "07:32:00", "T", "Z", "+01:00", "0x", "1_000", "1e5", "inf", "-nan",
            "true", "null", ":", "\"a\": ", "//",
    ];

    private static readonly string[] Seeds =
    [
        .. Directory.EnumerateFiles(Fixtures.Path("data", "configs"), "*.toml").Order(StringComparer.Ordinal).Select(File.ReadAllText),
        "t = \"\"\"\nx\\\n  y\\u0041\"\"\"\nl = '''\na'''\nd = 1979-05-27 07:32:00.5Z\nn = [0x1F, 1_000, -inf, 5e-3]\ni = { a.b = 1, c = "
            + "{} }\n\"q q\".'r' = 2 # end\n[[x.y]]\n[x.y.z]\n",
    ];

    private int _read, _refused;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Parse_DamagedToml_IsReadOrRefusedWithAPlace(int seed)
    {
        var random = new Random(seed);
        var runs = Exhaustive.Runs(3000, 50_000);
        for (var i = 0; i < runs; i++) Try(Damage(random, Seeds), text => TomlDocument.Parse(text));
        Assert.InRange(_read, runs / 50, runs);
        Assert.InRange(_refused, runs / 4, runs);
    }

    [Fact]
    public void ParseJson_DamagedJson_IsReadOrRefusedWithAPlace()
    {
        var seeds = new[] { File.ReadAllText(Fixtures.Path("data", "configs", "json_file.json")), """{"é😀":[1,2.5,{"b":null}],"c":"\ud83d\ude00"}""" };
        var random = new Random(3);
        var runs = Exhaustive.Runs(3000, 50_000);
        for (var i = 0; i < runs; i++) Try(Damage(random, seeds), text => TomlDocument.ParseJson(text));
        Assert.InRange(_read, 1, runs);
        Assert.InRange(_refused, runs / 4, runs);
    }

    private void Try(string text, Func<string, TomlDocument> parse)
    {
        try
        {
            var root = parse(text).Root;
            Assert.NotNull(root.ToString());
            _read++;
        }
        catch (InvalidConfigurationException e)
        {
            var lines = text.Split('\n');
            Assert.InRange(e.Position.Line, 1, lines.Length);
            Assert.InRange(e.Position.Column, 1, lines[e.Position.Line - 1].Length + 2);
            _refused++;
        }
    }

    private static string Damage(Random random, string[] seeds)
    {
        var text = new StringBuilder(seeds[random.Next(seeds.Length)]);
        for (var n = random.Next(1, 5); n > 0; n--)
        {
            var at = random.Next(text.Length + 1);
            var length = Math.Min(random.Next(1, 10), text.Length - at);
            switch (random.Next(5))
            {
                case 0 or 1: text.Insert(at, Pieces[random.Next(Pieces.Length)]); break;
                case 2: text.Remove(at, length); break;
                case 3: text.Insert(random.Next(text.Length + 1), text.ToString(at, length)); break;
                default: text.Length = at; break;
            }
        }

        return text.ToString();
    }
}
