namespace StableTune.Formats.Tests.Toml;

/// <summary>What is written, letter by letter, and what cannot be.</summary>
public sealed class TomlWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_DatasetConfiguration_IsLaidOutAsPeopleWriteIt()
    {
        var general = new TomlTable();
        general.Add("shuffle_caption", true, "Tags in random order.\nNot the first ones.");
        general["caption_extension"] = ".txt";
        var root = new TomlTable
        {
            ["general"] = general,
            ["datasets"] = new TomlArray
            {
                new TomlTable
                {
                    ["subsets"] = new TomlArray
                    {
                        new TomlTable { ["image_dir"] = @"C:\images\sls frog", ["num_repeats"] = 10,
                            ["custom_attributes"] = new TomlTable { ["a"] = 1 } },
                        new TomlTable { ["is_reg"] = true, ["image_dir"] = "reg" },
                    },
                    ["resolution"] = new TomlArray { 512, 768 },
                    ["network_multiplier"] = 1.0,
                },
                new TomlTable { ["resolution"] = 512 },
            },
        };
        Assert.Equal("""
            [general]
            # Tags in random order.
            # Not the first ones.
            shuffle_caption = true
            caption_extension = ".txt"

            [[datasets]]
            resolution = [512, 768]
            network_multiplier = 1.0

              [[datasets.subsets]]
              image_dir = 'C:\images\sls frog'
              num_repeats = 10

              [datasets.subsets.custom_attributes]
              a = 1

              [[datasets.subsets]]
              is_reg = true
              image_dir = "reg"

            [[datasets]]
            resolution = 512

            """.ReplaceLineEndings("\n"), TomlWriter.Write(root));
        Assert.Equal("general, datasets", string.Join(", ", TomlDocument.Parse(TomlWriter.Write(root)).Root.Keys));
    }

    [Fact]
    public void Write_RareThings_StaysValid()
    {
        var root = new TomlTable
        {
            ["a.b"] = "tab\tquote\"", ["lines"] = "one\n\"\"\"two\"\"\"\\\r\nend\"",
                [""] = new TomlArray { new TomlTable { ["x"] = 1 }, 2 },
            ["only"] = new TomlTable { ["tables"] = new TomlTable { ["deep"] = new TomlTable() } },
            ["brace"] = new TomlTable { Inline = true }, ["none"] = new TomlArray(),
            ["long"] = new TomlArray(Enumerable.Range(0, 40).Select(i => (TomlValue)$"value {i}")),
            ["when"] = new DateTimeOffset(2024, 5, 27, 7, 32, 0, 500, TimeSpan.FromHours(-3.5)), ["at"] = new TimeOnly(1, 2, 3),
        };
        var text = TomlWriter.Write(root);
        Assert.Contains("\"a.b\" = \"tab\\tquote\\\"\"", text);
        Assert.Contains("lines = \"\"\"\none\n\"\\\"\\\"two\"\\\"\\\"\\\\\\r\nend\\\"\"\"\"", text);
        Assert.Contains("\"\" = [{ x = 1 }, 2]", text);
        Assert.Contains("[only.tables.deep]", text);
        Assert.DoesNotContain("[only]", text);
        Assert.Contains("long = [\n  \"value 0\",\n", text);
        Assert.Contains("when = 2024-05-27T07:32:00.5-03:30", text);
        Assert.Contains("at = 01:02:03", text);
        var again = TomlDocument.Parse(text).Root;
        Assert.Equal("one\n\"\"\"two\"\"\"\\\r\nend\"", again["lines"].AsText);
        Assert.Equal(root.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => $"{e.Key}={e.Value}"),
            again.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => $"{e.Key}={e.Value}"));
    }

    [Fact]
    public void Write_WhatCannotBe_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => TomlWriter.Write(new TomlTable { ["a"] = "\uD800" }));
        Assert.Throws<ArgumentException>(() => TomlWriter.Write(new TomlTable { ["\uDC00"] = 1 }));
        var own = new TomlTable();
        own["self"] = own;
        Assert.Contains("nested", Assert.Throws<ArgumentException>(() => TomlWriter.Write(own)).Message);
        var list = new TomlArray { 1 };
        list.Add(list);
        Assert.Contains("nested", Assert.Throws<ArgumentException>(() => TomlWriter.Write(new TomlTable { ["l"] = list })).Message);
        Assert.Throws<ArgumentException>(() => new TomlTable { ["a"] = 1 }.Add("a", 2));
    }

    [Fact]
    public void WriteFile_ThenRead_GivesTheSame()
    {
        var path = _folder.File("new", "run.toml");
        TomlWriter.WriteFile(path, new TomlTable { ["é"] = "日本" });
        Assert.Equal("\"é\" = \"日本\"\n", File.ReadAllText(path));
        Assert.Equal("日本", TomlDocument.Read(path).Root["é"].AsText);
        Assert.Equal([path], Directory.GetFiles(_folder.File("new")));
    }

    [Fact]
    public void Describe_Values_SaysWhatTheyAre()
    {
        Assert.Equal("the text \"abc\"", ((TomlValue)"abc").Describe());
        Assert.Equal("the integer 5", ((TomlValue)5).Describe());
        Assert.Equal("the float 5.0", ((TomlValue)5.0).Describe());
        Assert.Equal("the boolean true", ((TomlValue)true).Describe());
        Assert.Equal("the date 2024-05-27", ((TomlValue)new DateOnly(2024, 5, 27)).Describe());
        Assert.Equal("a list of 2 values", new TomlArray { 1, 2 }.Describe());
        Assert.Equal("an empty list", new TomlArray().Describe());
        Assert.Equal("an empty table", new TomlTable().Describe());
        Assert.Equal("a table", new TomlTable { ["a"] = 1 }.Describe());
        Assert.True(((TomlValue)new string('x', 1000)).Describe().Length < 100);
    }
}
