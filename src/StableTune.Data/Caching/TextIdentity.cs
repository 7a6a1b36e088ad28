namespace StableTune.Data;

/// <summary>What cached text encoder outputs depend on. Known without the text encoder's weights, so that a run that finds all outputs
/// never loads it.</summary>
public sealed record TextIdentity
{
    /// <summary>Names the encoder's weights and whatever else decides what it makes of a caption; empty where that is not known, so that
    /// another encoder is not noticed.</summary>
    public string Hash { get; init; } = "";

    /// <summary>Whether there are two encoders and a pooled output: the states then are in files <c>hidden_state1</c>,
    /// <c>hidden_state2</c> and <c>pool2</c>.</summary>
    public bool IsSdxl { get; init; }

    /// <summary>Channels of the first encoder's states; needed where there are two.</summary>
    public int FirstWidth { get; init; }

    /// <summary>Which layer is used, counted from the end; null for the one that the model says.</summary>
    public int? ClipSkip { get; init; }

    /// <summary>Places of a caption, start and end included: 77, 152, 227. Default 77.</summary>
    public int Tokens { get; init; } = 77;
}
