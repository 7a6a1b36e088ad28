using System.Text.Json;

namespace StableTune.Adapters.Tests;

/// <summary>A module of a reference whose tensors were recorded: its class, its arguments, and where its tensors are.</summary>
internal sealed record RecordedCase(string File, string Name, string Module, string Class, JsonElement Json)
{
    private const string Prefix = "lora_unet_test.";

    /// <summary>All cases of LyCORIS and sd-scripts.</summary>
    public static IReadOnlyList<RecordedCase> All { get; } = [.. Read("lycoris"), .. Read("sdscripts")];

    public static RecordedCase Find(string id) => All.Single(entry => entry.Id == id);

    /// <summary>What stands before the names of its tensors, and in which file: <c>lycoris:dora/conv3</c>.</summary>
    public string Id => $"{File}:{At}";

    public string At => $"{Name}/{Module}";

    public bool IsLycoris => File == "lycoris";

    public bool IsDora => Flag("weight_decompose");

    /// <summary>Whether a scalar is folded into what is saved.</summary>
    public bool HasScalar => Flag("use_scalar");

    public double Scale => Json.TryGetProperty("scale", out var scale) ? scale.GetDouble() : 1;

    public IEnumerable<string> SavedKeys => Json.GetProperty("saved_keys").EnumerateObject().Select(key => key.Name[Prefix.Length..]);

    public IEnumerable<(double Limit, bool IsScaled, double Norm)> NormLimits =>
        Json.TryGetProperty("scale_weight_norms", out var norms)
            ? norms.EnumerateObject().Select(entry => (double.Parse(entry.Name, System.Globalization.CultureInfo.InvariantCulture),
                entry.Value.GetProperty("scaled").GetBoolean(), entry.Value.GetProperty("norm_returned").GetDouble()))
            : [];

    /// <summary>The name of a recorded parameter in our adapter.</summary>
    public string OwnName(string parameter) => (Class.Split('.')[^1], parameter) switch
    {
        ("FullModule", "weight") => "diff",
        ("FullModule", "bias") => "diff_b",
        _ => parameter,
    };

    /// <summary>The options that its arguments say.</summary>
    public AdapterOptions Options
    {
        get
        {
            var layers = LayerSelection.Everything;
            AdapterOptions options = Class.Split('.')[^1] switch
            {
                "LoConModule" => Factored(new LoRAOptions()),
                "LoRAModule" when Class.Contains("lora_fa", StringComparison.Ordinal) => Factored(new LoRAFAOptions()),
                "LoRAModule" => Factored(new LoRAOptions()),
                "LohaModule" => Factored(new LoHaOptions()),
                "LokrModule" => Factored(new LoKrOptions
                {
                    Factor = (int)(Number("factor") ?? -1), DecomposeBoth = Flag("decompose_both"), FullMatrix = Flag("full_matrix"),
                    Unbalanced = Flag("unbalanced_factorization"),
                }),
                "GLoRAModule" => Factored(new GLoRAOptions()),
                "IA3Module" => new IA3Options { OnInput = Flag("train_on_input") ? ["."] : [] },
                "FullModule" => new FullDifferenceOptions(),
                "NormModule" => new NormOptions(),
                "DiagOFTModule" => new DiagOftOptions
                {
                    Rank = Dim, Constraint = (float)(Number("constraint") ?? 0), Rescaled = Flag("rescaled"),
                },
                "ButterflyOFTModule" => new BoftOptions
                {
                    Rank = Dim, Constraint = (float)(Number("constraint") ?? 0), Rescaled = Flag("rescaled"),
                },
                "OFTModule" => new OftOptions { Blocks = (int)Number("dim")!, Constraint = (float)Number("alpha")! },
                "DyLoraModule" => Factored(new DyLoRAOptions { Unit = (int)Number("block_size")! }),
                "DyLoRAModule" => Factored(new DyLoRAOptions { Unit = (int)Number("unit")!, AsSdScripts = true }),
                _ => throw new NotSupportedException($"{Class} of {Id}"),
            };
            return options with { Layers = layers };
        }
    }

    private int Dim => (int)(Number("lora_dim") ?? 4);

    private FactoredAdapterOptions Factored(FactoredAdapterOptions options) => options with
    {
        Rank = Dim,
        Alpha = Json.GetProperty("args").TryGetProperty("alpha", out var alpha)
            ? alpha.ValueKind == JsonValueKind.Null ? 0 : alpha.GetSingle() : 1,
        UseTucker = Flag("use_tucker"), UseScalar = Flag("use_scalar"), RankStabilized = Flag("rs_lora"),
        WeightDecompose = IsDora,
        DecomposeOutputs = IsDora ? !Json.GetProperty("args").TryGetProperty("wd_on_out", out var outputs) || outputs.GetBoolean() : null,
    };

    private bool Flag(string argument) => Argument(argument) is { ValueKind: JsonValueKind.True };

    private double? Number(string argument) => Argument(argument)?.GetDouble();

    private JsonElement? Argument(string name) =>
        Json.TryGetProperty("args", out var args) && args.TryGetProperty(name, out var value) ? value : null;

    private static IEnumerable<RecordedCase> Read(string file)
    {
        using var json = JsonDocument.Parse(System.IO.File.ReadAllBytes(Fixtures.Path("networks", $"{file}_cases.json")));
        return [.. json.RootElement.GetProperty("cases").EnumerateArray().Select(entry => new RecordedCase(file,
            entry.GetProperty("case").GetString()!, entry.GetProperty("module").GetString()!,
            entry.TryGetProperty("class", out var name) ? name.GetString()! : "networks.lora.LoRAModule", entry.Clone()))];
    }
}
