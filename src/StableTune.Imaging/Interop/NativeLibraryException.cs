namespace StableTune.Imaging;

/// <summary>The native part of the picture code, or OpenCV below it, cannot be loaded; the message says where it was sought and what mends it.</summary>
public sealed class NativeLibraryException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was sought where, and what to do.</param>
    /// <param name="inner">The loader's own error.</param>
    public NativeLibraryException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}
