using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Trainables;

namespace StableTune;

/// <summary>An adapter file that is merged into the model before anything is trained (sd-scripts: <c>base_weights</c>).</summary>
/// <param name="Path">The file, of any kind.</param>
/// <param name="Multiplier">How strongly it acts (<c>base_weights_multiplier</c>).</param>
public sealed record BaseAdapter(string Path, float Multiplier = 1f)
{
    private const string Option = $"{nameof(TrainingPlan)}.{nameof(TrainingPlan.BaseAdapters)}";

    /// <summary>What is wrong with it, whatever the model.</summary>
    internal IEnumerable<OptionProblem> Problems()
    {
        if (!File.Exists(Path))
            yield return new OptionProblem(Option, Path, "there is no such file", "name an adapter file, or leave it out");
        if (!float.IsFinite(Multiplier))
            yield return new OptionProblem(Option, Multiplier, "the multiplier must be a finite number", "1 is the adapter as trained");
    }

    /// <summary>What is wrong with it on this model.</summary>
    /// <param name="model">The model, which may be on <c>META</c>.</param>
    internal IEnumerable<OptionProblem> FitProblems(StableDiffusionModel model) =>
        File.Exists(Path) ? AdapterFileCheck.Problems(Path, ModelHosts.Of(model), Option) : [];

    /// <summary>What tells this change of a model from others, for caches: the file's content and the multiplier.</summary>
    internal string Identity() => FormattableString.Invariant($"{WeightHashes.OfFile(Path).Sha256} {Multiplier:R}");

    /// <summary>Merges the file into the parts of the model that are loaded, for good.</summary>
    /// <param name="model">The model.</param>
    internal void MergeInto(StableDiffusionModel model)
    {
        using var network = AdapterNetwork.FromFile(Path, ModelHosts.Of(model), Multiplier);
        network.Merge();
    }

    /// <summary>Merges the file into the parts of the model that are loaded, until the result is disposed.</summary>
    /// <param name="model">The model.</param>
    internal IDisposable LendTo(StableDiffusionModel model)
    {
        var network = AdapterNetwork.FromFile(Path, ModelHosts.Of(model), Multiplier);
        try
        {
            network.Merge(keepOriginals: true);
            return new Loan(network);
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    private sealed class Loan(AdapterNetwork network) : IDisposable
    {
        public void Dispose()
        {
            network.Unmerge();
            network.Dispose();
        }
    }
}
