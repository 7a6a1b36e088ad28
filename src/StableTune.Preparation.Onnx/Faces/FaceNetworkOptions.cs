namespace StableTune.Preparation;

/// <summary>A network that finds faces, in an ONNX file: <see cref="YuNetOptions"/> or <see cref="YoloFaceOptions"/>.</summary>
public abstract record FaceNetworkOptions : OnnxModelOptions
{
    private readonly FaceLimits _customary;

    /// <summary>Options of a model with what is customary for it.</summary>
    private protected FaceNetworkOptions(string model, FaceLimits customary)
    {
        _customary = customary;
        (Model, MinScore, MaxOverlap, LongestSide) = (model, customary.MinScore, customary.MaxOverlap, customary.LongestSide);
    }

    /// <summary>How sure the network must be of a face, in [0, 1]. Default 0.9 with YuNet, 0.25 with a YOLOv8.</summary>
    public float MinScore { get; init; }

    /// <summary>Of two faces that overlap by a larger share, the surer one is taken. In [0, 1], default 0.3 with YuNet, 0.7 with a
    /// YOLOv8.</summary>
    public float MaxOverlap { get; init; }

    /// <summary>
    /// Images are shrunk until their longer side has so many pixels, where the network takes any size. Default 1280 with YuNet, which then
    /// finds faces from about 10 pixels on, 640 with a YOLOv8.
    /// </summary>
    public int LongestSide { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (!(MinScore is >= 0 and <= 1))
            yield return Problem(MinScore, "a score lies in [0, 1]", FormattableString.Invariant($"{_customary.MinScore} is customary"));
        if (!(MaxOverlap is >= 0 and <= 1))
            yield return Problem(MaxOverlap, "a share lies in [0, 1]",
                FormattableString.Invariant($"{_customary.MaxOverlap} is customary"));
        if (LongestSide < FaceBoxes.Coarsest)
            yield return Problem(LongestSide, FormattableString.Invariant($"the network needs at least {FaceBoxes.Coarsest} pixels"),
                FormattableString.Invariant($"{_customary.LongestSide} is customary"));
    }
}

/// <summary>What is customary for a network of faces; see <see cref="FaceNetworkOptions"/>.</summary>
internal readonly record struct FaceLimits(float MinScore, float MaxOverlap, int LongestSide);
