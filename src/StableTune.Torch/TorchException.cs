using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>libtorch refused an operator or failed in it. The message names the operator, the shapes and types it was given, and
/// libtorch's reason.</summary>
public sealed class TorchException : Exception
{
    /// <summary>Creates the exception for an operator that failed.</summary>
    /// <param name="operation">What was called, such as <c>aten::matmul</c> or <c>Linear 320 to 1280</c>.</param>
    /// <param name="reason">libtorch's message; its C++ stack trace is left out.</param>
    /// <param name="arguments">The tensors that were given; null for an absent one.</param>
    public TorchException(string operation, string reason, params IEnumerable<Tensor?> arguments)
        : base($"{operation} failed for ({string.Join(", ", arguments.Select(Describe))}): {FirstLines(reason)}") => Operation = operation;

    /// <summary>Wraps what TorchSharp threw.</summary>
    /// <param name="operation">What was called.</param>
    /// <param name="inner">TorchSharp's exception.</param>
    /// <param name="arguments">The tensors that were given; null for an absent one.</param>
    public TorchException(string operation, ExternalException inner, params IEnumerable<Tensor?> arguments)
        : base($"{operation} failed for ({string.Join(", ", arguments.Select(Describe))}): {FirstLines(inner.Message)}", inner) =>
            Operation = operation;

    /// <summary>What was called.</summary>
    public string Operation { get; }

    /// <summary>Type and shape of a tensor as messages name it, such as <c>Float32 [2, 3]</c>.</summary>
    /// <param name="tensor">A tensor, or null for none.</param>
    public static string Describe(Tensor? tensor) =>
        tensor is null ? "none" : tensor.IsInvalid ? "a disposed tensor" : $"{tensor.dtype} [{string.Join(", ", tensor.shape)}]";

    /// <summary>libtorch's words without the C++ stack that follows them.</summary>
    internal static string FirstLines(string message)
    {
        var end = message.IndexOf("\nException raised from", StringComparison.Ordinal);
        return (end < 0 ? message : message[..end]).Trim();
    }
}
