using StableTune.Weights;

namespace StableTune.Adapters;

/// <summary>The hashes that adapter files carry, by which web interfaces find their pages again.</summary>
internal static class AdapterHashes
{
    /// <summary>The metadata with <c>sshs_model_hash</c> and <c>sshs_legacy_hash</c> of the file that would be written.</summary>
    /// <remarks>
    /// Hashed is the file with the <c>ss_</c> entries alone. Where there is a model specification, <c>modelspec.hash_sha256</c>
    /// is added, which the specification asks for and the reference leaves out.
    /// </remarks>
    public static Dictionary<string, string> Added(IReadOnlyDictionary<string, string>? metadata, IReadOnlyList<(string, Tensor)> tensors,
        ScalarType? dtype)
    {
        var all = new Dictionary<string, string>(metadata ?? new Dictionary<string, string>(), StringComparer.Ordinal);
        var counted = all.Where(entry => entry.Key.StartsWith("ss_", StringComparison.Ordinal)).ToDictionary(StringComparer.Ordinal);
        var hashes = StateDictWriter.Hash(tensors, counted, dtype);
        all["sshs_model_hash"] = hashes.Model;
        all["sshs_legacy_hash"] = hashes.Legacy;
        if (all.ContainsKey("modelspec.sai_model_spec")) all["modelspec.hash_sha256"] = "0x" + hashes.Model;
        return all;
    }
}
