using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>Loading for tools, which must not spread numbers that are none.</summary>
internal static class FiniteTensors
{
    /// <summary>Loads a tensor.</summary>
    /// <exception cref="InvalidFileException">It holds NaN or infinite numbers.</exception>
    public static Tensor LoadFinite(this WeightFile file, TensorInfo info, ScalarType type, Device? device = null)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var tensor = file.Load(info.Name, type, device);
        return FiniteNumbers.Checked(file.Path, info.Name, tensor).MoveToOuterDisposeScope();
    }
}
