using StableTune.Adapters;

namespace StableTune.Trainables;

/// <summary>
/// Adapters by the names and arguments of sd-scripts' commands: <c>--network_module</c>, <c>--network_dim</c>, <c>--network_args</c>. A
/// host registers kinds of its own, or names their type.
/// </summary>
public static class NetworkModules
{
    private const string LyCoris = "lycoris.kohya";

    /// <summary>
    /// The modules by name, each as a kind with its defaults: <c>networks.lora</c>, <c>networks.lora_fa</c>, <c>networks.dylora</c>,
    /// <c>networks.oft</c>, and <c>lycoris.kohya</c> with the algorithm after a slash (<c>lycoris.kohya/lokr</c>). A host adds its own by
    /// <see cref="Catalog{T}.With"/>.
    /// </summary>
    public static Catalog<AdapterOptions> Default { get; } = new Catalog<AdapterOptions>("network module")
        .With("networks.lora", () => new LoRAOptions())
        .With("networks.lora_fa", () => new LoRAFAOptions())
        .With("networks.dylora", () => new DyLoRAOptions { AsSdScripts = true })
        .With("networks.oft", () => new OftOptions())
        .With(LyCoris + "/lora", () => new LoRAOptions())
        .With(LyCoris + "/locon", () => new LoRAOptions())
        .With(LyCoris + "/loha", () => new LoHaOptions())
        .With(LyCoris + "/lokr", () => new LoKrOptions())
        .With(LyCoris + "/dylora", () => new DyLoRAOptions())
        .With(LyCoris + "/glora", () => new GLoRAOptions())
        .With(LyCoris + "/full", () => new FullDifferenceOptions())
        .With(LyCoris + "/diag-oft", () => new DiagOftOptions())
        .With(LyCoris + "/boft", () => new BoftOptions())
        .With(LyCoris + "/ia3", () => new IA3Options());

    /// <summary>Makes the options that a module and its arguments stand for.</summary>
    /// <param name="module">A name of <paramref name="modules"/>, or an assembly-qualified name of a type derived from
    /// <see cref="AdapterOptions"/>.</param>
    /// <param name="rank"><c>network_dim</c>; null for the kind's default.</param>
    /// <param name="alpha"><c>network_alpha</c>; null for the kind's default.</param>
    /// <param name="dropout"><c>network_dropout</c>; null for none.</param>
    /// <param name="arguments"><c>network_args</c> by their names; null for none.</param>
    /// <param name="modules">The known modules; null for <see cref="Default"/>.</param>
    /// <exception cref="ArgumentException">The module is not known, or the type is no kind of adapter.</exception>
    /// <exception cref="FormatException">An argument is not known for this module, or its value cannot be read; the message names
    /// it.</exception>
    public static AdapterTrainableOptions Create(string module, int? rank = null, double? alpha = null, double? dropout = null,
        IReadOnlyDictionary<string, string>? arguments = null, Catalog<AdapterOptions>? modules = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(module);
        var given = new NetworkArguments(module, arguments ?? new Dictionary<string, string>());
        var isLyCoris = module == LyCoris;
        var name = isLyCoris ? $"{LyCoris}/{given.Text("algo") ?? "lora"}" : module;
        var kind = KindOf(name, modules ?? Default);
        var preset = isLyCoris ? PresetOf(given, kind) : null;
        if (preset is not null) kind = kind with { Layers = preset.Layers };
        kind = WithSize(kind, rank, (float?)alpha, dropout);
        kind = kind is FactoredAdapterOptions factored ? Factored(factored, given, isLyCoris) : Others(kind, given);
        AdapterRule[] others =
        [
            .. given.Flag("train_norm") == true ? [new AdapterRule(new NormOptions())] : Array.Empty<AdapterRule>(),
            .. preset?.Kinds.Select(other => RuleOf(other, rank, alpha, dropout)) ?? [],
        ];
        if (others.Length > 0)
            kind = new MixedAdapterOptions { Parts = kind.Parts, Layers = kind.Layers, Rules = [.. others, new AdapterRule(kind)] };
        var trainable = new AdapterTrainableOptions
        {
            Adapter = kind, UpRatio = given.Number("loraplus_lr_ratio"), UNetUpRatio = given.Number("loraplus_unet_lr_ratio"),
            TextEncoderUpRatio = given.Number("loraplus_text_encoder_lr_ratio"),
            BlockRates = BlockRates.Parse(given.Text("down_lr_weight"), given.Text("mid_lr_weight"), given.Text("up_lr_weight"),
                given.Number("block_lr_zero_threshold") ?? 0),
        };
        given.ThrowIfUnread();
        return trainable;
    }

    /// <summary>A preset by its name, or in a TOML file.</summary>
    private static LyCorisPresetFile PresetOf(NetworkArguments given, AdapterOptions kind)
    {
        var name = given.Text("preset") ?? (kind is IA3Options ? "ia3" : "full");
        return name.EndsWith(".toml", StringComparison.OrdinalIgnoreCase) ? LyCorisPresetFile.Read(name)
            : new LyCorisPresetFile(LyCorisPresets.All.Create(name), []);
    }

    /// <summary>The kind that a preset gives some of the layers, with a rank and an alpha of its own where it says so.</summary>
    private static AdapterRule RuleOf(LyCorisPresetFile.KindOf kind, int? rank, double? alpha, double? dropout)
    {
        var own = new NetworkArguments("the preset", kind.Arguments);
        var (dim, strength) = (own.Integer("dim") ?? rank, own.Number("alpha") ?? alpha);
        var others = kind.Arguments.Where(argument => argument.Key is not ("dim" or "alpha"))
            .ToDictionary(argument => argument.Key, argument => argument.Value);
        return new AdapterRule(Create(LyCoris, dim, strength, dropout, others).Adapter)
        {
            Classes = kind.Class is { } name ? [name] : null, Pattern = kind.Pattern,
        };
    }

    private static AdapterOptions KindOf(string name, Catalog<AdapterOptions> modules)
    {
        if (modules.Contains(name) || !name.Contains(',', StringComparison.Ordinal)) return modules.Create(name);
        var type = Type.GetType(name, throwOnError: false)
            ?? throw new ArgumentException(
                $"There is no type \"{ShortText.Of(name)}\": name it with its assembly, \"Namespace.Type, Assembly\".");
        return typeof(AdapterOptions).IsAssignableFrom(type) && Activator.CreateInstance(type) is AdapterOptions options ? options
            : throw new ArgumentException($"{type.FullName} is no kind of adapter: it must derive from {typeof(AdapterOptions).FullName}.");
    }

    private static AdapterOptions WithSize(AdapterOptions kind, int? rank, float? alpha, double? dropout) => kind switch
    {
        FactoredAdapterOptions factored => factored with
        {
            Rank = rank ?? factored.Rank, Alpha = alpha ?? factored.Alpha, Dropout = dropout ?? factored.Dropout,
        },
        OftOptions oft => oft with { Blocks = rank ?? oft.Blocks, Constraint = alpha ?? oft.Constraint },
        DiagOftOptions oft => oft with { Rank = rank ?? oft.Rank },
        BoftOptions boft => boft with { Rank = rank ?? boft.Rank },
        _ => kind,
    };

    private static AdapterOptions Factored(FactoredAdapterOptions kind, NetworkArguments given, bool isLyCoris)
    {
        var tucker = given.Flag("use_tucker") ?? given.Flag("use_cp") ?? given.Flag("use_conv_cp") ?? false;
        kind = kind with
        {
            Dropout = given.Number("dropout") ?? kind.Dropout, RankDropout = given.Number("rank_dropout") ?? 0,
            ModuleDropout = given.Number("module_dropout") ?? 0, BlockRanks = given.Integers("block_dims"),
            BlockAlphas = given.Numbers("block_alphas"), ConvBlockRanks = given.Integers("conv_block_dims"),
            ConvBlockAlphas = given.Numbers("conv_block_alphas"), UseTucker = tucker, UseScalar = given.Flag("use_scalar") ?? false,
            RankStabilized = given.Flag("rs_lora") ?? false, WeightDecompose = given.Flag("dora_wd") ?? false,
            DecomposeOutputs = given.Flag("wd_on_out"),
        };
        kind = Convolutions(kind, given, isLyCoris);
        // As text it switches nothing, in the reference too.
        _ = given.Text("disable_conv_cp");
        return kind switch
        {
            LoKrOptions lokr => lokr with
            {
                Factor = given.Integer("factor") ?? lokr.Factor, DecomposeBoth = given.Flag("decompose_both") ?? false,
                FullMatrix = given.Flag("full_matrix") ?? false, Unbalanced = given.Flag("unbalanced_factorization") ?? false,
            },
            DyLoRAOptions dylora => dylora with { Unit = given.Integer(isLyCoris ? "block_size" : "unit") ?? (isLyCoris ? 4 : 1) },
            _ => kind,
        };
    }

    /// <summary>
    /// sd-scripts adapts larger kernels where <c>conv_dim</c> is given, with an alpha of 1; LyCORIS where its preset says so, with rank and
    /// alpha of the linear layers.
    /// </summary>
    private static FactoredAdapterOptions Convolutions(FactoredAdapterOptions kind, NetworkArguments given, bool isLyCoris)
    {
        var (rank, alpha) = (given.Integer("conv_dim"), (float?)given.Number("conv_alpha"));
        if (isLyCoris)
            return rank == 0 ? kind with { Layers = kind.Layers with { Convolutions = false } }
                : kind with { ConvRank = rank, ConvAlpha = alpha };
        if (rank is null && kind.ConvBlockRanks is null) return kind;
        var layers = LayerSelection.SdScriptsWithConvolutions;
        return rank == 0 ? kind with { Layers = layers with { Convolutions = false } }
            : kind with { Layers = layers, ConvRank = rank, ConvAlpha = rank is null ? alpha : alpha ?? 1 };
    }

    private static AdapterOptions Others(AdapterOptions kind, NetworkArguments given)
    {
        if (kind is OftOptions oft)
            return oft with
            {
                Layers = given.Flag("enable_conv") == true ? LayerSelection.SdScriptsWithConvolutions
                    : given.Flag("enable_all_linear") == true ? LayerSelection.SdScripts : oft.Layers,
            };
        return kind is not LyCorisOftOptions lycoris ? kind : lycoris with
        {
            Constraint = (float?)given.Number("constraint") ?? lycoris.Constraint, Rescaled = given.Flag("rescaled") ?? false,
        };
    }
}
