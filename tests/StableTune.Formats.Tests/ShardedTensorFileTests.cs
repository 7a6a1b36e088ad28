using System.Diagnostics;

namespace StableTune.Formats.Tests;

public sealed class ShardedTensorFileTests : IDisposable
{
    private const string First = "model-00001-of-00002.safetensors", Second = "model-00002-of-00002.safetensors";

    private readonly TemporaryFolder _folder = new();

    public ShardedTensorFileTests()
    {
        SafetensorsWriter.Write(_folder.File(First),
            [RawFile.Payload("a", TensorDType.U8, [3], [1, 2, 3]), RawFile.Payload("b", TensorDType.U8, [2], [4, 5])]);
        SafetensorsWriter.Write(_folder.File(Second), [RawFile.Payload("c", TensorDType.U8, [4], [6, 7, 8, 9])]);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_Index_GivesTheTensorsOfAllShards()
    {
        using var file = TensorFile.Open(Index($"\"a\": \"{First}\", \"b\": \"{First}\", \"c\": \"{Second}\""));

        Assert.IsType<ShardedTensorFile>(file);
        Assert.Equal(["a", "b", "c"], file.Tensors.Select(tensor => tensor.Name).Order());
        Assert.Equal<byte>([1, 2, 3], Bytes(file, "a"));
        Assert.Equal<byte>([7, 8], Bytes(file, "c", 1, 2));
        using var lease = file.Lease(file["b"]);
        Assert.Equal(2, lease!.ByteCount);
        // Reading in the order of places runs through one shard after the other.
        Assert.Equal(file.Tensors.Select(tensor => tensor.Name),
            file.Tensors.OrderBy(tensor => tensor.Begin).Select(tensor => tensor.Name));
        Assert.Throws<ArgumentException>(() => file.Read(file["a"] with { Name = "a" }, new byte[1]));
        Assert.Contains("'d'", Assert.Throws<InvalidFileException>(() => file["d"]).Message);
    }

    [Fact]
    public void Open_TensorThatTheIndexDoesNotName_IsThereToo()
    {
        using var file = ShardedTensorFile.Open(Index($"\"a\": \"{First}\", \"c\": \"{Second}\""));
        Assert.True(file.TryGet("b", out _));
        Assert.Equal(2, file.Shards.Count);
    }

    [Theory]
    [InlineData("../model.safetensors")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("/etc/passwd")]
    [InlineData("sub/model.safetensors")]
    [InlineData("..\\\\model.safetensors")]
    [InlineData("C:model.safetensors")]
    [InlineData("a\\u0000.safetensors")]
    public void Open_ShardOutsideTheFolder_IsRefused(string shard) =>
        AssertFault($"\"a\": \"{shard}\"", "plain names");

    [Theory]
    [InlineData("\"a\": \"model-00003-of-00003.safetensors\"", "model-00003-of-00003.safetensors, which is missing")]
    [InlineData("\"a\": \"model-00002-of-00002.safetensors\", \"b\": \"model-00001-of-00002.safetensors\"",
        "'a' lies in model-00002-of-00002.safetensors, but it lies in model-00001-of-00002.safetensors")]
    [InlineData("\"x\": \"model-00002-of-00002.safetensors\"", "'x' lies in model-00002-of-00002.safetensors, where it is missing")]
    [InlineData("\"a\": 3", "3 instead of a file")]
    [InlineData("\"a\": \"model-00001-of-00002.safetensors\", \"a\": \"model-00001-of-00002.safetensors\"", "'a' twice")]
    [InlineData("\"a\": \"model.safetensors.index.json\"", "another index")]
    [InlineData("\"a\": \"\\ud800\"", "not JSON")]
    [InlineData("", "names no tensors")]
    public void Open_IndexThatContradicts_NamesTheFault(string map, string expected) => AssertFault(map, expected);

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"weight_map\": []}")]
    public void Open_NoIndex_SaysSo(string text)
    {
        File.WriteAllText(_folder.File("model.safetensors.index.json"), text);
        Assert.Contains("weight_map", Assert.Throws<InvalidFileException>(() =>
            ShardedTensorFile.Open(_folder.File("model.safetensors.index.json"))).Message);
    }

    [Fact]
    public void Open_NameInTwoShards_NamesBoth()
    {
        SafetensorsWriter.Write(_folder.File(Second),
            [RawFile.Payload("c", TensorDType.U8, [1], [6]), RawFile.Payload("b", TensorDType.U8, [1], [7])]);
        var message = AssertFault($"\"a\": \"{First}\", \"c\": \"{Second}\"", "'b' lies in two files");
        Assert.Contains(First, message);
        Assert.Contains(Second, message);
    }

    [Fact]
    public void Open_TruncatedShard_NamesIt()
    {
        using (var stream = File.OpenWrite(_folder.File(Second))) stream.SetLength(stream.Length - 1);
        var error = Assert.Throws<InvalidFileException>(() => ShardedTensorFile.Open(Index($"\"a\": \"{First}\", \"c\": \"{Second}\"")));
        Assert.EndsWith(Second, error.Path);
    }

    [Fact]
    public void Open_TooManyShards_IsRefused() =>
        AssertFault(string.Join(", ", Enumerable.Range(0, 2000).Select(i => $"\"t{i}\": \"shard-{i}.safetensors\"")),
            "more than 1000 files");

    [Fact]
    public void Open_Pipe_SaysSoInsteadOfWaiting()
    {
        if (OperatingSystem.IsWindows()) return;
        var path = _folder.File("pipe.safetensors");
        Process.Start("mkfifo", path).WaitForExit();
        Assert.Contains("pipe", Assert.Throws<InvalidFileException>(() => TensorFile.Open(path)).Message);
        File.CreateSymbolicLink(_folder.File("link.safetensors"), path);
        Assert.Contains("pipe", Assert.Throws<InvalidFileException>(() => TensorFile.Open(_folder.File("link.safetensors"))).Message);
        Assert.Contains("device", Assert.Throws<InvalidFileException>(() => TensorFile.Open("/dev/zero")).Message);
    }

    [Fact]
    public void Open_LinkToAFile_IsFollowed()
    {
        File.CreateSymbolicLink(_folder.File("link.safetensors"), _folder.File(First));
        using var file = TensorFile.Open(_folder.File("link.safetensors"));
        Assert.Equal(2, file.Tensors.Count);
    }

    private string Index(string map)
    {
        var path = _folder.File("model.safetensors.index.json");
        File.WriteAllText(path, $"{{\"metadata\": {{\"total_size\": 9}}, \"weight_map\": {{{map}}}}}");
        return path;
    }

    private string AssertFault(string map, string expected)
    {
        var message = Assert.Throws<InvalidFileException>(() => ShardedTensorFile.Open(Index(map))).Message;
        Assert.Contains(expected, message);
        Assert.Contains(".index.json", message);
        return message;
    }

    private static byte[] Bytes(ITensorFile file, string name, long offset = 0, int? count = null)
    {
        var bytes = new byte[count ?? file[name].ByteCount];
        file.Read(file[name], bytes, offset);
        return bytes;
    }
}
