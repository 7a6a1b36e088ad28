using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Data;

/// <summary>
/// Text encoder outputs in files: sd-scripts' <c>frog_te_outputs.npz</c> beside each image, or safetensors in a folder, named by caption
/// and encoder. Both hold <c>hidden_state1</c>, SDXL's also <c>hidden_state2</c> and <c>pool2</c>.
/// </summary>
internal sealed class TextStore(TextIdentity identity, CacheOptions options)
{
    internal const string Ending = "_te_outputs.npz";

    private const string First = "hidden_state1", Second = "hidden_state2", Pool = "pool2",
        CaptionHash = "caption_hash", EncoderHash = "text_encoder_hash", ClipSkip = "clip_skip", TokenCount = "tokens";

    /// <summary>
    /// Files beside images that would have to hold several captions: one image may be trained with two, and two images may differ in the
    /// extension only.
    /// </summary>
    private HashSet<string> _contested = [];

    private string? Folder => options.Directory is { } folder ? Path.Combine(folder, "text") : null;

    /// <summary>The files that a caption has, or is to have.</summary>
    /// <param name="caption">The caption, as it is encoded.</param>
    /// <param name="images">The images with it.</param>
    internal IEnumerable<string> PathsOf(string caption, IEnumerable<string> images)
    {
        if (Folder is not { } folder)
            return images.Select(Beside).Select(path => _contested.Contains(Path.GetFullPath(path)) ? OfCaption(path, caption) : path);
        var key = Convert.ToHexStringLower(
            Hash(string.Create(CultureInfo.InvariantCulture,
            $"{identity.Hash}|{identity.ClipSkip ?? 0}|{identity.Tokens}|{caption}")))[..32];
        return [Path.Combine(folder, key[..2], key + ".safetensors")];
    }

    /// <summary>Looks which files would have to hold several captions; those are named after their captions.</summary>
    /// <param name="captions">All captions with the images that have them.</param>
    internal void Settle(IEnumerable<(string Caption, IEnumerable<string> Images)> captions) =>
        _contested = [.. from entry in captions
                         from path in entry.Images.Select(image => Path.GetFullPath(Beside(image))).Distinct()
                         group entry.Caption by path into sharing
                         where sharing.Distinct().Count() > 1
                         select sharing.Key];

    private static string Beside(string image) => Path.Combine(Path.GetDirectoryName(image) ?? "", Path.GetFileNameWithoutExtension(image)
        + Ending);

    private static string OfCaption(string path, string caption) =>
        Path.ChangeExtension(path, $".{Convert.ToHexStringLower(Hash(caption))[..12]}{Path.GetExtension(path)}");

    /// <summary>Looks whether a file serves a caption.</summary>
    internal CacheFinding Find(string path, string caption)
    {
        if (!File.Exists(path)) return new(CacheState.Missing, path);
        if (options.SkipCheck) return new(CacheState.Present, path);
        return CacheFinding.At(path, () =>
        {
            using var file = Open(path);
            var (fault, foreign) = Fault(file, caption);
            if (fault is not null) return new(CacheState.Stale, path, fault);
            Load(file);
            return new(CacheState.Present, path, Note: foreign
                ? "they do not say for which caption and model they were made, and are taken at their word; delete them if either changed"
                : null);
        });
    }

    /// <exception cref="InvalidFileException">The file is gone, damaged, or lacks what is needed.</exception>
    internal TextConditions Read(string path)
    {
        using var file = Open(path);
        var (states, pooled) = Load(file);
        using var scope = NewDisposeScope();
        var parts = states.Select(part => AlignedTensor.Of(part.Values, part.Values.Length / part.Width, part.Width)).ToArray();
        return new((parts.Length == 1 ? parts[0] : cat(parts, 1)).DetachFromDisposeScope(), pooled is null ? null
            : AlignedTensor.Of(pooled, pooled.Length).DetachFromDisposeScope());
    }

    /// <summary>Writes a file: complete or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="caption">The caption.</param>
    /// <param name="hiddenStates">[L, C], float32, in host memory.</param>
    /// <param name="pooled">[D], or null.</param>
    internal void Write(string path, string caption, Tensor hiddenStates, Tensor? pooled)
    {
        using var scope = NewDisposeScope();
        var arrays = new List<NpyArray>();
        if (identity.IsSdxl)
        {
            arrays.Add(Array(First, hiddenStates.narrow(1, 0, identity.FirstWidth)));
            arrays.Add(Array(Second, hiddenStates.narrow(1, identity.FirstWidth, hiddenStates.shape[1] - identity.FirstWidth)));
        }
        else arrays.Add(Array(First, hiddenStates));
        if (pooled is not null) arrays.Add(Array(Pool, pooled));
        arrays.Add(NpyArray.Of<byte>(CaptionHash, Hash(caption), 32));
        arrays.Add(NpyArray.Of<byte>(EncoderHash, Hash(identity.Hash), 32));
        arrays.Add(NpyArray.Of<long>(ClipSkip, [identity.ClipSkip ?? 0]));
        arrays.Add(NpyArray.Of<long>(TokenCount, [identity.Tokens]));
        if (Folder is null) NpzWriter.Write(path, arrays.Select(array => array.ToPayload()));
        else SafetensorsWriter.Write(path, arrays.Select(array => array.ToPayload()));
    }

    /// <summary>Why a file does not serve a caption, and whether it says nothing about where it comes from.</summary>
    private (string? Fault, bool Foreign) Fault(ITensorFile file, string caption)
    {
        string[] wanted = identity.IsSdxl ? [First, Second, Pool] : [First];
        foreach (var name in wanted)
            if (!file.TryGet(name, out _)) return ($"it lacks {name}", false);
        if (!identity.IsSdxl && file.TryGet(Second, out _)) return ("it was made for SDXL", false);
        if (!file.TryGet(CaptionHash, out var captionHash) || !file.TryGet(EncoderHash, out var encoderHash))
            return options.Validation == CacheValidation.Content ? ("it does not say for which caption it was made", true)
                : (TokensFault(file), true);
        if (!Bytes(file, captionHash).SequenceEqual(Hash(caption))) return ("the caption has changed", false);
        if (identity.Hash.Length > 0 && !Bytes(file, encoderHash).SequenceEqual(Hash(identity.Hash)))
            return ("another text encoder made it", false);
        if (Number(file, ClipSkip) != (identity.ClipSkip ?? 0)) return ("another clip skip was used", false);
        return Number(file, TokenCount) != identity.Tokens ? ("another token length was used", false) : (null, false);
    }

    private string? TokensFault(ITensorFile file) => file[First].Shape is [var length, _] && length == identity.Tokens ? null
        : "another token length was used";

    private (List<(float[] Values, long Width)> States, float[]? Pooled) Load(ITensorFile file)
    {
        var states = new List<(float[], long)>();
        foreach (var name in identity.IsSdxl ? new[] { First, Second } : [First])
        {
            var info = file[name];
            if (info.Shape is not [var length, > 0] || length < 1) throw Wrong(file, info);
            states.Add((Floats(file, info), info.Shape[1]));
        }

        if (states.Any(part => part.Item1.Length / part.Item2 != states[0].Item1.Length / states[0].Item2)) throw Wrong(file, file[Second]);
        return (states, file.TryGet(Pool, out var pool) ? pool.Shape.Count == 1 ? Floats(file, pool) : throw Wrong(file, pool) : null);
    }

    private static InvalidFileException Wrong(ITensorFile file, TensorInfo info) =>
        new(file.Path, $"{info.Name} is {info}, which is no text encoder output.", "Delete the file; it is made again.");

    private static float[] Floats(ITensorFile file, TensorInfo info) =>
        LatentStore.Floats(new NpyArray(info.Name, info.DType, info.Shape, Bytes(file, info)))
        ?? throw new InvalidFileException(file.Path, $"{info.Name} holds what is no finite floating-point number.",
            "Delete the file; it is made again.");

    private static byte[] Bytes(ITensorFile file, TensorInfo info)
    {
        if (info.ByteCount > int.MaxValue) throw Wrong(file, info);
        var bytes = new byte[info.ByteCount];
        file.Read(info, bytes);
        return bytes;
    }

    private static long? Number(ITensorFile file, string name) =>
        file.TryGet(name, out var info) && info is { DType: TensorDType.I64, ByteCount: sizeof(long) }
            ? BitConverter.ToInt64(Bytes(file, info)) : null;

    private static NpyArray Array(string name, Tensor values) =>
        new(name, TensorDType.F32, values.shape, values.contiguous().bytes.ToArray());

    private ITensorFile Open(string path) => Folder is null ? NpzFile.Open(path) : SafetensorsFile.Open(path);

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
