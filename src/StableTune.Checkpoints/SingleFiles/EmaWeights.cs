namespace StableTune;

/// <summary>Whether a checkpoint's averaged weights are taken. Some hold an exponential moving average (EMA) beside the weights of the
/// last step.</summary>
public enum EmaWeights
{
    /// <summary>The weights of the last step are taken.</summary>
    Ignore,

    /// <summary>The averaged weights are taken where the file has them.</summary>
    Prefer,
}
