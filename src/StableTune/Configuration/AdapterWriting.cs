using System.Globalization;
using StableTune.Adapters;
using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>The module and arguments that stand for an adapter: found by making what they stand for, and comparing.</summary>
internal static class AdapterWriting
{
    /// <summary>Writes the options of an adapter; refuses what they cannot say.</summary>
    public static void Write(RunWriter writer, AdapterTrainableOptions trainable)
    {
        var (kind, dropout) = (trainable.Adapter, (trainable.Adapter as FactoredAdapterOptions)?.Dropout ?? 0);
        var (rank, alpha) = Size(kind);
        foreach (var module in writer.Catalogs.Networks.Names)
        {
            if (writer.Catalogs.Networks.Create(module).GetType() != kind.GetType()) continue;
            // First in the reference's words, with algo; else under the catalogue's own name.
            var (name, arguments) = Named(module, trainable, splits: true);
            if (!IsSame(writer, name, rank, alpha, dropout, arguments, trainable))
                (name, arguments) = Named(module, trainable, splits: false);
            if (!IsSame(writer, name, rank, alpha, dropout, arguments, trainable)) continue;
            writer.Write("network_module", name);
            if (rank is { } dim) writer.Write("network_dim", dim);
            writer.Write("network_alpha", alpha ?? 1.0);
            if (dropout > 0) writer.Write("network_dropout", dropout);
            if (arguments.Count > 0)
                writer.Write("network_args", arguments.Select(argument => $"{argument.Key}={argument.Value}").ToArray());
            return;
        }

        writer.Refuse("AdapterTrainableOptions.Adapter", kind);
    }

    private static (int? Rank, double? Alpha) Size(AdapterOptions kind) => kind switch
    {
        FactoredAdapterOptions factored => (factored.Rank, factored.Alpha),
        OftOptions oft => (oft.Blocks, oft.Constraint),
        DiagOftOptions oft => (oft.Rank, null),
        BoftOptions boft => (boft.Rank, null),
        _ => (null, null),
    };

    private static (string Module, OrderedDictionary<string, string> Arguments) Named(
        string module, AdapterTrainableOptions trainable, bool splits)
    {
        var arguments = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        var slash = splits ? module.IndexOf('/', StringComparison.Ordinal) : -1;
        if (slash > 0) arguments["algo"] = module[(slash + 1)..];
        if (slash > 0 && LyCorisPresets.All.Names.FirstOrDefault(name => name != "full"
            && LyCorisPresets.All.Create(name).Equals(trainable.Adapter.Layers)) is { } preset) arguments["preset"] = preset;
        if (trainable.Adapter is FactoredAdapterOptions factored) Factored(arguments, factored, isLyCoris: slash > 0);
        if (trainable.Adapter is LyCorisOftOptions oft)
        {
            if (oft.Constraint != 0) Ratio("constraint", oft.Constraint);
            if (oft.Rescaled) arguments["rescaled"] = "True";
        }

        if (trainable.BlockRates is { } blocks)
        {
            Curve("down_lr_weight", blocks.Down);
            Curve("mid_lr_weight", blocks.Mid);
            Curve("up_lr_weight", blocks.Up);
            if (blocks.ZeroThreshold != 0) Ratio("block_lr_zero_threshold", blocks.ZeroThreshold);
        }

        Ratio("loraplus_lr_ratio", trainable.UpRatio);
        Ratio("loraplus_unet_lr_ratio", trainable.UNetUpRatio);
        Ratio("loraplus_text_encoder_lr_ratio", trainable.TextEncoderUpRatio);
        return (slash > 0 ? module[..slash] : module, arguments);

        void Curve(string name, BlockCurve? curve)
        {
            if (curve is not null) arguments[name] = curve.ToString();
        }

        void Ratio(string name, double? ratio)
        {
            if (ratio is { } given) arguments[name] = given.ToString("R", CultureInfo.InvariantCulture);
        }
    }

    private static void Factored(OrderedDictionary<string, string> arguments, FactoredAdapterOptions kind, bool isLyCoris)
    {
        if (kind.ConvRank is { } rank) arguments["conv_dim"] = Text(rank);
        else if (!isLyCoris && kind.Layers.Convolutions) arguments["conv_dim"] = Text(kind.Rank);
        if (kind.ConvAlpha is { } alpha) arguments["conv_alpha"] = Text(alpha);
        if (kind.RankDropout > 0) arguments["rank_dropout"] = Text(kind.RankDropout);
        if (kind.ModuleDropout > 0) arguments["module_dropout"] = Text(kind.ModuleDropout);
        List("block_dims", kind.BlockRanks?.Select(item => Text(item)));
        List("block_alphas", kind.BlockAlphas?.Select(item => Text(item)));
        List("conv_block_dims", kind.ConvBlockRanks?.Select(item => Text(item)));
        List("conv_block_alphas", kind.ConvBlockAlphas?.Select(item => Text(item)));
        Flag("use_tucker", kind.UseTucker);
        Flag("use_scalar", kind.UseScalar);
        Flag("rs_lora", kind.RankStabilized);
        Flag("dora_wd", kind.WeightDecompose);
        if (kind.DecomposeOutputs is { } outputs) arguments["wd_on_out"] = outputs ? "True" : "False";
        if (kind is LoKrOptions lokr)
        {
            if (lokr.Factor != new LoKrOptions().Factor) arguments["factor"] = Text(lokr.Factor);
            Flag("decompose_both", lokr.DecomposeBoth);
            Flag("full_matrix", lokr.FullMatrix);
            Flag("unbalanced_factorization", lokr.Unbalanced);
        }

        if (kind is DyLoRAOptions dylora) arguments[isLyCoris ? "block_size" : "unit"] = Text(dylora.Unit);

        void Flag(string name, bool on)
        {
            if (on) arguments[name] = "True";
        }

        void List(string name, IEnumerable<string>? items)
        {
            if (items is not null) arguments[name] = string.Join(',', items);
        }
    }

    private static bool IsSame(RunWriter writer, string module, int? rank, double? alpha, double dropout,
        IReadOnlyDictionary<string, string> arguments, AdapterTrainableOptions trainable)
    {
        try
        {
            var made = NetworkModules.Create(module, rank, alpha, dropout > 0 ? dropout : null, arguments, writer.Catalogs.Networks);
            return !PlanComparison.Differences(made.Adapter, trainable.Adapter).Any()
                && !PlanComparison.Differences(made.BlockRates, trainable.BlockRates).Any();
        }
        catch (Exception fault) when (fault is ArgumentException or FormatException or InvalidOptionsException)
        {
            return false;                                                    // not this module
        }
    }

    private static string Text(IFormattable number) => number.ToString(null, CultureInfo.InvariantCulture);
}
