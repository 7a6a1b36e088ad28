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
        if (tensor.isfinite().all().item<bool>()) return tensor.MoveToOuterDisposeScope();
        throw new InvalidFileException(file.Path, $"'{info.Name}' ({info}) holds NaN or infinite numbers.",
            type == ScalarType.Float32 ? "The training behind it diverged, or the file is damaged: use another file."
            : $"Use another file, or compute in Float32 if {type} has no room for its numbers.");
    }
}
