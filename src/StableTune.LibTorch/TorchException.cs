using System.Text;
using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

/// <summary>libtorch refused a call. The message names the operator, what it was given, and libtorch's own reason.</summary>
public sealed class TorchException : Exception
{
    internal TorchException(string operation, string reason, string? inputs = null)
        : base(inputs is null ? $"{operation} failed: {reason}" : $"{operation} failed for ({inputs}): {reason}")
        => Operation = operation;

    /// <summary>The operator that failed, such as <c>aten::matmul</c>.</summary>
    public string Operation { get; }

    /// <summary>The inputs in a few words: dtypes and shapes of tensors, values of numbers.</summary>
    internal static string Describe(ReadOnlySpan<Argument> arguments)
    {
        var text = new StringBuilder();
        foreach (ref readonly var argument in arguments)
        {
            if (text.Length > 0) text.Append(", ");
            text.Append(Describe(argument));
        }
        return text.ToString();
    }

    private static string Describe(in Argument argument) => argument.Value.Tag switch
    {
        Tag.Tensor => Describe((Tensor)argument.Owner!),
        Tag.None => "none",
        Tag.Default => "default",
        Tag.Integer or Tag.Real or Tag.Boolean => argument.Value.ToScalar().ToString(),
        Tag.Integers => $"[{string.Join(", ", (long[])argument.Owner!)}]",
        Tag.Reals => FormattableString.Invariant($"{((double[])argument.Owner!).Length} numbers"),
        Tag.Tensors => DescribeList((Tensor?[])argument.Owner!),
        Tag.Text => '"' + Encoding.UTF8.GetString((byte[])argument.Owner!) + '"',
        var tag => tag.ToString(),
    };

    private static string Describe(Tensor? tensor)
        => tensor is null ? "none" : $"{tensor.dtype} [{string.Join(", ", tensor.shape)}]{(tensor.is_cpu() ? "" : " on " + tensor.device)}";

    private static string DescribeList(Tensor?[] tensors)
    {
        const int shown = 4;
        var some = string.Join("; ", tensors.Take(shown).Select(Describe));
        return tensors.Length > shown ? $"{tensors.Length} tensors: {some}; ..." : $"{tensors.Length} tensors: {some}";
    }
}
