namespace StableTune.Torch;

/// <summary>Makes tensors of numbers in libtorch's own memory.</summary>
public static class AlignedTensor
{
    /// <summary>
    /// A tensor that begins where libtorch lets tensors begin, at a multiple of 64 bytes. TorchSharp's <c>tensor(array)</c> lies in the
    /// array, wherever the collector has put that, and there matrix products differ in their last bits from run to run.
    /// </summary>
    /// <param name="values">The numbers in index order; copied.</param>
    /// <param name="shape">The sizes; their product is the number of values.</param>
    /// <returns>Float32, on the CPU, in the open dispose scope.</returns>
    /// <exception cref="ArgumentException">The shape holds another number of values.</exception>
    public static Tensor Of(ReadOnlySpan<float> values, params ReadOnlySpan<long> shape)
    {
        var result = empty(shape.ToArray(), dtype: ScalarType.Float32);
        if (result.numel() != values.Length)
        {
            result.Dispose();
            throw new ArgumentException(
                $"{values.Length} values do not fill the shape [{string.Join(", ", shape.ToArray())}].", nameof(shape));
        }

        values.CopyTo(result.Elements<float>());
        return result;
    }
}
