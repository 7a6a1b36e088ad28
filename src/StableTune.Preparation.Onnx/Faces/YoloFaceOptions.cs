using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>A YOLOv8 that finds faces, for instance in drawings: an ONNX file with one output [N, 4 + classes, places]. It knows no
/// eyes.</summary>
public sealed record YoloFaceOptions : FaceNetworkOptions
{
    /// <summary>The model that is taken unless another is named; it finds faces in drawings.</summary>
    public const string DefaultModel = "deepghs/anime_face_detection/face_detect_v1.4_s/model.onnx";

    /// <summary>Options of <see cref="DefaultModel"/>.</summary>
    public YoloFaceOptions() : base(DefaultModel, new(MinScore: 0.25f, MaxOverlap: 0.7f, LongestSide: 640)) { }

    /// <summary>Opens the detector, and downloads it where it is missing.</summary>
    /// <param name="progress">Told of downloads.</param>
    /// <param name="cancellationToken">Ends a download.</param>
    /// <returns>The detector; the caller frees it.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work, or ONNX Runtime refuses what
    /// <see cref="OnnxModelOptions.Configure"/> sets.</exception>
    /// <exception cref="InvalidFileException">The model is missing, damaged, or of another kind.</exception>
    /// <exception cref="Hub.HubException">The hub has no such model, or was not reached.</exception>
    /// <exception cref="NotSupportedException">ONNX Runtime's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public YoloFaceDetector Load(IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        InvalidOptionsException.ThrowIfAny(Validate());
        return OnnxModel.Open(OnnxModelFiles.Find(this, progress, cancellationToken), this, Made);
    }

    private YoloFaceDetector Made(OnnxModel model)
    {
        // 4 numbers of a box and at least one class; a network with places second is an earlier YOLO.
        if (model.Outputs is not [{ Shape: [_, < 1 or (> 4 and < 1000), _] }])
            throw model.Unfit($"it is no YOLOv8: its outputs are {string.Join("; ", model.Outputs)}.",
                "Take an export with one output [N, 4 + classes, places].");
        var input = PictureInput.Of(model);
        var scaling = model.Graph.Normalises(input.Value.Name) ? PixelScaling.Bytes : PixelScaling.Unit;
        return new(new PictureNetwork(model, input, scaling, bgr: false), this);
    }
}

/// <summary>Finds faces with a YOLOv8; made by <see cref="YoloFaceOptions"/>.</summary>
public sealed class YoloFaceDetector : IFaceDetector, IDisposable
{
    private const int Box = 4;

    private readonly PictureNetwork _network;
    private readonly YoloFaceOptions _options;

    internal YoloFaceDetector(PictureNetwork network, YoloFaceOptions options) => (_network, _options) = (network, options);

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The network failed.</exception>
    public IReadOnlyList<DetectedFace> Find(PixelImage image, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(image);
        var (picture, scale) = FaceBoxes.Shown(image.WithoutAlpha(), _network.Input, _options.LongestSide);
        var output = _network.Run([picture], [_network.Model.Outputs[0].Name], null, cancellationToken)[0];
        if (output.Shape is not [> Box, _])
            throw new InvalidOperationException(
                $"{_network.Model.Path}: its output is [{string.Join(", ", output.Shape)}] for an image, "
                    + "and not [4 + classes, places]. Take an export of YOLOv8.");
        var (rows, places, values) = (output.Shape[0], output.Shape[1], output.Pictures[0]);
        var found = new List<(float Score, DetectedFace Face)>();
        for (var i = 0; i < places; i++)
        {
            var score = values[(Box * places) + i];
            for (var row = Box + 1; row < rows; row++) score = Math.Max(score, values[(row * places) + i]);
            if (!(score >= _options.MinScore)) continue;
            var (width, height) = (values[(2 * places) + i] / scale, values[(3 * places) + i] / scale);
            found.Add((score, new((values[i] / scale) - (width / 2), (values[places + i] / scale) - (height / 2), width, height)));
        }

        return FaceBoxes.Surest(found, _options.MaxOverlap);
    }

    /// <summary>Frees the network.</summary>
    public void Dispose() => _network.Dispose();
}
