using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>YuNet, which finds faces in photographs: OpenCV's <c>face_detection_yunet</c> in an ONNX file.</summary>
/// <remarks>Wu et al., YuNet: a tiny millisecond-level face detector, Machine Intelligence Research 2023.</remarks>
public sealed record YuNetOptions : FaceNetworkOptions
{
    /// <summary>The model that is taken unless another is named.</summary>
    public const string DefaultModel = "opencv/face_detection_yunet/face_detection_yunet_2023mar.onnx";

    /// <summary>Options of <see cref="DefaultModel"/>.</summary>
    public YuNetOptions() : base(DefaultModel, new(MinScore: 0.9f, MaxOverlap: 0.3f, LongestSide: 1280)) { }

    internal override string UsualFile => "face_detection_yunet_2023mar.onnx";

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
    public YuNetDetector Load(IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        InvalidOptionsException.ThrowIfAny(Validate());
        return OnnxModel.Open(OnnxModelFiles.Find(this, progress, cancellationToken), this, Made);
    }

    private YuNetDetector Made(OnnxModel model)
    {
        var missing = YuNetDetector.OutputNames.Except(model.Outputs.Select(output => output.Name)).ToList();
        if (missing.Count > 0)
            throw model.Unfit($"it is no YuNet: it lacks the outputs {string.Join(", ", missing)}, and has "
                + $"{string.Join(", ", model.Outputs.Select(output => output.Name))}.", "Take face_detection_yunet_2023mar.onnx.");
        return new(new PictureNetwork(model, PictureInput.Of(model), PixelScaling.Bytes, bgr: true), this);
    }
}

/// <summary>Finds faces in photographs with YuNet; made by <see cref="YuNetOptions"/>.</summary>
public sealed class YuNetDetector : IFaceDetector, IDisposable
{
    private static readonly int[] s_strides = [8, 16, FaceBoxes.Coarsest];

    private readonly PictureNetwork _network;
    private readonly YuNetOptions _options;

    internal YuNetDetector(PictureNetwork network, YuNetOptions options) => (_network, _options) = (network, options);

    /// <summary>For each stride: how face-like a place is, whether it is the middle of something, its box, its eyes, nose and
    /// mouth.</summary>
    internal static IReadOnlyList<string> OutputNames { get; } =
        [.. from stride in s_strides from kind in (string[])["cls", "obj", "bbox", "kps"] select $"{kind}_{stride}"];

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The network failed.</exception>
    public IReadOnlyList<DetectedFace> Find(PixelImage image, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(image);
        var (picture, scale) = FaceBoxes.Shown(image.WithoutAlpha(), _network.Input, _options.LongestSide);
        var outputs = _network.Run([picture], OutputNames, null, cancellationToken);
        var found = new List<(float Score, DetectedFace Face)>();
        for (var i = 0; i < s_strides.Length; i++)
            Read(s_strides[i], picture.Size, scale, [.. outputs.Skip(4 * i).Take(4).Select(output => output.Pictures[0])], found);
        return FaceBoxes.Surest(found, _options.MaxOverlap);
    }

    /// <summary>Frees the network.</summary>
    public void Dispose() => _network.Dispose();

    /// <summary>The faces of one stride, in pixels of the image.</summary>
    private void Read(int stride, PixelSize size, double scale, float[][] outputs, List<(float Score, DetectedFace Face)> found)
    {
        var (columns, rows) = (size.Width / stride, size.Height / stride);
        var (faces, middles, boxes, points) = (outputs[0], outputs[1], outputs[2], outputs[3]);
        var places = columns * rows;
        if (faces.Length != places || middles.Length != places || boxes.Length != 4 * places || points.Length != 10 * places)
            throw new InvalidOperationException($"{_network.Model.Path}: for a picture of {size} and a stride of {stride} there should be "
                + $"{places} places, but the outputs have {faces.Length}, {middles.Length}, {boxes.Length} / 4 and {points.Length} / 10. "
                + "Take face_detection_yunet_2023mar.onnx.");
        for (var i = 0; i < places; i++)
        {
            var score = MathF.Sqrt(Math.Clamp(faces[i], 0, 1) * Math.Clamp(middles[i], 0, 1));
            if (!(score >= _options.MinScore)) continue;
            var (column, row, step) = (i % columns, i / columns, stride / scale);
            var box = boxes.AsSpan(4 * i, 4);
            var (width, height) = (Math.Exp(box[2]) * step, Math.Exp(box[3]) * step);
            found.Add((score, new(((column + box[0]) * step) - (width / 2), ((row + box[1]) * step) - (height / 2), width, height)
            {
                // The subject's right eye comes first: the left one for who looks at the picture.
                LeftEye = Point(0),
                RightEye = Point(1),
            }));

            (double X, double Y) Point(int number) => ((points[(10 * i) + (2 * number)] + column) * step,
                (points[(10 * i) + (2 * number) + 1] + row) * step);
        }
    }
}
