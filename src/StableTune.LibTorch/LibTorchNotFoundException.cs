namespace StableTune.LibTorch;

/// <summary>
/// The shim or libtorch could not be loaded, or they do not fit each other. The message says which file, which version was wanted
/// and found, and the command that mends it.
/// </summary>
public sealed class LibTorchNotFoundException : Exception
{
    internal LibTorchNotFoundException(string message) : base(message) { }
}
