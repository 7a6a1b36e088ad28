using System.Security.Cryptography;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>What tells two models apart: a few numbers of each weight. Reading them all would take longer than opening the model.</summary>
internal static class WeightDigest
{
    private const int NumbersOfEach = 16;

    /// <summary>SHA-256 of up to sixteen numbers of each tensor of a model, as hexadecimal digits. The same for the same weights, whatever
    /// device they are on.</summary>
    public static string Of(StableDiffusionModel model)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        List<nn.Module> parts = [.. model.TextEncoders];
        if (model.Parts.HasFlag(ModelParts.UNet)) parts.Add(model.UNet);
        if (model.Parts.HasFlag(ModelParts.Vae)) parts.Add(model.Vae);
        using var frozen = no_grad();
        foreach (var part in parts)
        {
            using var scope = NewDisposeScope();
            foreach (var weight in part.state_dict().OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => entry.Value))
            {
                using var inWeight = NewDisposeScope();
                var numbers = weight.detach().flatten();
                if (numbers.numel() > NumbersOfEach) numbers = numbers[TensorIndex.Slice(0, null, numbers.numel() / NumbersOfEach)];
                hash.AppendData(numbers.to(ScalarType.Float64).cpu().contiguous().bytes);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
