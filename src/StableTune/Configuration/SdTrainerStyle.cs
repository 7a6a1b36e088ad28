using System.Globalization;
using StableTune.Adapters;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>What a file of sd-trainer says besides options.</summary>
/// <param name="Script">What is trained.</param>
/// <param name="Samples">The pictures that are drawn at each save; null for none.</param>
/// <param name="Further">Networks behind the first.</param>
internal sealed record SdTrainerRun(RunScript Script, SampleOptions? Samples, IReadOnlyList<AdapterTrainableOptions> Further);

/// <summary>sd-trainer's YAML files: <c>python main.py config.yaml</c>. A key is an option: <c>train.lr</c>.</summary>
internal static class SdTrainerStyle
{
    private const RunScript Whole = RunScript.FineTune;

    private static readonly StyleOption[] s_options =
    [
        Own("model.input_path", "pretrained_model_name_or_path"), Own("model.output_name", "output_name"), Own("model.v2", "v2"),
        Own("model.v_prediction", "v_parameterization"),
        Read("dataset.module", OptionKind.Text, "The class of the data set", "utils.dataset.BaseDataset"),
        Read("dataset.args.metadata", OptionKind.Text, "The list of sizes", "buckets.json"),
        Own("dataset.args.path", "sd_trainer_dir", "dataset"),
        Read("dataset.args.mask", OptionKind.Flag, "Masks weigh the loss"),
        Read("dataset.args.pfg", OptionKind.Flag, "Features of prompt-free generation"),
        Read("dataset.args.control", OptionKind.Flag, "Control images"), Own("dataset.args.prefix", "caption_prefix"),
        Own("dataset.args.prompt", "caption_text"), Own("dataset.args.ucg", "caption_dropout_rate", 0.0),
        Own("dataset.loader.args.num_workers", "max_data_loader_n_workers", 8),
        Read("save.module", OptionKind.Text, "The class that saves", "utils.save.BaseSaver"),
        Read("save.args.wandb_name", OptionKind.Text, "The project for Weights & Biases"),
        Own("save.args.over_write", "overwrite", true), Read("save.args.save_n_epochs", OptionKind.Integer, "Save every so many epochs", 1),
        Own("save.args.save_n_steps", "save_every_n_steps"),
        Read("save.args.image_logs", OptionKind.Text, "The folder of pictures", "image_logs"),
        Read("save.args.num_images", OptionKind.Integer, "Pictures at each save", 4),
        Read("save.args.resolution", OptionKind.Size, "Their size, width,height", new PixelSize(640, 896)),
        Read("save.args.prompt", OptionKind.Text, "Their prompt; captions of the batch when not given"),
        Read("save.args.negative_prompt", OptionKind.Text, "What they are not to show"),
        Read("save.args.seed", OptionKind.Long, "Their seed", 4545L), Own("train.train_unet", "train_unet", true),
        Read("train.train_encoder", OptionKind.Flag, "Train the text encoder too, or adapters on it"),
        Read("train.lr", OptionKind.Numbers, "One rate, or \"text encoder,UNet\"", new[] { 1e-5 }),
        Read("train.lr_scheduler", OptionKind.Text, "The schedule by name", "constant"), Own("train.epochs", "max_train_epochs", 10),
        Own("train.batch_size", "train_batch_size", 16),
        Read("train.amp", OptionKind.Text, "false, true for float16, or bfloat16", "bfloat16"),
        Own("train.gradient_checkpointing", "gradient_checkpointing"), Own("train.use_xformers", "xformers"),
        Own("train.seed", "seed", 4545L), Own("train.tome_ratio", "tome_ratio"),
        Own("feature.minibatch_repeat", "minibatch_repeat", 1), Own("feature.up_only", "up_only"),
        Own("feature.step_range", "step_range", (0.0, 1.0)), Own("feature.test_steps", "test_steps", -1),
        Own("optimizer.module", "optimizer_type", "torch.optim.AdamW"),
        Own("controlnet.resume", "controlnet_model_name_or_path"), Own("controlnet.train", "controlnet_train", true),
        Own("controlnet.global_average_pooling", "global_average_pooling"), Own("pfg.resume", "pfg_resume"),
        Own("pfg.train", "pfg_train", true), Own("pfg.args.input_size", "input_size"),
        Own("pfg.args.cross_attention_dim", "cross_attention_dim"), Own("pfg.args.num_tokens", "num_tokens"),
        Read("network.module", OptionKind.Text, "The kind of adapter", "networks.lora.LoRANetwork"), Own("network.train", "network_train",
            true),
        Own("network.resume", "network_weights"), Read("network.args.rank", OptionKind.Text, "The rank", "16"),
        new(new("network.args.conv_rank", OptionKind.Integer, "The rank of convolutions"), "network_args")
        {
            Convert = rank => new[] { $"conv_dim={rank}" },
        },
        Read("network.args.module", OptionKind.Text, "loha, for another algebra"),
    ];

    private static readonly Dictionary<string, StyleOption> s_byName =
        s_options.ToDictionary(option => option.Row.Name, StringComparer.Ordinal);

    /// <summary>The keys, for the help.</summary>
    public static IReadOnlyList<RunOption> Options { get; } = [.. s_options.Select(option => option.Row)];

    /// <summary>Whether there is such a key.</summary>
    public static bool Knows(string name) => s_byName.ContainsKey(name);

    /// <summary>The option of sd-scripts that a key sets; null where it is read in another way, or not at all.</summary>
    public static string? CanonicalOf(string name) => s_byName.GetValueOrDefault(name)?.Canonical;

    /// <summary>Reads a file, and keys that are given behind it, into options of the tables.</summary>
    /// <param name="arguments">The file, then <c>--train.lr 1e-4</c> and so on.</param>
    /// <param name="values">Takes the options.</param>
    /// <param name="networks">What names of networks stand for.</param>
    public static SdTrainerRun Read(
        IReadOnlyList<string> arguments, OptionValues values, Catalog<AdapterOptions> networks)
    {
        if (arguments.Count == 0 || arguments[0].StartsWith("--", StringComparison.Ordinal))
            throw new InvalidOptionsException([new("config", null, "sd-trainer's options stand in a YAML file", "name it first")]);
        var entries = YamlFile.Read(arguments[0]);
        var (given, optimizer) = (new OptionValues(Options), new List<string>());
        var further = new SdTrainerNetworks(Options);
        foreach (var (key, entry) in entries)
        {
            var (network, name) = further.Of(key);
            Take(arguments[0], name, entry, network ?? given, optimizer);
        }

        foreach (var typed in CommandLine.Read([.. arguments.Skip(1)], given.Problems))
        {
            if (s_byName.TryGetValue(typed.Name, out var option)) CommandLine.Set(given, option.Row, typed);
            else
                given.Problems.Add(OptionTable.Unknown(CommandLine.Origin, typed.Name, ReferenceStyle.SdTrainer, s_byName.Keys,
                    string.Join(' ', typed.Words)));
        }

        values.Problems.AddRange(given.Problems);
        var moreNetworks = further.Create(values, networks);
        bool Has(string section) => entries.Keys.Concat(given.Given.Select(value => value.Option.Name))
            .Any(key => key.StartsWith(section, StringComparison.Ordinal));
        // Several of them are trained together.
        var script = (Has("controlnet.") ? RunScript.ControlNet : RunScript.None)
            | (Has("network.") || Has("network[") ? RunScript.Network : RunScript.None);
        if (script == RunScript.None) script = Whole;
        foreach (var option in s_options.Where(option => option.Canonical is not null))
        {
            var value = given.Find(option.Row.Name);
            if (value is not null || (OptionTable.Of(option.Canonical!).Scripts & script) != 0) option.Set(values, value);
        }

        if (optimizer.Count > 0) Set(values, "optimizer_args", optimizer.ToArray());
        SdTrainerMeaning.Add(given, values, script, Has("pfg."), moreNetworks.Count(network => network.Trained));
        var samples = SdTrainerMeaning.Samples(given, values);
        if (Has("pfg.")) SdTrainerMeaning.PromptFree(given, values, hasSamples: samples is not null);
        return new SdTrainerRun(script, samples, moreNetworks);
    }

    /// <summary>Sets an option of the tables.</summary>
    public static void Set(OptionValues values, string name, object value) =>
        values.Set(new OptionValue(OptionTable.Of(name), value, "sd-trainer"));

    private static void Take(string path, string name, YamlEntry entry, OptionValues given, List<string> optimizer)
    {
        var origin = $"{path}: line {entry.Line}";
        if (name.StartsWith("optimizer.args.", StringComparison.Ordinal))
            optimizer.Add($"{name["optimizer.args.".Length..]}={Argument(entry.Value)}");
        else if (!s_byName.TryGetValue(name, out var option))
        {
            given.Problems.Add(OptionTable.Unknown(origin, name, ReferenceStyle.SdTrainer, s_byName.Keys,
                entry.Value.AsText ?? entry.Value.ToString()));
        }
        else if (Value(option.Row.Kind, entry.Value) is { } value) given.Set(new OptionValue(option.Row, value, origin));
        else
        {
            given.Problems.Add(new OptionProblem($"{origin}: {name}", entry.Value.AsText ?? entry.Value.ToString(),
                $"it must be {option.Row.Kind.Name}, and is {entry.Value.Describe()}", "write it so"));
        }
    }

    /// <summary>A text is also what looks like a number or a flag: <c>rank: 16</c>, <c>amp: true</c>.</summary>
    private static object? Value(OptionKind kind, TomlValue value) => kind.Read(value) ?? (kind != OptionKind.Text ? null
        : value.AsBoolean is { } flag ? flag ? "true" : "false"
        : value.AsInteger is { } whole ? whole.ToString(CultureInfo.InvariantCulture) : null);

    private static string Argument(TomlValue value) => value switch
    {
        _ when value.AsBoolean is { } flag => flag ? "True" : "False",
        _ when value.AsInteger is { } whole => whole.ToString(CultureInfo.InvariantCulture),
        _ when value.AsNumber is { } number => number.ToString("R", CultureInfo.InvariantCulture),
        TomlArray list => $"({string.Join(",", list.Select(Argument))})",
        // YAML reads 1e-2 as a text, Python's programs turn it into a number.
        _ => value.AsText ?? value.ToString()!,
    };

    private static StyleOption Own(string name, string canonical, object? usual = null)
    {
        var row = OptionTable.Of(canonical);
        return new StyleOption(new RunOption(name, row.Kind, row.Help) { Default = usual }, canonical);
    }

    private static StyleOption Read(string name, OptionKind kind, string help, object? usual = null) =>
        new(new RunOption(name, kind, help) { Default = usual }, null);
}
