using System.Text;

namespace StableTune.Formats.Tests.Toml;

/// <summary>Files: their encoding, their endings, and the configurations of the data sets.</summary>
public sealed class TomlFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Configurations() =>
        new(Directory.EnumerateFiles(Fixtures.Path("data", "configs")).Select(file => Path.GetFileName(file))
            .Where(name => name != "unsupported.yaml" && name != "expected.json").Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Configurations))]
    public void Read_EveryConfigurationOfTheReference_IsReadUnlessItsNotationIsWrong(string name)
    {
        var path = Fixtures.Path("data", "configs", name);
        if (name is "invalid_syntax_error.toml")
        {
            Assert.Equal(new TomlPosition(1, 11), Assert.Throws<InvalidConfigurationException>(() => TomlDocument.Read(path)).Position);
            return;
        }

        if (name is "invalid_duplicate_key.toml")
        {
            var fault = Assert.Throws<InvalidConfigurationException>(() => TomlDocument.Read(path));
            Assert.Contains("line 3, column 1: 'resolution' is given a second time; first it was the integer 512 at line 2, column 1.",
                fault.Message);
            return;
        }

        var document = TomlDocument.Read(path);
        Assert.Equal(path, document.Path);
        var written = TomlWriter.Write(document.Root);
        Assert.Equal(document.Root.ToString(), TomlDocument.Parse(written).Root.ToString());
    }

    [Fact]
    public void Read_DocumentedExample_HasItsTablesAndValues()
    {
        var root = TomlDocument.Read(Fixtures.Path("data", "configs", "documented_example.toml")).Root;
        Assert.Equal(["general", "datasets"], root.Keys);
        Assert.True(root["general"].AsTable!["shuffle_caption"].AsBoolean);
        var datasets = root["datasets"].AsArray!;
        Assert.Equal(2, datasets.Count);
        Assert.Equal(3, datasets[0].AsTable!["subsets"].AsArray!.Count);
        Assert.Equal("human", datasets[0].AsTable!["subsets"].AsArray![2].AsTable!["class_tokens"].AsText);
        Assert.Equal("[768, 768]", datasets[1].AsTable!["resolution"].ToString());
    }

    [Fact]
    public void Read_ByteOrderMarkAndWindowsLineEnds_AreTaken()
    {
        var path = Write("x.toml", [0xEF, 0xBB, 0xBF, .. "a = 1\r\nb = 'é'\r\n"u8]);
        Assert.Equal("{ a = 1, b = \"é\" }", TomlDocument.Read(path).Root.ToString());
        Assert.Equal(new TomlPosition(1, 1), TomlDocument.Read(path).Root.First().Position);
    }

    [Fact]
    public void Read_OtherEncodings_AreRefusedWithTheRemedy()
    {
        var fault = Assert.Throws<InvalidConfigurationException>(() =>
            TomlDocument.Read(Write("x.toml", Encoding.Latin1.GetBytes("# ok\na = 'xé'\n"))));
        Assert.Equal(new TomlPosition(2, 7), fault.Position);
        Assert.Contains("UTF-8", fault.Message);
        Assert.Contains("UTF-16", Assert.Throws<InvalidFileException>(() =>
            TomlDocument.Read(Write("y.toml",
            Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes("a = 1")).ToArray()))).Message);
    }

    [Fact]
    public void Read_WhatIsNoConfigurationFile_IsToldSo()
    {
        Assert.Contains("'.yaml'", Assert.Throws<InvalidFileException>(() =>
            TomlDocument.Read(Fixtures.Path("data", "configs", "unsupported.yaml"))).Message);
        Assert.Contains("does not exist",
            Assert.Throws<InvalidFileException>(() => TomlDocument.Read(_folder.File("missing.toml"))).Message);
        Assert.Contains("is a folder", Assert.Throws<InvalidFileException>(() => TomlDocument.Read(_folder.Folder("folder.toml"))).Message);
        var large = _folder.File("large.toml");
        using (var stream = File.Create(large)) stream.SetLength((4 << 20) + 1);
        Assert.Contains("4194305 bytes", Assert.Throws<InvalidFileException>(() => TomlDocument.Read(large)).Message);
    }

    [Fact]
    public void Fault_OfAReader_PointsAtTheValue()
    {
        var document = TomlDocument.Parse("[general]\n  batch_size = 'four'", "set.toml");
        var value = document.Root["general"].AsTable!["batch_size"];
        var fault = document.Fault(value.Position, $"batch_size must be an integer, but is {value.Describe()}.",
            "Write a number without quotes.");
        Assert.Equal(
            "set.toml: line 2, column 16: batch_size must be an integer, but is the text \"four\". Write a number without quotes.",
            fault.Message);
    }

    private string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(_folder.File(name), bytes);
        return _folder.File(name);
    }
}
