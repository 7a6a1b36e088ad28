using StableTune.Adapters;

namespace StableTune.Training;

/// <summary>What is said of a network, as entries of a file's metadata.</summary>
internal static class NetworkRows
{
    /// <summary>The entries that even a file without training metadata carries.</summary>
    public static IEnumerable<(string Key, object? Value)> Minimum(this AdapterDescription network)
    {
        yield return ("ss_network_module", network.Module);
        yield return ("ss_network_dim", network.Dim);
        yield return ("ss_network_alpha", network.Alpha);
        if (network.Arguments.Count > 0) yield return ("ss_network_args", PythonRepr.Json(network.Arguments));
    }

    /// <summary>All entries.</summary>
    public static IEnumerable<(string Key, object? Value)> Rows(this AdapterDescription network) =>
        [.. network.Minimum(), ("ss_network_dropout", network.Dropout), ("ss_scale_weight_norms", network.ScaleWeightNorms)];
}
