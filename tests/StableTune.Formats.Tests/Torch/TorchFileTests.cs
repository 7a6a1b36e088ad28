namespace StableTune.Formats.Tests.Torch;

/// <summary>Files that torch wrote. The digests were computed from the same files with Python's own pickle and zipfile.</summary>
public sealed class TorchFileTests
{
    [Fact]
    public void Open_ZipForm_GivesNamesTypesShapesAndBytes()
    {
        using var file = TorchFile.Open(TorchFixtures.Zip);
        Assert.Equal(980, file.Tensors.Count);
        Assert.Equal("F16 [16, 4, 3, 3]", file["model.diffusion_model.input_blocks.0.0.weight"].ToString());
        Assert.Equal("model.diffusion_model.input_blocks.0.0.weight", file.Tensors[0].Name);
        Assert.Equal("7131f8d542384e1955db8ae190d7f2620167ff86977d424f8155c66a82c3a610", TorchFixtures.Digest(file));
        Assert.Null(file.Epoch);
        Assert.Empty(file.Metadata);
    }

    [Fact]
    public void Open_LegacyForm_GivesTheSameAndWhatStandsBeside()
    {
        using var file = TorchFile.Open(TorchFixtures.Legacy);
        Assert.Equal(1006, file.Tensors.Count);
        Assert.Equal("f98fff3d41a5b6ee4ca3e0f8c77f5182f506116290796e556fb4227b690d58fc", TorchFixtures.Digest(file));
        Assert.Equal((3L, 470000L), (file.Epoch, file.GlobalStep));
        Assert.Equal(["epoch", "global_step", "pytorch-lightning_version"], file.Metadata.Keys);
        Assert.Equal("1.4.2", file.Metadata["pytorch-lightning_version"]);
    }

    [Fact]
    public void Open_BothForms_HoldTheSameWeights()
    {
        using var zip = TorchFile.Open(TorchFixtures.Zip);
        using var legacy = TorchFile.Open(TorchFixtures.Legacy);
        Assert.All(zip.Tensors, tensor =>
        {
            var name = tensor.Name.Replace("transformer.text_model.", "transformer.", StringComparison.Ordinal);
            Assert.Equal(zip.Bytes(tensor), legacy.Bytes(name));
        });
    }

    [Fact]
    public void Root_TensorsBesideTheStateDictionary_CanBeRead()
    {
        using var file = TorchFile.Open(TorchFixtures.Legacy);
        var callback = file.Root.Get("callbacks").Get("ModelCheckpoint");
        Assert.Equal("'val/loss_simple_ema'", callback.Get("monitor").ToString());
        Assert.IsType<PickleNone>(callback.Get("dirpath"));
        var score = Assert.IsType<PickleTensor>(callback.Get("best_model_score"));
        Assert.Equal("F32 []", score.ToString());
        Assert.InRange(BitConverter.ToSingle(file.BytesOf(score)), 0.001f, 1f);
        Assert.DoesNotContain(file.Tensors, tensor => tensor.Name.Contains("score", StringComparison.Ordinal));
        var schedulers = Assert.IsType<PickleSequence>(file.Root.Get("lr_schedulers"));
        Assert.Equal("0.0001", Assert.IsType<PickleSequence>(schedulers[0].Get("_last_lr"))[0].ToString());
    }

    [Fact]
    public void Open_EmbeddingOfSdScripts_EqualsTheSafetensorsFile()
    {
        using var torch = TorchFile.Open(TorchFixtures.Embedding("embedding_saved.pt"));
        using var safe = SafetensorsFile.Open(TorchFixtures.Embedding("embedding_saved.safetensors"));
        Assert.Equal("emb_params: F32 [2, 48]", Assert.Single(torch.Tensors) is var tensor ? $"{tensor.Name}: {tensor}" : "");
        Assert.Equal(safe.Bytes("emb_params"), torch.Bytes("emb_params"));
    }

    [Fact]
    public void Root_EmbeddingOfTheWebInterface_IsReadWhole()
    {
        using var file = TorchFile.Open(TorchFixtures.Embedding("embedding_webui_style.pt"));
        using var safe = SafetensorsFile.Open(TorchFixtures.Embedding("embedding_saved.safetensors"));
        Assert.Empty(file.Tensors);
        Assert.Equal("265", file.Root.Get("string_to_token").Get("*").ToString());
        Assert.Equal("'sksdog'", file.Root.Get("name").ToString());
        Assert.Equal("5", file.Root.Get("step").ToString());
        Assert.Equal(safe.Bytes("emb_params"), file.BytesOf(file.Root.Get("string_to_param").Get("*")));
    }

    [Fact]
    public void TensorFile_TellsTheFormatByContent()
    {
        foreach (var path in new[] { TorchFixtures.Zip, TorchFixtures.Legacy, TorchFixtures.Embedding("embedding_saved.pt") })
            using (var file = TensorFile.Open(path)) Assert.IsType<TorchFile>(file);
        using var safe = TensorFile.Open(TorchFixtures.Embedding("embedding_saved.safetensors"));
        Assert.IsType<SafetensorsFile>(safe);
    }

    [Fact]
    public void Read_PiecesFromSeveralThreads_GiveTheWhole()
    {
        using var file = TorchFile.Open(TorchFixtures.Zip);
        Parallel.ForEach(file.Tensors, new ParallelOptions { MaxDegreeOfParallelism = 4 }, tensor =>
        {
            var whole = file.Bytes(tensor);
            var pieces = new byte[whole.Length];
            for (var at = 0; at < pieces.Length; at += 1000) file.Read(tensor, pieces.AsSpan(at, Math.Min(1000, pieces.Length - at)), at);
            Assert.Equal(whole, pieces);
        });
    }

    [Theory]
    [InlineData("zip")]
    [InlineData("legacy")]
    public unsafe void Lease_MapsTheBytes_BeyondTheFilesLife(string form)
    {
        using var file = TorchFile.Open(form == "zip" ? TorchFixtures.Zip : TorchFixtures.Legacy);
        var tensor = file.Tensors[5];
        var expected = file.Bytes(tensor);
        using var lease = file.Lease(tensor)!;
        if (form == "zip") Assert.Equal(0, lease.Pointer % 64);
        file.Dispose();
        Assert.Equal(expected, new ReadOnlySpan<byte>((void*)lease.Pointer, (int)lease.ByteCount).ToArray());
        Assert.Throws<ObjectDisposedException>(() => file.Lease(tensor));
        Assert.Throws<ObjectDisposedException>(() => file.Read(tensor, new byte[2]));
    }

    [Fact]
    public void Read_OutsideTheTensorOrOfAnotherFile_IsRefused()
    {
        using var file = TorchFile.Open(TorchFixtures.Zip);
        using var other = TorchFile.Open(TorchFixtures.Legacy);
        var tensor = file.Tensors[0];
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(tensor, new byte[tensor.ByteCount + 1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(tensor, new byte[2], tensor.ByteCount - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(tensor, [], -1));
        Assert.Throws<ArgumentException>(() => other.Read(tensor, new byte[2]));
        Assert.Throws<ArgumentException>(() => other.Read((PickleTensor)file.StateDictionary!.Get(tensor.Name), new byte[2]));
        Assert.Contains("instance 'model.diffusion_model", Assert.Throws<InvalidFileException>(() => file["none"]).Message);
    }
}
