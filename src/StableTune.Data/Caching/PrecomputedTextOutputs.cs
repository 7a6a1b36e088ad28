using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Data;

/// <summary>
/// Text encoder outputs that came with a data set, in files of sd-trainer: one <c>.npz</c> for each image, with
/// <c>encoder_hidden_state</c>, [L, C], and where the encoder pools <c>pooled_output</c>, [D].
/// </summary>
internal static class PrecomputedTextOutputs
{
    private const string States = "encoder_hidden_state", Pooled = "pooled_output", Option = "DatasetItem.TextOutputsPath",
        LeaveOut = "or encode the captions: leave the path out (SdTrainerSource.TakeTextOutputs = false)",
        Remedy = "Make it again with encoder_hidden_state, [L, C], and pooled_output, [D], " + LeaveOut + ".";

    private const long MostNumbers = 1 << 26;

    private static readonly PreparedFiles<Form> s_files = new(Option, "text encoder outputs", item => item.TextOutputsPath, Look, form =>
        form.ToString(),
        "make them for all images, " + LeaveOut, "make all with the same text encoder and token length, " + LeaveOut);

    /// <summary>Shapes of what a file holds: [L, C] and [D]; no D where nothing is pooled.</summary>
    internal readonly record struct Form(long Length, long Width, long? PooledWidth)
    {
        public override string ToString() =>
            $"states [{Length}, {Width}] and {(PooledWidth is { } width ? $"pooled ones [{width}]" : "no pooled ones")}";
    }

    /// <summary>
    /// The outputs of one batch, [B, L, C] and [B, D], float32, in the current dispose scope; null when captions are encoded.
    /// </summary>
    /// <exception cref="InvalidFileException">A file was removed or changed since the data set was built.</exception>
    internal static TextConditions? Collate(IReadOnlyList<TrainingSample> samples)
    {
        if (samples[0].Item.TextOutputsPath is not { } firstPath) return null;
        using var scope = NewDisposeScope();
        var (first, states, pooled) = (default(Form?), new List<Tensor>(), new List<Tensor>());
        foreach (var path in samples.Select(sample => sample.Item.TextOutputsPath!))
        {
            var (form, hidden, one) = Read(path);
            first ??= form;
            if (form != first) throw new InvalidFileException(path, $"it holds {form}, {firstPath} {first}.", Remedy);
            states.Add(tensor(hidden).reshape(form.Length, form.Width));
            if (one is not null) pooled.Add(tensor(one));
        }

        return new(stack(states).MoveToOuterDisposeScope(), pooled.Count == 0 ? null : stack(pooled).MoveToOuterDisposeScope());
    }

    /// <summary>The outputs of one image, row by row.</summary>
    /// <exception cref="InvalidFileException">The file is missing, damaged, or holds something else.</exception>
    internal static (Form Form, float[] States, float[]? Pooled) Read(string path)
    {
        using var file = NpzFile.Open(path);
        var form = Shapes(file);
        return (form, Numbers(file, States), form.PooledWidth is null ? null : Numbers(file, Pooled));
    }

    /// <summary>What is wrong with the outputs of a data set, and with options that ask for other texts from use to use.</summary>
    internal static IEnumerable<OptionProblem> Problems(IReadOnlyList<DatasetAssembly.Found> found) =>
    [
        .. found.Where(item => item.Item.TextOutputsPath is not null).Select(item => item.Captions).Distinct()
            .SelectMany(captions => captions.VaryingOptions).Distinct()
            .Select(varying => new OptionProblem(varying.Option, varying.Value,
                "text encoder outputs came with the images, and do not differ from use to use", "turn it off, " + LeaveOut)),
        .. s_files.Problems([.. found.Select(item => item.Item)]),
    ];

    /// <summary>Why a file does not serve a model; see <see cref="TextOutputCache.ValidatePrecomputed"/>.</summary>
    internal static IEnumerable<OptionProblem> Misfits(string? path, int width, int? pooledWidth)
    {
        if (path is null) return [];
        const string remedy = "make them with the text encoder of the model that is trained, " + LeaveOut;
        try
        {
            var form = Look(path);
            if (form.Width != width) return [new(Option, path, $"it holds {form}, the model attends to text of width {width}", remedy)];
            return pooledWidth is null || form.PooledWidth == pooledWidth ? []
                : [new(Option, path, $"it holds {form}, the model takes pooled text of width {pooledWidth}", remedy)];
        }
        catch (Exception e) when (FileProblems.IsAboutFiles(e))
        {
            return [FileProblems.Describe(Option, path, e)];
        }
    }

    private static Form Look(string path)
    {
        using var file = NpzFile.Open(path);
        return Shapes(file);
    }

    private static Form Shapes(NpzFile file)
    {
        if (!file.TryGet(States, out var states)) throw new InvalidFileException(file.Path, $"it holds no array \"{States}\".", Remedy);
        if (states.Shape is not [> 0 and <= MostNumbers, > 0 and <= MostNumbers] || states.Shape[0] > MostNumbers / states.Shape[1])
            throw Wrong(file, states, "one row of numbers for each token is");
        var isPooled = file.TryGet(Pooled, out var pooled);
        if (isPooled && pooled!.Shape is not [> 0 and <= MostNumbers]) throw Wrong(file, pooled, "one row of numbers is");
        foreach (var array in isPooled ? new[] { states, pooled! } : [states])
            if (array.DType is not (TensorDType.F16 or TensorDType.F32 or TensorDType.F64))
                throw Wrong(file, array, "floating-point numbers are");
        return new(states.Shape[0], states.Shape[1], pooled?.Shape[0]);
    }

    private static InvalidFileException Wrong(NpzFile file, TensorInfo info, string wanted) =>
        new(file.Path, $"{info.Name} is {info}, but {wanted} wanted.", Remedy);

    private static float[] Numbers(NpzFile file, string name) =>
        LatentStore.Floats(file.ReadArray(name)) ?? throw new InvalidFileException(file.Path, $"{name} holds a number that is not finite.",
            Remedy);
}
