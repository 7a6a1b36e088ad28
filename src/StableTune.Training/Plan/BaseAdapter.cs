using StableTune.Adapters;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Trainables;

namespace StableTune;

/// <summary>An adapter file that is merged into the model before anything is trained (sd-scripts: <c>base_weights</c>).</summary>
/// <param name="Path">The file, of any kind.</param>
/// <param name="Multiplier">How strongly it acts (<c>base_weights_multiplier</c>).</param>
public sealed record BaseAdapter(string Path, float Multiplier = 1f)
{
    /// <summary>What is wrong with it.</summary>
    internal IEnumerable<OptionProblem> Problems()
    {
        const string option = $"{nameof(TrainingPlan)}.{nameof(TrainingPlan.BaseAdapters)}";
        if (!File.Exists(Path))
            yield return new OptionProblem(option, Path, "there is no such file", "name an adapter file, or leave it out");
        if (!float.IsFinite(Multiplier))
            yield return new OptionProblem(option, Multiplier, "the multiplier must be a finite number", "1 is the adapter as trained");
    }

    /// <summary>What tells this change of a model from others, for caches: the file's content and the multiplier.</summary>
    internal string Identity() => FormattableString.Invariant($"{WeightHashes.OfFile(Path).Sha256} {Multiplier:R}");

    /// <summary>Merges the file into the parts of the model that are loaded.</summary>
    /// <param name="model">The model.</param>
    /// <param name="keepOriginals">Whether disposing of the result puts the model's own weights back.</param>
    internal IDisposable MergeInto(StableDiffusionModel model, bool keepOriginals)
    {
        var network = AdapterNetwork.FromFile(Path, ModelHosts.Of(model), Multiplier);
        try
        {
            network.Merge(keepOriginals);
            return keepOriginals ? new Unmerging(network) : network;
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    private sealed class Unmerging(AdapterNetwork network) : IDisposable
    {
        public void Dispose()
        {
            network.Unmerge();
            network.Dispose();
        }
    }
}
