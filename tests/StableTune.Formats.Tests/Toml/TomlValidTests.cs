namespace StableTune.Formats.Tests.Toml;

/// <summary>The constructs of the TOML 1.0 specification, one by one, as they must be understood.</summary>
public sealed class TomlValidTests
{
    public static TheoryData<string, string> Documents() => new()
    {
        // comments, blank lines, keys
        { "", "{}" },
        { "\n\r\n  \t\n# only a comment, with ümlauts \t and tabs\r\n", "{}" },
        { "\uFEFF".TrimStart('\uFEFF') + "a = 1 # comment\n# end", "{ a = 1 }" },
        { "key = \"value\"\nbare_key = 1\nbare-key = 2\n1234 = 3", "{ key = \"value\", bare_key = 1, bare-key = 2, 1234 = 3 }" },
        { "\"127.0.0.1\" = 1\n\"character encoding\" = 2\n\"ʎǝʞ\" = 3\n'key2' = 4\n'quoted \"value\"' = 5",
            "{ \"127.0.0.1\" = 1, \"character encoding\" = 2, \"ʎǝʞ\" = 3, key2 = 4, \"quoted \\\"value\\\"\" = 5 }" },
        { "\"\" = 'blank'", "{ \"\" = \"blank\" }" },
        { "'' = 'blank'", "{ \"\" = \"blank\" }" },
        { "\"\\u0061\\tb\" = 1", "{ \"a\\tb\" = 1 }" },
        { "a=1", "{ a = 1 }" },
        { "\t a \t = \t 1 \t ", "{ a = 1 }" },
        { "-- = 1\n_ = 2\n- = 3", "{ -- = 1, _ = 2, - = 3 }" },
        { "name = 'Orange'\nphysical.color = 'orange'\nphysical.shape = 'round'\nsite.\"google.com\" = true",
            "{ name = \"Orange\", physical = { color = \"orange\", shape = \"round\" }, site = { \"google.com\" = true } }" },
        { "fruit . flavor = 'banana'\nfruit .\tcolor = 'yellow'", "{ fruit = { flavor = \"banana\", color = \"yellow\" } }" },
        { "fruit.apple.smooth = true\nfruit.orange = 2", "{ fruit = { apple = { smooth = true }, orange = 2 } }" },
        { "apple.type = 1\norange.type = 2\napple.skin = 3\norange.skin = 4",
            "{ apple = { type = 1, skin = 3 }, orange = { type = 2, skin = 4 } }" },
        { "3.14159 = 'pi'", "{ 3 = { 14159 = \"pi\" } }" },
        { "true = 1\ninf = 2\nnan = 3\n2024-05-27 = 4", "{ true = 1, inf = 2, nan = 3, 2024-05-27 = 4 }" },
        // tables
        { "[table-1]\nkey1 = 1\n[table-2]\nkey1 = 2", "{ table-1 = { key1 = 1 }, table-2 = { key1 = 2 } }" },
        { "[dog.\"tater.man\"]\ntype.name = 'pug'", "{ dog = { \"tater.man\" = { type = { name = \"pug\" } } } }" },
        { "[a.b.c]\n[ d.e.f ]\n[ g . h . i ]\n[ j . \"ʞ\" . 'l' ]",
            "{ a = { b = { c = {} } }, d = { e = { f = {} } }, g = { h = { i = {} } }, j = { \"ʞ\" = { l = {} } } }" },
        { "[x.y.z.w]\n[x]", "{ x = { y = { z = { w = {} } } } }" },
        { "[x.y.z.w]\na = 1\n[x]\nb = 2", "{ x = { y = { z = { w = { a = 1 } } }, b = 2 } }" },
        { "[fruit.apple]\n[animal]\n[fruit.orange]", "{ fruit = { apple = {}, orange = {} }, animal = {} }" },
        { "[fruit]\napple.color = 'red'\napple.taste.sweet = true\n[fruit.apple.texture]\nsmooth = true",
            "{ fruit = { apple = { color = \"red\", taste = { sweet = true }, texture = { smooth = true } } } }" },
        { "[a.b.c]\nx = 1\n[a]\nb.d = 2", "{ a = { b = { c = { x = 1 }, d = 2 } } }" },
        { "[a] # comment\nb = 1", "{ a = { b = 1 } }" },
        { "[table]\r\na = 1\r\n", "{ table = { a = 1 } }" },
        // lists of tables
        { "[[p]]\nname = 'a'\n\n[[p]] # empty\n\n[[p]]\nname = 'b'", "{ p = [{ name = \"a\" }, {}, { name = \"b\" }] }" },
        { "[[fruits]]\nname = 'apple'\n[fruits.physical]\ncolor = 'red'\n[[fruits.varieties]]\nname = 'x'\n[[fruits.varieties]]\nname = "
            + "'y'\n[[fruits]]\nname = 'banana'\n[[fruits.varieties]]\nname = 'z'",
            "{ fruits = [{ name = \"apple\", physical = { color = \"red\" }, varieties = [{ name = \"x\" }, { name = \"y\" }] }, { name "
                + "= \"banana\", varieties = [{ name = \"z\" }] }] }" },
        { "[[a.b]]\n[a]\nc = 1", "{ a = { b = [{}], c = 1 } }" },
        { "[[a]]\n[a.b.c]\n[[a]]\n[a.b.c]", "{ a = [{ b = { c = {} } }, { b = { c = {} } }] }" },
        { "[[ a . b ]]\n[[a.'b']]", "{ a = { b = [{}, {}] } }" },
        // lists
        { "a = [ 1, 2, 3 ]\nb = ['x', \"y\"]\nc = [ [ 1, 2 ], [3.0, 'a'] ]\nd = []",
            "{ a = [1, 2, 3], b = [\"x\", \"y\"], c = [[1, 2], [3.0, \"a\"]], d = [] }" },
        { "a = [\n  1, # one\n\n  2, # two\n  # the end\n]\nb = 1", "{ a = [1, 2], b = 1 }" },
        { "a = [\r\n1\r\n,\r\n2,\r\n]", "{ a = [1, 2] }" },
        { "a = [ 0.1, 'mixed', true, 1979-05-27, { x = 1 }, [[]] ]", "{ a = [0.1, \"mixed\", true, 1979-05-27, { x = 1 }, [[]]] }" },
        { "a = [\"]\", '#', \"[\"]", "{ a = [\"]\", \"#\", \"[\"] }" },
        // tables in braces
        { "name = { first = 'Tom', last = \"P\" }\npoint = {x=1,y=2}\nanimal = { type.name = 'pug' }\nempty = {  }",
            "{ name = { first = \"Tom\", last = \"P\" }, point = { x = 1, y = 2 }, animal = { type = { name = \"pug\" } }, empty = {} }" },
        { "a = { b.c = 1, b.d = 2, e = { f = {} } }", "{ a = { b = { c = 1, d = 2 }, e = { f = {} } } }" },
        { "a = { b = [\n1,\n2\n], c = '''\nx\n''' }", "{ a = { b = [1, 2], c = \"x\\n\" } }" },
        { "points = [ { x = 1 },\n { x = 2 } ]", "{ points = [{ x = 1 }, { x = 2 }] }" },
        // texts
        { """a = "I'm a string. \"You can quote me\". Name\tJos\u00E9\nLocation\tSF." """, "{ a = \"I'm a string. \\\"You can quote me\\\". Name\\tJosé\\nLocation\\tSF.\" }" },
        { "a = \"\\b\\t\\n\\f\\r\\\"\\\\\\u0000\\u001F\\U0001F600\\u007f\"", "{ a = \"\\b\\t\\n\\f\\r\\\"\\\\\\u0000\\u001F😀\\u007F\" }" },
        { "a = \"\"", "{ a = \"\" }" },
        { "a = \"tab\there\"", "{ a = \"tab\\there\" }" },
        { "a = \"\"\"\nRoses are red\nViolets are blue\"\"\"", "{ a = \"Roses are red\\nViolets are blue\" }" },
        { "a = \"\"\"\r\nRoses\r\nViolets\"\"\"", "{ a = \"Roses\\nViolets\" }" },
        { "a = \"\"\"\nThe quick brown \\\n\n\n  fox jumps over \\\n    the lazy dog.\"\"\"",
            "{ a = \"The quick brown fox jumps over the lazy dog.\" }" },
        { "a = \"\"\"\\\n   The \\   \n \t quick\\\r\n fox.\\\n   \"\"\"", "{ a = \"The quickfox.\" }" },
        { "a = \"\"\"Two quotes: \"\". Fine.\"\"\"", "{ a = \"Two quotes: \\\"\\\". Fine.\" }" },
        { "a = \"\"\"Three: \"\"\\\"\"\"\"", "{ a = \"Three: \\\"\\\"\\\"\" }" },
        { "a = \"\"\"\"This,\" she said, \"is pointless.\"\"\"\"", "{ a = \"\\\"This,\\\" she said, \\\"is pointless.\\\"\" }" },
        { "a = \"\"\"\"\"two\"\"\"\"\"", "{ a = \"\\\"\\\"two\\\"\\\"\" }" },
        { "a = \"\"\"\"\"\"", "{ a = \"\" }" },
        { "a = \"\"\"\n\n\"\"\"", "{ a = \"\\n\" }" },
        { "a = 'C:\\Users\\nodejs\\templates'", "{ a = 'C:\\Users\\nodejs\\templates' }" },
        { "a = '<\\i\\c*\\s*>'\nb = 'Tom \"Dubs\"'\nc = ''", "{ a = '<\\i\\c*\\s*>', b = \"Tom \\\"Dubs\\\"\", c = \"\" }" },
        { "a = '''I [dw]on't need \\d{2} apples'''", "{ a = \"I [dw]on't need \\\\d{2} apples\" }" },
        { "a = '''\nThe first newline is\ntrimmed.\n   All other\n'''", "{ a = \"The first newline is\\ntrimmed.\\n   All other\\n\" }" },
        { "a = '''''two'''''\nb = '''one''''", "{ a = \"''two''\", b = \"one'\" }" },
        { "a = '''\\\n'''", "{ a = \"\\\\\\n\" }" },
        { "a = \"# no comment\" # comment", "{ a = \"# no comment\" }" },
        { "a = \"日本語, 猫 🐈\"", "{ a = \"日本語, 猫 🐈\" }" },
        // whole numbers
        { "a = +99\nb = 42\nc = 0\nd = -17\ne = +0\nf = -0", "{ a = 99, b = 42, c = 0, d = -17, e = 0, f = 0 }" },
        { "a = 1_000\nb = 5_349_221\nc = 53_49_221\nd = 1_2_3_4_5", "{ a = 1000, b = 5349221, c = 5349221, d = 12345 }" },
        { "a = 0xDEADBEEF\nb = 0xdead_beef\nc = 0o01234567\nd = 0o755\ne = 0b11010110\nf = 0x00\ng = 0b0_1",
            "{ a = 3735928559, b = 3735928559, c = 342391, d = 493, e = 214, f = 0, g = 1 }" },
        { "a = 9223372036854775807\nb = -9223372036854775808\nc = 0x7fffffffffffffff",
            "{ a = 9223372036854775807, b = -9223372036854775808, c = 9223372036854775807 }" },
        // floats
        { "a = +1.0\nb = 3.1415\nc = -0.01\nd = 5e+22\ne = 1e06\nf = -2E-2\ng = 6.626e-34\nh = 224_617.445_991_228",
            "{ a = 1.0, b = 3.1415, c = -0.01, d = 5e+22, e = 1000000.0, f = -0.02, g = 6.626e-34, h = 224617.445991228 }" },
        { "a = inf\nb = +inf\nc = -inf\nd = nan\ne = +nan\nf = -nan\ng = 0.0\nh = -0.0\ni = 0e0\nj = 1e1_0",
            "{ a = inf, b = inf, c = -inf, d = nan, e = nan, f = nan, g = 0.0, h = -0.0, i = 0.0, j = 10000000000.0 }" },
        { "a = 1.7976931348623157e308\nb = 5e-324\nc = 1e-400", "{ a = 1.7976931348623157e+308, b = 5e-324, c = 0.0 }" },
        // booleans, dates, times
        { "a = true\nb = false", "{ a = true, b = false }" },
        { "a = 1979-05-27T07:32:00Z\nb = 1979-05-27T00:32:00-07:00\nc = 1979-05-27T00:32:00.999999-07:00\nd = 1979-05-27 07:32:00Z\ne = "
            + "1979-05-27t07:32:00z",
            "{ a = 1979-05-27T07:32:00Z, b = 1979-05-27T00:32:00-07:00, c = 1979-05-27T00:32:00.999999-07:00, d = 1979-05-27T07:32:00Z, "
                + "e = 1979-05-27T07:32:00Z }" },
        { "a = 1979-05-27T07:32:00\nb = 1979-05-27 00:32:00.999999\nc = 1979-05-27 # date\nd = [1979-05-27 , 1979-05-28]",
            "{ a = 1979-05-27T07:32:00, b = 1979-05-27T00:32:00.999999, c = 1979-05-27, d = [1979-05-27, 1979-05-28] }" },
        { "a = 07:32:00\nb = 00:32:00.999999\nc = 23:59:59.1234567", "{ a = 07:32:00, b = 00:32:00.999999, c = 23:59:59.1234567 }" },
        { "a = 2000-02-29\nb = 0001-01-01T00:00:00Z\nc = 9999-12-31T23:59:59.9999999+00:00\nd = 2024-01-01T00:00:00+14:00",
            "{ a = 2000-02-29, b = 0001-01-01T00:00:00Z, c = 9999-12-31T23:59:59.9999999Z, d = 2024-01-01T00:00:00+14:00 }" },
    };

    [Theory]
    [MemberData(nameof(Documents))]
    public void Parse_Construct_IsUnderstood(string text, string expected) =>
        Assert.Equal(expected, TomlDocument.Parse(text).Root.ToString());

    [Fact]
    public void Parse_Values_HaveTheirTypes()
    {
        var root = TomlDocument.Parse("""
            text = "x"
            whole = 3
            float = 2.0
            yes = true
            offset = 1979-05-27T00:32:00-07:00
            local = 1979-05-27T00:32:00
            date = 1979-05-27
            time = 00:32:00
            list = [1]
            [table]
            """).Root;
        Assert.Equal("x", root["text"].AsText);
        Assert.Equal(3, root["whole"].AsInteger);
        Assert.Equal(3.0, root["whole"].AsNumber);
        Assert.Null(root["float"].AsInteger);
        Assert.Equal(2.0, root["float"].AsNumber);
        Assert.True(root["yes"].AsBoolean);
        Assert.Null(root["whole"].AsBoolean);
        Assert.Null(root["whole"].AsText);
        Assert.Null(root["whole"].AsTable);
        Assert.Equal(new DateTimeOffset(1979, 5, 27, 0, 32, 0, TimeSpan.FromHours(-7)), ((TomlScalar)root["offset"]).Value);
        Assert.Equal(new DateTime(1979, 5, 27, 0, 32, 0), ((TomlScalar)root["local"]).Value);
        Assert.Equal(new DateOnly(1979, 5, 27), ((TomlScalar)root["date"]).Value);
        Assert.Equal(new TimeOnly(0, 32, 0), ((TomlScalar)root["time"]).Value);
        Assert.Single(root["list"].AsArray!);
        Assert.Empty(root["table"].AsTable!);
        Assert.Equal(
            [TomlKind.Text, TomlKind.Integer, TomlKind.Float, TomlKind.Boolean, TomlKind.OffsetDateTime, TomlKind.LocalDateTime,
                TomlKind.LocalDate, TomlKind.LocalTime, TomlKind.Array, TomlKind.Table],
            root.Select(entry => entry.Value.Kind));
    }

    [Fact]
    public void Parse_KeysAndValues_KnowLineAndColumn()
    {
        var root = TomlDocument.Parse(
            "# comment\r\n\r\n[general]\r\n  a . 'b' = 1\n[[datasets]]\n\tlist = [1,\n   'zwei', # 2\n {x= 2.5}]\n  "
                + "[[datasets.subsets]]\n  \"é😀\" = \"\"\"\n\nx\"\"\" #\nlast = true").Root;
        var general = root["general"].AsTable!;
        Assert.Equal(new TomlPosition(3, 2), root.Single(e => e.Key == "general").Position);
        Assert.Equal(new TomlPosition(4, 3), general.Single().Position);
        Assert.True(general["a"].AsTable!.TryGet("b", out var b));
        Assert.Equal(new TomlPosition(4, 7), b.Position);
        Assert.Equal(new TomlPosition(4, 13), b.Value.Position);
        var dataset = root["datasets"].AsArray![0].AsTable!;
        Assert.Equal(new TomlPosition(5, 3), dataset.Position);
        var list = dataset["list"].AsArray!;
        Assert.Equal(new TomlPosition(6, 9), list.Position);
        Assert.Equal(new TomlPosition(6, 10), list[0].Position);
        Assert.Equal(new TomlPosition(7, 4), list[1].Position);
        Assert.Equal(new TomlPosition(8, 2), list[2].Position);
        Assert.Equal(new TomlPosition(8, 6), list[2].AsTable!["x"].Position);
        var subset = dataset["subsets"].AsArray![0].AsTable!;
        Assert.Equal(new TomlPosition(10, 3), subset.First().Position);
        Assert.Equal(new TomlPosition(10, 11), subset.First().Value.Position);       // behind é (one unit) and 😀 (two)
        Assert.Equal(new TomlPosition(13, 1), subset.Last().Position);
        Assert.Equal("line 13, column 8", subset.Last().Value.Position.ToString());
    }

    [Fact]
    public void Table_OfManyKeys_FindsThemAll()
    {
        var root = TomlDocument.Parse(string.Join('\n', Enumerable.Range(0, 20).Select(i => $"k{i} = {i}"))).Root;
        Assert.Equal(20, root.Count);
        Assert.All(Enumerable.Range(0, 20), i => Assert.Equal(i, root[$"k{i}"].AsInteger));
        Assert.False(root.Contains("k20"));
        Assert.Throws<KeyNotFoundException>(() => root["k20"]);
        Assert.Equal(Enumerable.Range(0, 20).Select(i => $"k{i}"), root.Keys);
    }
}
