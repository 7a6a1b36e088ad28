using System.Globalization;
using StableTune.Adapters;
using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>sd-trainer's networks: later versions have a list of them, which are trained, or applied, together.</summary>
/// <param name="rows">The keys of sd-trainer.</param>
internal sealed class SdTrainerNetworks(IReadOnlyList<RunOption> rows)
{
    private const string List = "network[", Lora = "networks.lora";
    private const int UsualConvolutionAlpha = 1;

    private readonly SortedDictionary<int, OptionValues> _further = [];

    /// <summary>Where a key belongs, and what it is called there: those of further networks are taken here, all others by the
    /// run.</summary>
    /// <param name="key">The key, such as <c>network[1].args.rank</c>.</param>
    /// <returns>The options of a further network, or null for the run's; and the key without its place.</returns>
    public (OptionValues? Network, string Name) Of(string key)
    {
        var end = key.IndexOf(']', StringComparison.Ordinal);
        if (!key.StartsWith(List, StringComparison.Ordinal)
            || !int.TryParse(key.AsSpan(List.Length, end - List.Length), CultureInfo.InvariantCulture, out var place)) return (null, key);
        OptionValues? network = null;
        if (place > 0 && !_further.TryGetValue(place, out network)) _further.Add(place, network = new OptionValues(rows));
        return (network, "network" + key[(end + 1)..]);
    }

    /// <summary>The networks behind the first.</summary>
    /// <param name="run">Takes what is wrong.</param>
    /// <param name="catalog">What names stand for.</param>
    public List<AdapterTrainableOptions> Create(OptionValues run, Catalog<AdapterOptions> catalog)
    {
        var made = new List<AdapterTrainableOptions>();
        foreach (var given in _further.Values)
        {
            run.Problems.AddRange(given.Problems);
            var module = Module(given, run.Problems);
            if (Rank(given, run.Problems) is not { } rank) continue;
            var convolutions = given.Get<int>("network.args.conv_rank");
            var arguments = convolutions is { } size
                ? new OrderedDictionary<string, string> { ["conv_dim"] = size.ToString(CultureInfo.InvariantCulture) } : [];
            if (run.Try("network_module", "correct network.module", () =>
                NetworkModules.Create(module, rank, UsualConvolutionAlpha, null, arguments, catalog)) is not { } network) continue;
            made.Add(network with { InitialWeights = given.Text("network.resume"), Trained = given.Flag("network.train") });
        }

        return made;
    }

    /// <summary>The module as sd-scripts calls it.</summary>
    public static string Module(OptionValues given, List<OptionProblem> problems)
    {
        var (module, algebra) = (given.Text("network.module")!, given.Text("network.args.module"));
        switch (module, algebra)
        {
            case ("networks.lora.LoRANetwork", null or "lora"): return Lora;
            case ("networks.lora.LoRANetwork", "loha"): return "lycoris.kohya/loha";
            case (_, null): return module;
            default:
                problems.Add(given.Find("network.args.module")!.Problem("it is not understood", "give loha, or leave it out"));
                return Lora;
        }
    }

    /// <summary>The rank; null, with a problem, where it is no number.</summary>
    public static int? Rank(OptionValues given, List<OptionProblem> problems)
    {
        if (int.TryParse(given.Text("network.args.rank"), CultureInfo.InvariantCulture, out var rank)) return rank;
        problems.Add(given.Find("network.args.rank")!.Problem("it is not understood", "give a whole number"));
        return null;
    }
}
