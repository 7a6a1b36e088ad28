namespace StableTune.Torch;

/// <summary>The native part of TorchSharp (libtorch) is missing, does not fit, or lacks the device that was asked for.</summary>
/// <remarks>The message says what to do.</remarks>
public sealed class NativeBackendException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong, with which file or package, and what to do.</param>
    /// <param name="innerException">What the system or TorchSharp said; null when we found it ourselves.</param>
    public NativeBackendException(string message, Exception? innerException = null) : base(message, innerException)
    {
    }
}
