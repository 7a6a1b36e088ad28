namespace StableTune.Formats;

/// <summary>The dictionaries in which tensors are saved.</summary>
public enum TorchLayout
{
    /// <summary>A plain dictionary of tensors: what adapters and embeddings are (.pt).</summary>
    Dictionary,

    /// <summary>A <c>collections.OrderedDict</c> of tensors: the state dictionary of a module (.bin of diffusers and
    /// transformers).</summary>
    OrderedDictionary,

    /// <summary>A dictionary with the entry <c>state_dict</c>, a plain dictionary of tensors: single-file models (.ckpt).</summary>
    Checkpoint,
}

/// <summary>
/// Writes files that torch.load reads (.ckpt, .pt, .bin), in the zip form. Each tensor has a storage of its own. Tensors are streamed one
/// after another; equal content gives equal files. Types for which torch has no storage class (8-bit floats, U16, U32, U64) need torch 2.3
/// or newer to be read.
/// </summary>
public static class TorchWriter
{
    /// <summary>Writes tensors: the file is complete or absent, see <see cref="AtomicFile"/>.</summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="tensors">The tensors, in the order that the dictionary shall have.</param>
    /// <param name="layout">The dictionary they stand in.</param>
    /// <param name="entries">What else the outermost dictionary shall hold, behind the tensors: for instance <c>epoch</c> and
    /// <c>global_step</c>.</param>
    /// <exception cref="ArgumentException">A name occurs twice, a shape is impossible, or an entry cannot be written.</exception>
    /// <exception cref="InvalidOperationException">A tensor wrote more or fewer bytes than its shape takes.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, IEnumerable<TensorPayload> tensors, TorchLayout layout = TorchLayout.Dictionary,
        IEnumerable<KeyValuePair<string, PickleValue>>? entries = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var names = new HashSet<string>(StringComparer.Ordinal);
        IEnumerable<KeyValuePair<string, PickleValue>> named = tensors
            .Select(tensor => KeyValuePair.Create<string, PickleValue>(tensor.Name, PickleTensor.From(tensor)));
        if (layout == TorchLayout.Checkpoint)
            named = [KeyValuePair.Create<string, PickleValue>("state_dict", new PickleDictionary(Unique(named, [])))];
        Write(path, new PickleDictionary(Unique(named.Concat(entries ?? []), names), ordered: layout == TorchLayout.OrderedDictionary));
    }

    /// <summary>Writes any value: nested dictionaries, lists, texts, numbers, and tensors made with
    /// <see cref="PickleTensor.From"/>.</summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="root">The value.</param>
    /// <exception cref="ArgumentException">The value holds what cannot be written: records, sets, names, or tensors of another
    /// file.</exception>
    /// <exception cref="InvalidOperationException">A tensor wrote more or fewer bytes than its shape takes.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, PickleValue root)
    {
        ArgumentNullException.ThrowIfNull(root);
        var (pickle, storages) = PickleWriter.Write(root);
        AtomicFile.Write(path, stream => Write(stream, pickle, storages));
    }

    private static void Write(Stream stream, byte[] pickle, IReadOnlyList<TensorPayload> storages)
    {
        var zip = new TorchZipWriter(stream);
        Add(zip, "data.pkl", pickle);
        Add(zip, "byteorder", "little"u8);
        for (var i = 0; i < storages.Count; i++)
        {
            var payload = storages[i];
            var size = TensorInfo.SizeOf(payload.DType, payload.Shape)!.Value;       // PickleTensor.From has seen to it
            zip.Add($"archive/data/{i}", size, target =>
            {
                var counted = new CountingStream(target, payload.Name, size);
                payload.Write(counted);
                counted.CheckComplete();
            });
        }

        Add(zip, "version", "3\n"u8);
        zip.Finish();
    }

    private static void Add(ZipWriter zip, string name, ReadOnlySpan<byte> content)
    {
        var bytes = content.ToArray();
        zip.Add($"archive/{name}", bytes.Length, stream => stream.Write(bytes));
    }

    private static IEnumerable<KeyValuePair<string,
        PickleValue>> Unique(IEnumerable<KeyValuePair<string, PickleValue>> entries, HashSet<string> names)
    {
        foreach (var entry in entries)
            yield return names.Add(entry.Key) ? entry
                : throw new ArgumentException($"Two entries are named '{entry.Key}'; names must be unique.", nameof(entries));
    }
}
