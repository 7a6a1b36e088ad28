using System.Diagnostics;

namespace StableTune.Formats.Tests.Toml;

/// <summary>What TOML 1.0 forbids: refused, with the place, what was found, and what to do.</summary>
public sealed class TomlInvalidTests
{
    public static TheoryData<string, string, string> Documents() => new()
    {
        // keys
        { "a", "1, 2", "Expecting `=` after a key instead of the end of the file" },
        { "a =", "1, 4", "Unexpected end of the file for a value" },
        { "a = # x", "1, 8", "Unexpected end of the file for a value" },
        { "a =\n1", "1, 4", "Unexpected token end-of-line found while expecting a value" },
        { "= 1", "1, 1", "Unexpected token [=] found" },
        { "a b = 1", "1, 3", "Expecting `=` after a key instead of b" },
        { "a. = 1", "1, 4", "Unexpected token `=` for a base key" },
        { ".a = 1", "1, 1", "Unexpected token [.] found" },
        { "a..b = 1", "1, 3", "Unexpected token `.` for a base key" },
        { "ä = 1", "1, 1", "stand in quotes" },
        { "a$ = 1", "1, 2", "Expecting `=` after a key instead of $" },
        { "\"\"\"a\"\"\" = 1", "1, 3", "Expecting `=` after a key instead of \"a\"" },
        { "'''a''' = 1", "1, 3", "Expecting `=` after a key instead of 'a'" },
        { "\"a = 1", "1, 6", "Invalid End-Of-File found on string literal" },
        { "'a\n' = 1", "1, 3", "Invalid newline in a string" },
        { "a = 1 b = 2", "1, 7", "Found `b` while expecting the end of the line" },
        { "a = 1]", "1, 6", "Found `]` while expecting the end of the line" },
        { "a == 1", "1, 4", "Unexpected token `=` for a value" },
        { "a : 1", "1, 3", "Expecting `=` after a key instead of :" },
        // given twice, added to
        { "a = 1\na = 2", "2, 1", "'a' is given a second time; first it was the integer 1 at line 1, column 1" },
        { "spelling = 1\n\"spelling\" = 2", "2, 1", "'spelling' is given a second time" },
        { "fruit.apple = 1\nfruit.apple.smooth = true", "2, 7",
            "'apple' cannot be added to: it is the integer 1, given whole at line 1, column 7" },
        { "a.b = 1\na = 2", "2, 1", "'a' is given a second time; first it was a table" },
        { "[fruit]\n[fruit]", "2, 2", "'fruit' is given a second time" },
        { "[fruit]\napple = 1\n[fruit.apple]", "3, 8", "'apple' is given a second time" },
        { "[fruit]\napple.color = 1\n[fruit.apple]", "3, 8", "'apple' is given a second time" },
        { "[fruit]\napple.taste.sweet = true\n[fruit.apple.taste]", "3, 14", "'taste' is given a second time" },
        { "[a.b.c]\nz = 9\n[a]\nb.c.t = 1", "4, 3", "'c' cannot be added to" },
        { "[a.b.c.d]\nz = 9\n[a]\nb.c.d.k.t = 1", "4, 5", "'d' cannot be added to" },
        { "[[a.b]]\n[a]\nb.y = 2", "3, 1", "'b' cannot be added to: it is a list of 1 value" },
        { "[a]\nb.c = 1\n[a.b]", "3, 4", "'b' is given a second time" },
        { "[a]\nb = 1\n[a.b.c]", "3, 4", "'b' cannot be added to" },
        { "a = {}\n[a.b]", "2, 2", "'a' cannot be added to: it is an empty table, given whole" },
        { "[product]\ntype = { name = 'Nail' }\ntype.edible = false", "3, 1", "'type' cannot be added to" },
        { "[product]\ntype.name = 'Nail'\ntype = { edible = false }", "3, 1", "'type' is given a second time" },
        { "a = { b = { c = 1 } }\n[a.b.d]", "2, 2", "'a' cannot be added to" },
        { "a = { b = {}, b.c = 1 }", "1, 15", "'b' cannot be added to" },
        { "a = { b.c = 1, b = {} }", "1, 16", "'b' is given a second time" },
        { "a = { b = 1, b = 2 }", "1, 14", "'b' is given a second time" },
        { "fruits = []\n[[fruits]]", "2, 3", "'fruits' is given a second time; first it was an empty list" },
        { "a = [{ b = 1 }]\n[a.c]", "2, 2", "'a' cannot be added to: it is a list of 1 value" },
        { "[[a]]\n[a]", "2, 2", "'a' is given a second time" },
        { "[a]\n[[a]]", "2, 3", "'a' is given a second time" },
        { "[a.b]\n[[a]]", "2, 3", "'a' is given a second time" },
        { "[fruit.physical]\ncolor = 'red'\n[[fruit]]", "3, 3", "'fruit' is given a second time" },
        { "[[fruits]]\n[[fruits.varieties]]\n[fruits.varieties]", "3, 9", "'varieties' is given a second time" },
        { "[[fruits]]\n[fruits.physical]\n[[fruits.physical]]", "3, 10", "'physical' is given a second time" },
        { "[[a]]\nb = 1\n[a.b]", "3, 4", "'b' is given a second time" },
        // headers
        { "[]", "1, 2", "Unexpected token `]` for a base key" },
        { "[a", "1, 3", "Found the end of the file while expecting `]`" },
        { "[a]]", "1, 3", "Found `]]` while expecting `]`" },
        { "[[a]", "1, 4", "Found `]` while expecting `]]`" },
        { "[[datasets]\nx = 1", "1, 11", "Found `]` while expecting `]]`" },
        { "[ [a]]", "1, 3", "Unexpected token `[` for a base key" },
        { "[[a] ]", "1, 4", "Found `]` while expecting `]]`" },
        { "[a.]", "1, 4", "Unexpected token `]` for a base key" },
        { "[a b]", "1, 4", "Found `b` while expecting `]`" },
        { "[a] b = 1", "1, 5", "the end of the line" },
        { "[a\n]", "1, 3", "Found the end of the line while expecting `]`" },
        // texts
        { "a = \"x", "1, 6", "Invalid End-Of-File found on string literal" },
        { "a = 'x\n'", "1, 7", "Invalid newline in a string" },
        { "a = \"\"\"x\n", "1, 9", "Invalid End-Of-File found for multi-line string" },
        { "a = '''x''", "1, 10", "Invalid End-Of-File found for multi-line literal string" },
        { "a = \"\"\"\"\"\"\"\"\"", "1, 13", "the end of the line" },
        { "a = '''''''''", "1, 13", "the end of the line" },
        { "a = \"\\x41\"", "1, 7", "found 'x' behind a backslash" },
        { "a = \"x\\\n  y\"", "1, 5", "the text that begins here does not end on its line" },
        { "a = \"\"\"x\\\tu0041\"\"\"", "1, 10", "behind a backslash, which is no escape" },
        { "a = \"\"\"x\\\n \r y\"\"\"", "1, 5", "holds a carriage return" },
        { "a = \"\\e\"", "1, 7", "Known escapes are" },
        { "a = \"C:\\Users\"", "1, 10", "in single quotes a backslash is an ordinary character" },
        { "a = \"\\u12\"", "1, 10", "Unexpected escape character [\"] in string" },
        { "a = \"\\uD800\"", "1, 7", "Invalid Unicode scalar value [D800]" },
        { "a = \"\\U00110000\"", "1, 7", "Invalid Unicode scalar value [110000]" },
        { "a = \"\\UFFFFFFFF\"", "1, 7", "Invalid Unicode scalar value [FFFFFFFF]" },
        { "a = \"\\U0001F60\"", "1, 15", "Unexpected escape character [\"] in string" },
        { "a = \"\\", "1, 7", "the file ends behind a backslash" },
        { "a = \"\"\"\\ x\"\"\"", "1, 9", "Invalid escape `\\`. It must skip at least one line" },
        { "a = \"\u0001\"", "1, 5", "Invalid control character found \\u1;" },
        { "a = 'x\u007F'", "1, 5", "Invalid control character found" },
        { "a = '\u0000'", "1, 5", "Invalid control character found \\u0;" },
        { "a = \"\"\"x\ry\"\"\"", "1, 9", "Invalid \\r not followed by \\n" },
        { "a = '''\u0008'''", "1, 5", "Invalid control character found \\b" },
        { "# \u0001", "1, 3", "Invalid control character U+0001 in comment" },
        { "# x\ry = 1", "1, 4", "Invalid control character U+000D in comment" },
        { "a = 1\rb = 2", "1, 6", "Invalid \\r not followed by \\n" },
        { "a = `x`", "1, 5", "Unexpected token ``` for a value" },
        { "a = x", "1, 5", "Unexpected token `x` for a value" },
        { "a = 'x' 'y'", "1, 9", "the end of the line" },
        // numbers
        { "a = 01", "1, 5", "Decimal numbers have no leading zeros" },
        { "a = -01", "1, 6", "leading zeros" },
        { "a = +00", "1, 7", "leading zeros" },
        { "a = 1__0", "1, 7", "An underscore `_` must follow a digit and not another `_`" },
        { "a = _1", "1, 5", "Unexpected token `_` for a value" },
        { "a = 1_", "1, 7", "Missing a digit after a trailing underscore `_`" },
        { "a = 0x", "1, 5", "Unexpected token `0x` for a value" },
        { "a = 0xG", "1, 5", "Unexpected token `0x` for a value" },
        { "a = 0b2", "1, 5", "Unexpected token `0b` for a value" },
        { "a = 0o8", "1, 5", "Unexpected token `0o` for a value" },
        { "a = 0x_1", "1, 5", "An underscore must be surrounded by at least one hexadecimal digit on each side" },
        { "a = 0X1", "1, 6", "Invalid capital X for hexadecimal. Use `x` instead" },
        { "a = +0x1", "1, 7", "Found `x` while expecting the end of the line" },
        { "a = -0b1", "1, 7", "Found `b` while expecting the end of the line" },
        { "a = 9223372036854775808", "1, 5", "64 bits" },
        { "a = -9223372036854775809", "1, 5", "64 bits" },
        { "a = 0x8000000000000000", "1, 5", "64 bits" },
        { "a = 99999999999999999999999999", "1, 5", "64 bits" },
        { "a = .5", "1, 5", "A float has digits on both sides of the point" },
        { "a = 5.", "1, 5", "Unexpected token `5.` for a value" },
        { "a = 5.e3", "1, 5", "Unexpected token `5.` for a value" },
        { "a = 1e", "1, 5", "Unexpected token `1e` for a value" },
        { "a = 1e+", "1, 5", "Unexpected token `1e+` for a value" },
        { "a = 1e1.5", "1, 8", "Found `.` while expecting the end of the line" },
        { "a = 1.2.3", "1, 8", "Found `.` while expecting the end of the line" },
        { "a = 1_.5", "1, 7", "Missing a digit after a trailing underscore `_`" },
        { "a = 1._5", "1, 5", "Unexpected token `1.` for a value" },
        { "a = 1.5_", "1, 9", "Missing a digit after a trailing underscore `_`" },
        { "a = 1e_5", "1, 5", "Unexpected token `1e` for a value" },
        { "a = 03.14", "1, 5", "leading zeros" },
        { "a = 1e999", "1, 5", "64 bits" },
        { "a = 1,000", "1, 6", "Found `,` while expecting the end of the line" },
        { "a = ++1", "1, 5", "Unexpected token `+` for a value" },
        { "a = -", "1, 5", "Unexpected token `-` for a value" },
        { "a = 1m", "1, 6", "Found `m` while expecting the end of the line" },
        { "a = Inf", "1, 5", "Unexpected token `Inf` for a value" },
        { "a = NaN", "1, 5", "Unexpected token `NaN` for a value" },
        { "a = True", "1, 5", "Write true or false in lower case" },
        { "a = truer", "1, 5", "Unexpected token `truer` for a value" },
        { "a = None", "1, 5", "leave the key out" },
        // dates
        { "a = 2024-13-01", "1, 5", "Unable to parse the date time/offset `2024-13-01`" },
        { "a = 2023-02-29", "1, 5", "Unable to parse the date time/offset `2023-02-29`" },
        { "a = 20_24-01-01", "1, 5", "a date with an underscore" },
        { "a = 2024-1-01", "1, 5", "Invalid format of date time/offset `2024-1-01` not following RFC3339" },
        { "a = 2024-01-01T", "1, 5", "Unable to parse the date time/offset `2024-01-01T`" },
        { "a = 2024-01-01T24:00:00", "1, 5", "Unable to parse the date time/offset `2024-01-01T24:00:00`" },
        { "a = 2024-01-01T10:00", "1, 5", "found '2024-01-01T10:00', a time without seconds" },
        { "a = 2024-01-01T10:60:00Z", "1, 5", "Unable to parse the date time/offset `2024-01-01T10:60:00Z`" },
        { "a = 2024-01-01T10:00:60Z", "1, 5", "Unable to parse the date time/offset `2024-01-01T10:00:60Z`" },
        { "a = 2024-01-01T10:00:00.Z", "1, 5", "Unable to parse the date time/offset `2024-01-01T10:00:00.Z`" },
        { "a = 2024-01-01T10:00:00+1:00", "1, 5", "Invalid format of date time/offset `2024-01-01T10:00:00+1:00` not following RFC3339" },
        { "a = 2024-01-01T10:00:00+0100", "1, 5", "Invalid format of date time/offset `2024-01-01T10:00:00+0100` not following RFC3339" },
        { "a = 2024-01-01T10:00:00+15:00", "1, 5", "Unable to parse the date time/offset `2024-01-01T10:00:00+15:00`" },
        { "a = 2024-01-01T10:00:00ZZ", "1, 5", "Unable to parse the date time/offset `2024-01-01T10:00:00ZZ`" },
        { "a = 2024-01-01  10:00:00", "1, 17", "the end of the line" },
        { "a = 0000-01-01", "1, 5", "Unable to parse the date time/offset `0000-01-01`" },
        { "a = 0001-01-01T00:00:00+01:00", "1, 5", "Invalid format of date time/offset `0001-01-01T00:00:00+01:00` not following RFC3339" },
        { "a = 07:32:00.12345678", "1, 5", "with up to seven digits" },
        { "a = 10:00", "1, 5", "found '10:00', a time without seconds" },
        { "a = 25:00:00", "1, 5", "Unable to parse the date time/offset `25:00:00`" },
        { "a = 10:00:00Z", "1, 5", "Invalid format of date time/offset `10:00:00Z` not following RFC3339" },
        { "a = 7:32:00", "1, 5", "Invalid format of date time/offset `7:32:00` not following RFC3339" },
        // lists and tables in braces
        { "a = [1", "1, 7", "Unexpected end of the file. Expecting a closing `]` for an array" },
        { "a = [1,", "1, 8", "Unexpected end of the file for a value" },
        { "a = [1 2]", "1, 8", "Missing a `,` (token: comma) to separate items in an array" },
        { "a = [,]", "1, 6", "Unexpected token `,` for a value" },
        { "a = [1,,2]", "1, 8", "Unexpected token `,` for a value" },
        { "a = [1}", "1, 7", "Unexpected token `}`. Expecting a closing `]` for an array" },
        { "a = [b = 1]", "1, 6", "Unexpected token `b` for a value" },
        { "a = { b = 1", "1, 12",
            "Unexpected end of the file while parsing inline table. Expecting a bare key or string instead of the end of the file" },
        { "a = { b = 1, }", "1, 12", "no comma behind its last value" },
        { "a = { , }", "1, 7", "Unexpected token `Comma` while parsing inline table. Expecting a bare key or string instead of `,`" },
        { "a = { b = 1 c = 2 }", "1, 13",
            "Unexpected token `Invalid` while parsing inline table. Expecting a bare key or string instead of `c`" },
        { "a = { b = 1,\nc = 2 }", "2, 1", "found the end of the line inside a table in braces" },
        { "a = {\nb = 1 }", "2, 1", "found the end of the line inside a table in braces" },
        { "a = { b }", "1, 9", "Expecting `=` after a key instead of }" },
        { "a = { b = 1 # c\n}", "2, 1", "found the end of the line inside a table in braces" },
    };

    [Theory]
    [MemberData(nameof(Documents))]
    public void Parse_Forbidden_SaysWhereAndWhat(string text, string place, string expected)
    {
        var fault = Assert.Throws<InvalidConfigurationException>(() => TomlDocument.Parse(text, "my.toml"));
        Assert.Contains(expected, fault.Message);
        Assert.Equal(place, $"{fault.Position.Line}, {fault.Position.Column}");
        Assert.StartsWith($"my.toml: {fault.Position}: ", fault.Message);
        Assert.NotEmpty(fault.Remedy);
    }

    [Fact]
    public void Parse_HalfOfASurrogatePair_IsRefused()
    {
        foreach (var (text, place) in new[] { ("a = '\uD800'", 6), ("# \uDC00", 3), ("a = \"\uD83D", 6), ("a = '''x\uDE00\uD83D'''", 9) })
        {
            var fault = Assert.Throws<InvalidConfigurationException>(() => TomlDocument.Parse(text));
            Assert.Equal(new TomlPosition(1, place), fault.Position);
            Assert.Contains("Invalid UTF-16 surrogate sequence", fault.Message);
        }
    }

    [Theory]
    [InlineData("a = ", "[", "")]
    [InlineData("a = ", "{a=", "")]
    [InlineData("a = ", "[{a=", "")]
    [InlineData("a = [", "{a=[", "")]
    [InlineData("", "a.", "a = 1")]
    [InlineData("[", "a.", "a]")]
    public void Parse_EndlessNesting_IsRefused(string before, string piece, string after)
    {
        var text = before + string.Concat(Enumerable.Repeat(piece, 100_000)) + after;
        Assert.Contains("nested more than 100 deep", Assert.Throws<InvalidConfigurationException>(() => TomlDocument.Parse(text)).Message);
    }

    [Fact]
    public void Parse_NestingUpToTheLimit_IsRead()
    {
        var text = "a = " + new string('[', 100) + new string(']', 100);
        Assert.Equal(text, TomlWriter.Write(TomlDocument.Parse(text).Root).TrimEnd());
        Assert.Throws<InvalidConfigurationException>(() => TomlDocument.Parse("a = " + new string('[', 101) + new string(']', 101)));
    }

    [Fact]
    public void Parse_LargeFiles_TakesTimeAndMemoryInProportion()
    {
        foreach (var text in new[]
        {
            string.Concat(Enumerable.Range(0, 200_000).Select(i => $"key{i} = {i}\n")),
            string.Concat(Enumerable.Repeat("[[a.b]]\nx.y = 1\n", 100_000)),
            "a = [" + string.Concat(Enumerable.Repeat("1, ", 500_000)) + "]",
            "a = \"\"\"" + string.Concat(Enumerable.Repeat("\\\n \n", 300_000)) + "\"\"\"",
            "a = '" + new string('x', 3_000_000) + "'",
            string.Concat(Enumerable.Repeat("# comment\n", 300_000)),
            string.Concat(Enumerable.Range(0, 100_000).Select(i => $"[t.t{i}]\n")),
        })
        {
            // No step looks back over the file, or copies what was read before.
            var (before, clock) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.StartNew());
            TomlDocument.Parse(text);
            Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / (double)text.Length, 0, 500);
            Assert.InRange(clock.Elapsed.TotalSeconds, 0, 20);
        }
    }
}
