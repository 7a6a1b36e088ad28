namespace StableTune.Hub.Tests;

public sealed class HubNameTests
{
    [Theory]
    [InlineData("runwayml/stable-diffusion-v1-5", "runwayml", "stable-diffusion-v1-5", null, null)]
    [InlineData("a/b:fp16", "a", "b", null, "fp16")]
    [InlineData("a/b@fp16", "a", "b", null, "fp16")]
    [InlineData("a/b@refs/pr/1", "a", "b", null, "refs/pr/1")]
    [InlineData("a/b:refs/pr/1", "a", "b", null, "refs/pr/1")]
    [InlineData("a/b_c.d-e/v1-5.safetensors", "a", "b_c.d-e", "v1-5.safetensors", null)]
    [InlineData("a/b/sub/file name@2x.safetensors", "a", "b", "sub/file name@2x.safetensors", null)]
    [InlineData("a/b/unet:0123456789abcdef0123456789abcdef01234567", "a", "b", "unet", "0123456789abcdef0123456789abcdef01234567")]
    [InlineData("a/b/x.ckpt:v1.0:model", "a", "b", "x.ckpt", "v1.0")]
    public void Parse_ReadsNames(string text, string owner, string name, string? path, string? revision)
    {
        var read = HubName.Parse(text);
        Assert.Equal((owner, name, path, revision, HubRepositoryType.Model), (read.Owner, read.Name, read.Path, read.Revision, read.Type));
        Assert.Equal($"{owner}/{name}", read.Repository);
        Assert.Equal(read, HubName.Parse(read.ToString()));
    }

    [Theory]
    [InlineData("a/b:main:dataset", HubRepositoryType.Dataset)]
    [InlineData("a/b/x:main:spaces", HubRepositoryType.Space)]
    public void Parse_ReadsTypes(string text, HubRepositoryType type)
    {
        Assert.Equal(type, HubName.Parse(text).Type);
        Assert.Equal(HubName.Parse(text), HubName.Parse(HubName.Parse(text).ToString()));
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("https://huggingface.co/a/b", "web address")]
    [InlineData("https://huggingface.co/a/b/blob/main/x%20y/v1.safetensors?download=true", "write a/b/x y/v1.safetensors")]
    [InlineData("https://huggingface.co/a/b/tree/fp16", "write a/b:fp16")]
    [InlineData("https://huggingface.co/a/b/", "write a/b")]
    [InlineData("https://huggingface.co/", "write owner/name")]
    [InlineData("a b/c", "the owner \"a b\" holds ' '")]
    [InlineData("-a/b", "begins or ends")]
    [InlineData("a/b.", "begins or ends")]
    [InlineData("a/b--c", "\"--\"")]
    [InlineData("a/b..c", "\"..\"")]
    [InlineData("a/b.git", ".git")]
    [InlineData("a/bü", "holds 'ü'")]
    [InlineData("a/b\u0001", "U+0001")]
    [InlineData("a/con", "reserved")]
    [InlineData("a//b", "the name is empty")]
    [InlineData("a/b/../../../etc/passwd", "steps through \"..\"")]
    [InlineData("a/b/./x", "steps through \".\"")]
    [InlineData("a/b//x", "absolute")]
    [InlineData("a/b/x//y", "empty piece")]
    [InlineData("a/b/x?.bin", "holds '?'")]
    [InlineData("a/b/NUL.json", "reserved")]
    [InlineData("a/b/x\0y", "U+0000")]
    [InlineData("a/b/x :main", "ends with a space")]
    [InlineData("a/b:", "revision behind ':' or '@' is empty")]
    [InlineData("a/b@", "revision behind ':' or '@' is empty")]
    [InlineData("a/b:../../x", "begins or ends with '.'")]
    [InlineData("a/b:x/../y", "begins or ends with '.'")]
    [InlineData("a/b:x//y", "empty piece")]
    [InlineData("a/b:x y", "characters other than")]
    [InlineData("a/b:main\n", "characters other than")]
    [InlineData("a/b:nul", "reserved")]
    [InlineData("a/b:main:robot", "\"robot\" is unknown")]
    public void TryParse_SaysWhatIsWrong(string text, string problem)
    {
        Assert.False(HubName.TryParse(text, out var name, out var said));
        Assert.Null(name);
        Assert.Contains(problem, said);
        Assert.Contains(problem, Assert.Throws<FormatException>(() => HubName.Parse(text)).Message);
    }

    [Fact]
    public void TryParse_LimitsLengths()
    {
        Assert.True(HubName.TryParse($"{new string('o', 96)}/{new string('n', 96)}", out _, out _));
        Assert.False(HubName.TryParse($"{new string('o', 97)}/n", out _, out var owner));
        Assert.Contains("97 characters", owner);
        Assert.False(HubName.TryParse($"o/n/{new string('x', 241)}", out _, out var piece));
        Assert.Contains("241 bytes", piece);
        Assert.False(HubName.TryParse("o/n/" + string.Join('/', Enumerable.Repeat("folder", 200)), out _, out var path));
        Assert.Contains("characters, at most 1024", path);
        Assert.False(HubName.TryParse($"o/n:{new string('r', 201)}", out _, out var revision));
        Assert.Contains("201 characters", revision);
    }

    [Theory]
    [InlineData("./a/b", true)]
    [InlineData("../a/b", true)]
    [InlineData("/a/b", true)]
    [InlineData("~/a/b", true)]
    [InlineData("C:/models/a", true)]
    [InlineData(@"C:\models\a", true)]
    [InlineData(@"models\a", true)]
    [InlineData(@"\\server\share", true)]
    [InlineData("models/sd15/", true)]
    [InlineData("sd15", true)]
    [InlineData("sd15.safetensors", true)]
    [InlineData("models/sd15.safetensors", true)]
    [InlineData("models/SD15.CKPT", true)]
    [InlineData("$HOME/models/x", true)]
    [InlineData("%MODELS%/x/y", true)]
    [InlineData("", true)]
    [InlineData("a/b", false)]
    [InlineData("a/b/x.safetensors", false)]
    [InlineData("a/b:main", false)]
    public void LooksLikePath_TellsPathsFromNames(string text, bool path)
    {
        Assert.Equal(path, HubName.LooksLikePath(text));
        Assert.Equal(!path, HubName.TryParse(text, out _, out _));
    }

    [Fact]
    public void WithPath_ChangesThePathAlone()
    {
        var name = HubName.Parse("a/b/x/y.onnx:old:dataset").WithPath("x/y.bin");
        Assert.Equal("a/b/x/y.bin:old:dataset", name.ToString());
        Assert.Equal("a/b:old:dataset", name.WithPath(null).ToString());
        foreach (var path in new[] { "", "/x", "./x", "x//y", "../x", "x?.bin", "x:y" })
            Assert.Throws<FormatException>(() => name.WithPath(path));
    }

    [Fact]
    public void At_ChangesTheRevisionAlone()
    {
        var name = HubName.Parse("a/b/x.ckpt:old").At("new");
        Assert.Equal("a/b/x.ckpt:new", name.ToString());
        Assert.Equal("a/b/x.ckpt", name.At(null).ToString());
        Assert.Throws<FormatException>(() => name.At("../x"));
    }

    [Fact]
    public void TryParse_NeverThrows_WhateverTheText()
    {
        const string letters = "ab/:@.-_ \\~\0ü\nC%";
        var random = new Random(5);
        for (var i = 0; i < 20_000; i++)
        {
            var text = new string(Enumerable.Range(0, random.Next(12)).Select(_ => letters[random.Next(letters.Length)]).ToArray());
            if (!HubName.TryParse(text, out var name, out var problem)) Assert.NotEmpty(problem);
            else Assert.Equal(name, HubName.Parse(name.ToString()));
        }
    }
}
