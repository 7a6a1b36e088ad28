namespace StableTune.Hub.Tests;

/// <summary>Whoever is refused learns why, and what to do; the token is told to nobody.</summary>
public sealed class RefusalTests : IDisposable
{
    private const string Secret = "hf_secretsecretsecret";

    private readonly HubBed _bed = new();

    public RefusalTests() => _bed.Hub.WithModel();

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void UnknownRepositories_AreAnsweredWithNearNames()
    {
        var error = _bed.Fails(HubFault.AccessDenied, "frog/gren");
        Assert.Contains("There is no such repository, or it is private", error.Message);
        Assert.Contains("Near it are: frog/green", error.Message);
        Assert.Contains("HF_TOKEN", error.Remedy);
    }

    [Fact]
    public void UnknownRepositories_WithoutNearNames_AreAnsweredToo()
    {
        _bed.Hub.Always("/api/models", _ => Reply.Of(403));
        Assert.DoesNotContain("Near", _bed.Fails(HubFault.AccessDenied, "frog/gren").Message);
    }

    [Fact]
    public void PrivateRepositories_WithAToken_BlameTheToken()
    {
        var error = _bed.Fails(HubFault.AccessDenied, "frog/secret", _bed.Options with { Token = Secret });
        Assert.Contains("the token may not see it", error.Message);
        Silent(error);
    }

    [Fact]
    public void RepositoriesThatAreGone_AreToldSo()
    {
        _bed.Hub.Always(FakeHub.InfoPath(), _ => Reply.Of(404, ("X-Error-Code", "RepoNotFound")));
        Assert.Contains("There is no such model on 127.0.0.1", _bed.Fails(HubFault.NotFound).Message);
    }

    [Theory]
    [InlineData(401, "", "set a token")]
    [InlineData(403, Secret, "check that the token is valid")]
    public void GatedRepositories_NameThePageOfTheLicence(int status, string token, string said)
    {
        _bed.Hub.Always(FakeHub.FilePath("unet/diffusion_pytorch_model.safetensors"), _ =>
            Reply.Of(status, ("X-Error-Code", "GatedRepo"), ("X-Error-Message", "Access is restricted.")));
        var error = _bed.Fails(HubFault.AccessDenied, options: _bed.Options with { Token = token });
        Assert.Contains("gated", error.Message);
        Assert.Contains("\"Access is restricted\"", error.Message);
        Assert.Contains($"{_bed.Hub.Server.Address}frog/green", error.Remedy);
        Assert.Contains(said, error.Remedy);
        Silent(error);
        Assert.False(Directory.Exists(Path.Combine(_bed.Repository, "refs")));
    }

    [Fact]
    public void UnknownRevisions_AreAnsweredWithNearNames()
    {
        var error = _bed.Fails(HubFault.NotFound, "frog/green:fp61");
        Assert.Contains("no branch, tag or commit \"fp61\"", error.Message);
        Assert.Contains("There are: fp16", error.Message);
    }

    [Theory]
    [InlineData("v1-5-prunedd.safetensors", "v1-5-pruned.safetensors")]
    [InlineData("unett", "Near it: unet")]
    [InlineData("v1-5-pruned.ckpt", "v1-5-pruned.safetensors")]
    [InlineData("diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.safetensors")]
    public void UnknownFiles_AreAnsweredWithNearNames(string asked, string near)
    {
        var error = _bed.Fails(HubFault.NotFound, $"frog/green/{asked}");
        Assert.Contains($"frog/green has no file or folder \"{asked}\" in its revision \"main\"", error.Message);
        Assert.Contains(near, error.Message);
    }

    [Fact]
    public void RepositoriesOfCheckpoints_NameThem()
    {
        _bed.Hub.Files.Clear();
        _bed.Hub.Add("sd.safetensors", 10);
        _bed.Hub.Add("sd.ckpt", 10);
        var error = _bed.Fails(HubFault.NothingToSelect);
        Assert.Contains("model_index.json", error.Reason);
        Assert.Equal("Name one of its files: frog/green/sd.ckpt, frog/green/sd.safetensors.", error.Remedy);
    }

    [Fact]
    public void ModelsWithoutUsableWeights_NameThePart()
    {
        _bed.Hub.Files.Remove("vae/diffusion_pytorch_model.safetensors");
        _bed.Hub.Add("vae/diffusion_flax_model.msgpack", 10);
        Assert.Contains("it lacks vae: weights", _bed.Fails(HubFault.NothingToSelect).Message);
    }

    [Fact]
    public void EmptyRepositories_AreToldSo()
    {
        _bed.Hub.Files.Clear();
        Assert.Contains("holds no files", _bed.Fails(HubFault.NothingToSelect).Message);
    }

    [Fact]
    public void TheToken_IsSentToTheEndpoint_AndToldToNobody()
    {
        using var client = _bed.Client(_bed.Options with { Token = Secret });
        _bed.Hub.Next(FakeHub.InfoPath(), _ => Reply.Of(500));
        client.Resolve(HubName.Parse(FakeHub.Name));
        Assert.All(_bed.Hub.Server.Requests, request => Assert.Equal($"Bearer {Secret}", request.Token));
        Assert.NotEmpty(_bed.Log.Lines);
        Assert.DoesNotContain(_bed.Log.Lines, line => line.Contains(Secret, StringComparison.Ordinal));
        Assert.DoesNotContain(Directory.GetFiles(_bed.Cache, "*", SearchOption.AllDirectories), path =>
            File.ReadAllText(path).Contains(Secret, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://hub.example.org", true)]
    [InlineData("https://hub.example.org", false)]
    public void ATokenOnAnOpenConnection_IsWarnedOf(string endpoint, bool warned)
    {
        _bed.Client(_bed.Options with { Token = Secret, Endpoint = new Uri(endpoint) });
        Assert.Equal(warned, _bed.Log.Lines.Any(line => line.Contains("not secure", StringComparison.Ordinal)));
        Assert.DoesNotContain(_bed.Log.Lines, line => line.Contains(Secret, StringComparison.Ordinal));
    }

    [Fact]
    public void WithoutAToken_NoneIsSent()
    {
        _bed.Client().Resolve(HubName.Parse(FakeHub.Name));
        Assert.All(_bed.Hub.Server.Requests, request => Assert.Null(request.Token));
    }

    private void Silent(Exception error)
    {
        Assert.DoesNotContain(Secret, error.ToString());
        Assert.DoesNotContain(_bed.Log.Lines, line => line.Contains(Secret, StringComparison.Ordinal));
    }
}
