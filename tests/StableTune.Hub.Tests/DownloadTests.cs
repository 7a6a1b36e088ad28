using System.IO.Compression;
using System.Text;

namespace StableTune.Hub.Tests;

/// <summary>Files arrive whole, however the server misbehaves, or not at all.</summary>
public sealed class DownloadTests : IDisposable
{
    private const string File1 = "big.safetensors";
    private static readonly HubName Name = HubName.Parse($"{FakeHub.Name}/{File1}");
    private static readonly string Path1 = FakeHub.FilePath(File1);

    private readonly HubBed _bed = new();

    public DownloadTests() => _bed.Hub.Add(File1, 100_000);

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Drops_AreTakenUpWhereTheyHappened()
    {
        _bed.Hub.Next(Path1, Cut(30_000), Cut(0), Cut(20_000));
        Succeeds();
        Assert.Equal([0, 30_000, 30_000, 50_000], Froms());
        Assert.Equal(3, _bed.Clock.Pauses.Count);
    }

    [Fact]
    public void Drops_BeyondTheRetries_Fail_AndWhatCameIsKept()
    {
        _bed.Hub.Always(Path1, request => request.From < 50_000 ? Cut(10_000)(request) : Cut(0)(request));
        var error = _bed.Fails(HubFault.Unreachable, Name.ToString());
        Assert.Contains("tried 6 times", error.Message);
        Assert.Equal(50_000, new FileInfo(_bed.Incomplete(File1)).Length);
        Assert.False(Directory.Exists(Path.Combine(_bed.Repository, "refs")));
        _bed.Hub.Always(Path1, _bed.Hub.File);
        Succeeds();
        Assert.Equal(50_000, Froms()[^1]);
    }

    [Fact]
    public void Drops_AfterMuchProgress_DoNotUseUpTheRetries()
    {
        var content = _bed.Hub.Add(File1, 9_000_000);
        _bed.Hub.Always(Path1, request => _bed.Hub.File(request) with { CutAfter = 1_500_000 });
        _bed.Client(_bed.Options with { Retries = 1 }).Resolve(Name);
        Assert.Equal(content, _bed.Placed(File1));
        Assert.Equal(6, Froms().Count);
        Assert.Empty(_bed.Clock.Pauses);
    }

    [Fact]
    public void Drops_OfAServerThatBeginsAnewEachTime_EndAtLast()
    {
        _bed.Hub.Add(File1, 9_000_000);
        _bed.Hub.Always(Path1, _ => new Reply { Body = _bed.Hub.Files[File1], CutAfter = 1_500_000 });
        _bed.Fails(HubFault.Unreachable, Name.ToString());
        Assert.InRange(Froms().Count, 6, 8);
    }

    [Fact]
    public void WhatAnotherProgramLeft_IsTakenUp()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_bed.Incomplete(File1))!);
        File.WriteAllBytes(_bed.Incomplete(File1), _bed.Hub.Files[File1][..70_000]);
        Succeeds();
        Assert.Equal([70_000], Froms());
    }

    [Fact]
    public void WhatAnotherProgramLeft_WholeOrTooLong_IsChecked()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_bed.Incomplete(File1))!);
        File.WriteAllBytes(_bed.Incomplete(File1), _bed.Hub.Files[File1]);
        Succeeds();
        Assert.Empty(Froms());
        File.Delete(_bed.Blob(File1));
        File.WriteAllBytes(_bed.Incomplete(File1), new byte[100_001]);
        Succeeds();
        File.Delete(_bed.Blob(File1));
        File.WriteAllBytes(_bed.Incomplete(File1), new byte[100_000]);   // holes where another program meant to write
        Succeeds();
    }

    [Fact]
    public void AServerWithoutRanges_SendsAllAgain()
    {
        _bed.Hub.Next(Path1, Cut(30_000), _ => new Reply { Body = _bed.Hub.Files[File1] });
        Succeeds();
        Assert.Equal([0, 30_000], Froms());
    }

    [Theory]
    [InlineData("bytes 0-99999/100000")]
    [InlineData("bytes 30000-99999/200000")]
    [InlineData("bytes 29999-99999/100000")]
    [InlineData("items 30000-99999/100000")]
    [InlineData(null)]
    public void WrongRanges_StartAgain(string? range)
    {
        _bed.Hub.Next(Path1, Cut(30_000), _ =>
            new Reply { Status = 206, Body = _bed.Hub.Files[File1][30_000..], Headers = range is null ? [] : [("Content-Range", range)] });
        Succeeds();
        Assert.Equal([0, 30_000, 0], Froms());
    }

    [Fact]
    public void RangesThatTheServerCannotGive_StartAgain()
    {
        _bed.Hub.Next(Path1, Cut(30_000), _ => Reply.Of(416));
        Succeeds();
        Assert.Equal([0, 30_000, 0], Froms());
    }

    [Fact]
    public void AnswersThatEndTooEarly_AreTakenUp()
    {
        _bed.Hub.Next(Path1, request => _bed.Hub.File(request) with { Body = _bed.Hub.Files[File1][..40_000] }, request =>
            _bed.Hub.File(request) with { ContentLength = -1, CutAfter = 20_000 });
        Succeeds();
        Assert.Equal([0, 40_000, 60_000], Froms());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AnswersThatAreTooLong_AreRefused(bool announced)
    {
        byte[] tooLong = [.. _bed.Hub.Files[File1], 1];
        _bed.Hub.Always(Path1, _ => new Reply { Body = tooLong, ContentLength = announced ? null : -1 });
        var error = _bed.Fails(HubFault.BadAnswer, Name.ToString());
        Assert.Contains($"{(announced ? "100,001" : "more")} bytes for {File1}, and its list says 100,000", error.Message);
        NothingIsLeft();
        _bed.Hub.Always(Path1, _bed.Hub.File);
        Succeeds();
    }

    [Fact]
    public void WrongChecksums_AreTriedOnceMore()
    {
        _bed.Hub.Next(Path1, request => _bed.Hub.File(request) with { Body = new byte[100_000] });
        Succeeds();
        Assert.Equal([0, 0], Froms());
    }

    [Fact]
    public void WrongChecksums_Twice_FailNamingBoth()
    {
        _bed.Hub.Always(Path1, request => _bed.Hub.File(request) with { Body = new byte[100_000] });
        var error = _bed.Fails(HubFault.BadAnswer, Name.ToString());
        Assert.Contains(_bed.Hub.Id(File1), error.Message);
        Assert.Contains(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(new byte[100_000])), error.Message);
        Assert.Equal(2, Froms().Count);
        NothingIsLeft();
    }

    [Fact]
    public void WrongChecksums_OfSmallFiles_AreSeenToo()
    {
        _bed.Hub.AddText("a.json", "{\"rank\": 4}");
        _bed.Hub.Always(FakeHub.FilePath("a.json"), _ => new Reply { Body = "{\"rank\": 5}"u8.ToArray() });
        Assert.Contains(_bed.Hub.Id("a.json"), _bed.Fails(HubFault.BadAnswer, "frog/green/a.json").Message);
    }

    [Fact]
    public void EmptyFiles_NeedNoRequest()
    {
        _bed.Hub.AddText("empty.txt", "");
        Assert.Empty(File.ReadAllBytes(_bed.Client().Resolve(HubName.Parse("frog/green/empty.txt")).Path));
    }

    [Fact]
    public void StallsInTheMiddle_AreTakenUp()
    {
        _bed.Hub.Next(Path1, request =>
            Cut(30_000)(request) with { Stall = () => OnceThere(30_000, () => _bed.Clock.Advance(TimeSpan.FromSeconds(61))) });
        Succeeds();
        Assert.Equal([0, 30_000], Froms());
        Assert.Contains(_bed.Log.Lines, line => line.Contains("stood still for 60 s", StringComparison.Ordinal));
    }

    [Fact]
    public void SilenceBeforeAnAnswer_IsGivenUp()
    {
        _bed.Hub.Always(Path1, request => _bed.Hub.File(request) with { Until = _bed.TimeRuns() });
        var error = _bed.Fails(HubFault.Unreachable, Name.ToString(), _bed.Options with { Retries = 2 });
        Assert.Contains("gave no answer within 30 s", error.Message);
        Assert.Contains("tried 3 times", error.Message);
    }

    [Fact]
    public void WebPages_AreNotWrittenAsFiles()
    {
        _bed.Hub.Always(Path1, _ => new Reply { Body = "<html>log in</html>"u8.ToArray(),
            Headers = [("Content-Type", "text/html; charset=utf-8")] });
        var error = _bed.Fails(HubFault.BadAnswer, Name.ToString());
        Assert.Contains("a web page instead of the file", error.Message);
        Assert.Single(Froms());
        NothingIsLeft();
    }

    [Theory]
    [InlineData("X-Repo-Commit", "ffffffffffffffffffffffffffffffffffffffff", "from commit ffff")]
    [InlineData("X-Linked-Size", "5", "announces 5 bytes")]
    [InlineData("X-Linked-ETag", "\"abc\"", "announces the checksum abc")]
    public void HeadersThatContradictTheList_AreRefused(string header, string value, string said)
    {
        _bed.Hub.Always(Path1, request => new Reply { Body = _bed.Hub.Files[File1] }.With(header, value));
        Assert.Contains(said, _bed.Fails(HubFault.BadAnswer, Name.ToString()).Message);
        NothingIsLeft();
    }

    [Fact]
    public void WeakTags_AreReadAsTags()
    {
        _bed.Hub.Always(Path1, request => new Reply { Body = _bed.Hub.Files[File1] }.With("X-Linked-ETag", $"W/\"{_bed.Hub.Id(File1)}\""));
        Succeeds();
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("deflate")]
    public void CompressedAnswers_AreUnpacked(string encoding)
    {
        _bed.Hub.Always(Path1, _ => new Reply { Body = Packed(_bed.Hub.Files[File1], encoding),
            Headers = [("Content-Encoding", encoding)] });
        _bed.Hub.Always(FakeHub.TreePath(), _ =>
            Reply.Json("") with { Body = Packed(Encoding.UTF8.GetBytes(_bed.Hub.Tree()), encoding),
            Headers = [("Content-Encoding", encoding)] });
        Succeeds();
    }

    [Fact]
    public void CompressedParts_StartAgain()
    {
        _bed.Hub.Next(Path1, Cut(30_000), request => _bed.Hub.File(request).With("Content-Encoding", "gzip"));
        Succeeds();
        Assert.Equal([0, 30_000, 0], Froms());
    }

    [Fact]
    public void TornCompression_IsTriedAgain()
    {
        _bed.Hub.Next(Path1, _ => new Reply { Body = [1, 2, 3, 4], Headers = [("Content-Encoding", "gzip")] }, _ =>
            new Reply { Body = [1], Headers = [("Content-Encoding", "zstd")] });
        Succeeds();
    }

    [Fact]
    public async Task Cancelling_KeepsWhatCame()
    {
        using var cancel = new CancellationTokenSource();
        _bed.Hub.Next(Path1, request => Cut(30_000)(request) with { Stall = () => OnceThere(30_000, cancel.Cancel) });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _bed.Client().ResolveAsync(Name, cancellationToken: cancel.Token));
        Assert.Equal(30_000, new FileInfo(_bed.Incomplete(File1)).Length);
        Succeeds();
        Assert.Equal(30_000, Froms()[^1]);
    }

    [Fact]
    public void FullDisks_AreSeenBeforehand()
    {
        using var client = _bed.Client(freeBytes: folder => folder == _bed.Cache ? 64 << 20 : throw new InvalidOperationException(folder));
        var error = Assert.Throws<HubException>(() => client.Resolve(Name));
        Assert.Equal(HubFault.DiskFull, error.Fault);
        Assert.Contains(_bed.Cache, error.Message);
        Assert.Empty(Froms());
        using var enough = _bed.Client(freeBytes: _ => (64 << 20) + 100_000);
        enough.Resolve(Name);
    }

    [Fact]
    public void ATornCopyInASnapshot_IsReplaced()
    {
        _bed.Write("torn", "snapshots", FakeHub.Commit, File1);
        _bed.Client(_bed.Options with { CheckForUpdates = true }).Resolve(Name);
        Assert.Equal(_bed.Hub.Files[File1], _bed.Placed(File1));
    }

    /// <summary>What was sent must have arrived before the test goes on.</summary>
    private void OnceThere(long bytes, Action then)
    {
        if (new FileInfo(_bed.Incomplete(File1)) is { Exists: true } file && file.Length == bytes) then();
    }

    private Func<TestRequest, Reply> Cut(int bytes) => request => _bed.Hub.File(request) with { CutAfter = bytes };

    private List<long> Froms() => _bed.Hub.Server.Requests.Where(r => r.Path == Path1).Select(r => r.From).ToList();

    private void Succeeds()
    {
        Assert.Equal(Path.Combine(_bed.Snapshot, File1), _bed.Client(_bed.Options with { CheckForUpdates = true }).Resolve(Name).Path);
        Assert.Equal(_bed.Hub.Files[File1], _bed.Placed(File1));
        Assert.False(File.Exists(_bed.Incomplete(File1)));
    }

    private void NothingIsLeft()
    {
        Assert.False(File.Exists(_bed.Blob(File1)));
        Assert.False(Directory.Exists(_bed.Snapshot));
        Assert.False(File.Exists(_bed.Incomplete(File1)) && new FileInfo(_bed.Incomplete(File1)).Length > 0);
    }

    private static byte[] Packed(byte[] bytes, string encoding)
    {
        using var packed = new MemoryStream();
        using (Stream stream = encoding switch { "gzip" => new GZipStream(packed, CompressionLevel.Fastest), "br" =>
            new BrotliStream(packed, CompressionLevel.Fastest), _ => new ZLibStream(packed, CompressionLevel.Fastest) })
            stream.Write(bytes);
        return packed.ToArray();
    }
}
