namespace StableTune.Formats.Tests.Toml;

/// <summary>What TOML 1.0 forbids: refused, with the place, what was found, and what to do.</summary>
public sealed class TomlInvalidTests
{
    public static TheoryData<string, string, string> Documents() => new()
    {
        // keys
        { "a", "1, 2", "found the end of the file where '=' or '.' was expected" },
        { "a =", "1, 4", "found the end of the file where a value was expected" },
        { "a = # x", "1, 5", "found '#' where a value was expected" },
        { "a =\n1", "1, 4", "found the end of the line where a value was expected" },
        { "= 1", "1, 1", "found '=' where a key was expected" },
        { "a b = 1", "1, 3", "found 'b' where '=' or '.' was expected" },
        { "a. = 1", "1, 4", "found '=' where a key was expected" },
        { ".a = 1", "1, 1", "found '.' where a key was expected" },
        { "a..b = 1", "1, 3", "found '.' where a key was expected" },
        { "ä = 1", "1, 1", "stand in quotes" },
        { "a$ = 1", "1, 2", "found '$'" },
        { "\"\"\"a\"\"\" = 1", "1, 1", "may not be a text of several lines" },
        { "'''a''' = 1", "1, 1", "may not be a text of several lines" },
        { "\"a = 1", "1, 1", "does not end on its line" },
        { "'a\n' = 1", "1, 1", "found the end of the line" },
        { "a = 1 b = 2", "1, 7", "found 'b' where the end of the line was expected" },
        { "a = 1]", "1, 6", "found ']' where the end of the line" },
        { "a == 1", "1, 4", "found '=' where a value was expected" },
        { "a : 1", "1, 3", "found ':' where '=' or '.' was expected" },
        // given twice, added to
        { "a = 1\na = 2", "2, 1", "'a' is given a second time; first it was the integer 1 at line 1, column 1" },
        { "spelling = 1\n\"spelling\" = 2", "2, 1", "'spelling' is given a second time" },
        { "fruit.apple = 1\nfruit.apple.smooth = true", "2, 7", "'apple' cannot be added to: it is the integer 1, given whole at line 1, column 7" },
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
        { "[]", "1, 2", "found ']' where a key was expected" },
        { "[a", "1, 3", "found the end of the file where ']' was expected" },
        { "[a]]", "1, 4", "found ']' where the end of the line" },
        { "[[a]", "1, 5", "found the end of the file where ']]' was expected" },
        { "[[datasets]\nx = 1", "1, 12", "found the end of the line where ']]' was expected" },
        { "[ [a]]", "1, 3", "found '[' where a key was expected" },
        { "[[a] ]", "1, 5", "found ' ' where ']]' was expected" },
        { "[a.]", "1, 4", "a key was expected" },
        { "[a b]", "1, 4", "found 'b' where ']' was expected" },
        { "[a] b = 1", "1, 5", "the end of the line" },
        { "[a\n]", "1, 3", "found the end of the line" },
        // texts
        { "a = \"x", "1, 5", "the text that begins here does not end on its line: found the end of the file" },
        { "a = 'x\n'", "1, 5", "found the end of the line" },
        { "a = \"\"\"x\n", "1, 5", "found the end of the file where three quotes were expected" },
        { "a = '''x''", "1, 5", "found the end of the file where three quotes were expected" },
        { "a = \"\"\"\"\"\"\"\"\"", "1, 13", "the end of the line" },
        { "a = '''''''''", "1, 13", "the end of the line" },
        { "a = \"\\x41\"", "1, 7", "found 'x' behind a backslash" },
        { "a = \"\\e\"", "1, 7", "Known escapes are" },
        { "a = \"C:\\Users\"", "1, 10", "in single quotes a backslash is an ordinary character" },
        { "a = \"\\u12\"", "1, 10", "found '\"' where a hexadecimal digit" },
        { "a = \"\\uD800\"", "1, 7", "names D800, which is no Unicode character" },
        { "a = \"\\U00110000\"", "1, 7", "no Unicode character" },
        { "a = \"\\UFFFFFFFF\"", "1, 7", "no Unicode character" },
        { "a = \"\\U0001F60\"", "1, 15", "hexadecimal digit (8" },
        { "a = \"\\", "1, 7", "found the end of the file behind a backslash" },
        { "a = \"\"\"\\ x\"\"\"", "1, 9", "found ' ' behind a backslash" },
        { "a = \"\u0001\"", "1, 6", "a text may not hold the control character U+0001" },
        { "a = 'x\u007F'", "1, 7", "U+007F" },
        { "a = '\u0000'", "1, 6", "U+0000" },
        { "a = \"\"\"x\ry\"\"\"", "1, 9", "U+000D" },
        { "a = '''\u0008'''", "1, 8", "U+0008" },
        { "# \u0001", "1, 3", "a comment may not hold the control character U+0001" },
        { "# x\ry = 1", "1, 4", "a comment may not hold the control character U+000D" },
        { "a = 1\rb = 2", "1, 6", "control character U+000D where the end of the line" },
        { "a = `x`", "1, 5", "found '`' where a value was expected" },
        { "a = x", "1, 5", "found 'x' where a value was expected. Texts stand in quotes." },
        { "a = 'x' 'y'", "1, 9", "the end of the line" },
        // numbers
        { "a = 01", "1, 5", "Decimal numbers have no leading zeros" },
        { "a = -01", "1, 5", "leading zeros" },
        { "a = +00", "1, 5", "leading zeros" },
        { "a = 1__0", "1, 5", "'1__0'" },
        { "a = _1", "1, 5", "'_1'" },
        { "a = 1_", "1, 5", "'1_'" },
        { "a = 0x", "1, 5", "no number" },
        { "a = 0xG", "1, 5", "no number" },
        { "a = 0b2", "1, 5", "no number" },
        { "a = 0o8", "1, 5", "no number" },
        { "a = 0x_1", "1, 5", "no number" },
        { "a = 0X1", "1, 5", "no number" },
        { "a = +0x1", "1, 5", "no number" },
        { "a = -0b1", "1, 5", "no number" },
        { "a = 9223372036854775808", "1, 5", "64 bits" },
        { "a = -9223372036854775809", "1, 5", "64 bits" },
        { "a = 0x8000000000000000", "1, 5", "64 bits" },
        { "a = 99999999999999999999999999", "1, 5", "64 bits" },
        { "a = .5", "1, 5", "A float has digits on both sides of the point" },
        { "a = 5.", "1, 5", "digits on both sides" },
        { "a = 5.e3", "1, 5", "no number" },
        { "a = 1e", "1, 5", "no number" },
        { "a = 1e+", "1, 5", "no number" },
        { "a = 1e1.5", "1, 5", "no number" },
        { "a = 1.2.3", "1, 5", "no number" },
        { "a = 1_.5", "1, 5", "no number" },
        { "a = 1._5", "1, 5", "no number" },
        { "a = 1.5_", "1, 5", "no number" },
        { "a = 1e_5", "1, 5", "no number" },
        { "a = 03.14", "1, 5", "leading zeros" },
        { "a = 1e999", "1, 5", "64 bits" },
        { "a = 1,000", "1, 6", "found ',' where the end of the line" },
        { "a = ++1", "1, 5", "'++1'" },
        { "a = -", "1, 5", "'-'" },
        { "a = 1m", "1, 5", "'1m'" },
        { "a = Inf", "1, 5", "'Inf'" },
        { "a = NaN", "1, 5", "'NaN'" },
        { "a = True", "1, 5", "Write true or false in lower case" },
        { "a = truer", "1, 5", "'truer'" },
        { "a = None", "1, 5", "leave the key out" },
        // dates
        { "a = 2024-13-01", "1, 5", "no date or time" },
        { "a = 2023-02-29", "1, 5", "no date or time" },
        { "a = 2024-1-01", "1, 5", "no date or time" },
        { "a = 2024-01-01T", "1, 5", "no date or time" },
        { "a = 2024-01-01T24:00:00", "1, 5", "no date or time" },
        { "a = 2024-01-01T10:00", "1, 5", "no date or time" },
        { "a = 2024-01-01T10:60:00Z", "1, 5", "no date or time" },
        { "a = 2024-01-01T10:00:60Z", "1, 5", "no date or time" },
        { "a = 2024-01-01T10:00:00.Z", "1, 5", "no date or time" },
        { "a = 2024-01-01T10:00:00+1:00", "1, 5", "no date or time" },
        { "a = 2024-01-01T10:00:00+0100", "1, 5", "no date or time" },
        { "a = 2024-01-01T10:00:00+15:00", "1, 5", "no date or time" },
        { "a = 2024-01-01T10:00:00ZZ", "1, 5", "no date or time" },
        { "a = 2024-01-01  10:00:00", "1, 17", "the end of the line" },
        { "a = 0000-01-01", "1, 5", "no date or time" },
        { "a = 0001-01-01T00:00:00+01:00", "1, 5", "no date or time" },
        { "a = 10:00", "1, 5", "no date or time" },
        { "a = 25:00:00", "1, 5", "no date or time" },
        { "a = 10:00:00Z", "1, 5", "no date or time" },
        { "a = 7:32:00", "1, 5", "no number" },
        // lists and tables in braces
        { "a = [1", "1, 5", "the list that begins here does not end" },
        { "a = [1,", "1, 5", "the list that begins here does not end" },
        { "a = [1 2]", "1, 8", "found '2' where ',' or ']' was expected" },
        { "a = [,]", "1, 6", "found ',' where a value was expected" },
        { "a = [1,,2]", "1, 8", "found ',' where a value was expected" },
        { "a = [1}", "1, 7", "found '}' where ',' or ']'" },
        { "a = [b = 1]", "1, 6", "found 'b' where a value was expected" },
        { "a = { b = 1", "1, 5", "the table that begins here does not end" },
        { "a = { b = 1, }", "1, 14", "no comma behind its last value" },
        { "a = { , }", "1, 7", "found ',' where a key was expected" },
        { "a = { b = 1 c = 2 }", "1, 13", "found 'c' where ',' or '}'" },
        { "a = { b = 1,\nc = 2 }", "1, 13", "found the end of the line where a key was expected" },
        { "a = {\nb = 1 }", "1, 6", "found the end of the line where a key was expected" },
        { "a = { b }", "1, 9", "found '}' where '=' or '.'" },
        { "a = { b = 1 # c\n}", "1, 13", "found '#' where ',' or '}'" },
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
            Assert.Contains("half of a surrogate pair, U+D", fault.Message);
        }
    }

    [Theory]
    [InlineData("a = ", "[", "")]
    [InlineData("a = ", "{a=", "")]
    [InlineData("a = ", "[{a=", "")]
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
    public void Parse_LargeFiles_LooksAtEachCharacterAFewTimes()
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
            var source = new TomlSource(text, "(text)");
            var before = GC.GetAllocatedBytesForCurrentThread();
            new TomlParser(source).Parse();
            Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / (double)text.Length, 0, 100);
            Assert.InRange(source.Looks / (double)text.Length, 0, 5);
        }
    }
}
