namespace StableTune.Tensors;

/// <summary>Finds NaN and infinities in tensors, which ruin everything that is computed with them.</summary>
public static class FiniteNumbers
{
    /// <summary>Says which numbers of a tensor are NaN or infinite.</summary>
    /// <param name="tensor">Any tensor; those of whole numbers, and those without memory, have none.</param>
    /// <returns>"3 of 4096 numbers are NaN or infinite, the first at [0, 5]"; null where all are finite.</returns>
    public static string? Fault(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (!tensor.dtype.IsFloat() || tensor.device.type == DeviceType.META || tensor.numel() == 0) return null;
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        // One pass without a temporary. A sum of finite numbers may overflow, so it only acquits.
        if (double.IsFinite(tensor.sum(type: ScalarType.Float32).ToDouble())) return null;
        var broken = tensor.isfinite().logical_not().flatten();
        var count = broken.sum().ToInt64();
        if (count == 0) return null;
        return $"{count} of {tensor.numel()} numbers {(count == 1 ? "is" : "are")} NaN or infinite, the first at " +
            $"[{string.Join(", ", Index(broken.to(ScalarType.Byte).argmax().ToInt64(), tensor.shape))}]";
    }

    /// <summary>The tensor itself, if all its numbers are finite.</summary>
    /// <param name="path">The file that it comes from.</param>
    /// <param name="name">Its name there.</param>
    /// <param name="tensor">The tensor.</param>
    /// <exception cref="InvalidFileException">Some numbers are NaN or infinite; the message counts them and names the first.</exception>
    public static Tensor Checked(string path, string name, Tensor tensor) => Fault(tensor) is not { } fault ? tensor
        : throw new InvalidFileException(path, $"the tensor '{name}' is broken: {fault}.",
            "The training that made it diverged, or the file was damaged: take an earlier save, or get the file again.");

    private static long[] Index(long flat, long[] shape)
    {
        var index = new long[shape.Length];
        for (var d = shape.Length - 1; d >= 0; d--) (flat, index[d]) = Math.DivRem(flat, shape[d]);
        return index;
    }
}
