using Microsoft.ML.OnnxRuntime;
using StableTune.Imaging;
using StableTune.Models;

namespace StableTune.Preparation;

/// <summary>CLIPSeg, which masks what words name, in an ONNX file with the inputs <c>pixel_values</c>, <c>input_ids</c> and
/// <c>attention_mask</c>, as Optimum exports it.</summary>
/// <remarks>
/// Lüddecke and Ecker, Image Segmentation Using Text and Image Prompts, CVPR 2022, arXiv:2112.10003. Images are resized by Pillow's
/// bicubic, where transformers takes its bilinear.
/// </remarks>
public sealed record ClipSegOptions : OnnxModelOptions
{
    /// <summary>What is masked; at least one. Of several, a place counts as it does for the one that fits it best.</summary>
    public IReadOnlyList<string> Prompts { get; init; } = [];

    /// <summary>From which probability on a place counts wholly, and below not at all, in [0, 1]; null leaves probabilities. Default
    /// 0.3.</summary>
    public float? Threshold { get; init; } = 0.3f;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Prompts.Count == 0 || Prompts.Any(string.IsNullOrWhiteSpace))
            yield return Problem(string.Join("; ", Prompts), "words say what is masked", "give for instance \"a face\"", nameof(Prompts));
        if (Threshold is { } threshold && !(threshold is >= 0 and <= 1))
            yield return Problem(Threshold, "a probability lies in [0, 1]", "0.3 is customary");
    }

    /// <summary>Opens the source of masks, and downloads it where it is missing.</summary>
    /// <param name="progress">Told of downloads.</param>
    /// <param name="cancellationToken">Ends a download.</param>
    /// <returns>The source; the caller frees it.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work, or ONNX Runtime refuses what
    /// <see cref="OnnxModelOptions.Configure"/> sets.</exception>
    /// <exception cref="InvalidFileException">The model is missing, damaged, or of another kind.</exception>
    /// <exception cref="Hub.HubException">The hub has no such model, or was not reached.</exception>
    /// <exception cref="NotSupportedException">ONNX Runtime's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ClipSegMasks Load(IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        InvalidOptionsException.ThrowIfAny(Validate());
        var prompts = Prompts.Select(ClipTokenizer.Sd1().Encode).ToList();
        var longest = Prompts.Zip(prompts).MaxBy(prompt => prompt.Second.Length);
        if (longest.Second.Length > ClipTokenizer.ChunkLength)
            throw new InvalidOptionsException([Problem(longest.First, $"it has {longest.Second.Length} tokens, at most "
                + $"{ClipTokenizer.ChunkLength} are possible", "say it in fewer words", nameof(Prompts))]);
        return OnnxModel.Open(OnnxModelFiles.Find(this, progress, cancellationToken), this, model => Made(model, prompts));
    }

    private ClipSegMasks Made(OnnxModel model, IReadOnlyList<int[]> prompts)
    {
        var input = PictureInput.Of(model);
        foreach (var name in new[] { ClipSegMasks.Ids, ClipSegMasks.Attention })
            if (!model.Inputs.Any(other => other.Name == name && other.Shape.Count == 2))
                throw model.Unfit($"it is no CLIPSeg: it has no input {name}, but {string.Join("; ", model.Inputs)}.",
                    "Take an export with pixel_values, input_ids and attention_mask.");
        return new(new PictureNetwork(model, input, OnnxMasks.ImageNet, bgr: false), prompts, Threshold);
    }
}

/// <summary>Masks of what words name; made by <see cref="ClipSegOptions"/>.</summary>
public sealed class ClipSegMasks : IMaskSource, IDisposable
{
    internal const string Ids = "input_ids", Attention = "attention_mask";
    private const int UsualSize = 352;

    private readonly PictureNetwork _network;
    private readonly IReadOnlyList<int[]> _prompts;
    private readonly float? _threshold;

    internal ClipSegMasks(PictureNetwork network, IReadOnlyList<int[]> prompts, float? threshold) =>
        (_network, _prompts, _threshold) = (network, prompts, threshold);

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The network failed.</exception>
    public IReadOnlyList<PixelImage?> Masks(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(images);
        if (images.Count == 0) return [];
        var shown = OnnxMasks.Resized(images, _network.Input, UsualSize, Interpolation.PillowBicubic);
        var output = _network.Model.Outputs[0].Name;
        var answers = _prompts.Select(prompt => _network.Run(shown, [output], count => Texts(prompt, count), cancellationToken)[0])
            .ToList();
        var size = OnnxMasks.SizeOf(_network.Model, answers[0]);
        return [.. images.Select((image, i) => Mask(answers.ConvertAll(answer => answer.Pictures[i]), size, image.Size))];
    }

    /// <summary>Frees the network.</summary>
    public void Dispose() => _network.Dispose();

    /// <summary>The prompt for each of some images, padded where the network wants a fixed length.</summary>
    private IReadOnlyList<(string Name, OrtValue Value)> Texts(int[] prompt, int count)
    {
        var length = Math.Max(prompt.Length, _network.Model.Inputs.First(input => input.Name == Ids).Shape[1]);
        var (ids, attention) = (new long[count * length], new long[count * length]);
        for (var i = 0; i < ids.Length; i++)
        {
            var at = i % length;
            (ids[i], attention[i]) = at < prompt.Length ? (prompt[at], 1) : (prompt[^1], 0);
        }

        return [(Ids, OrtValue.CreateTensorValueFromMemory(ids, [count, length])),
            (Attention, OrtValue.CreateTensorValueFromMemory(attention, [count, length]))];
    }

    private PixelImage? Mask(List<float[]> logits, PixelSize size, PixelSize image)
    {
        var shares = logits[0];
        foreach (var other in logits.Skip(1))
            for (var i = 0; i < shares.Length; i++) shares[i] = Math.Max(shares[i], other[i]);
        OnnxMasks.Sigmoid(shares);
        var mask = OnnxMasks.Of(shares, size, image, Interpolation.Bilinear, _threshold);
        return _threshold is not null && !mask.Pixels.AsSpan().ContainsAnyExcept((byte)0) ? null : mask;
    }
}
