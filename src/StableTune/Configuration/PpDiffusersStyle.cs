using StableTune.Imaging;

namespace StableTune.Configuration;

/// <summary>ppdiffusers' and diffusers' command lines: their names, their defaults.</summary>
internal static class PpDiffusersStyle
{
    private static readonly StyleOption[] s_options =
    [
        Same("pretrained_model_name_or_path"), Same("revision"), Same("variant"), Same("tokenizer_name"),
        Same("instance_data_dir"), Same("instance_prompt"), Same("class_data_dir"), Same("class_prompt"), Same("with_prior_preservation"),
        Same("prior_loss_weight"), Same("num_class_images"), Same("sample_batch_size"), Same("prior_generation_precision"),
        Own("output_dir", OptionKind.Text, "The folder of the result", "dreambooth-model"),
        Same("seed"), Own("resolution", OptionKind.Integer, "Side of the training images", 512),
        Own("height", OptionKind.Integer, "Height of the training images"),
        Own("width", OptionKind.Integer, "Width of the training images"),
        Same("center_crop"), Other("random_flip", "flip_aug"), Same("train_text_encoder"), Same("train_batch_size", 4),
        Own("num_train_epochs", OptionKind.Integer, "Passes over all images, unless max_train_steps is given", 1),
        Own("max_train_steps", OptionKind.Integer, "Optimizer steps; wins over num_train_epochs"),
        Other("save_steps", "save_every_n_steps", 500, "checkpointing_steps"), Same("gradient_accumulation_steps"),
        Same("gradient_checkpointing"), Same("learning_rate", 5e-6), Same("scale_lr"),
        Own("lr_scheduler", OptionKind.Text, "The schedule by name", "constant"),
        Own("lr_warmup_steps", OptionKind.Integer, "Steps in which the rate rises; constant has none", 500),
        Other("lr_num_cycles", "lr_scheduler_num_cycles", 1.0), Other("lr_power", "lr_scheduler_power", 1.0),
        Same("adam_beta1", 0.9), Same("adam_beta2", 0.999), Same("adam_weight_decay", 1e-2), Same("adam_epsilon", 1e-8),
        Same("max_grad_norm", 1.0), Same("use_8bit_adam"), Same("mixed_precision"),
        Other("enable_xformers_memory_efficient_attention", "xformers"), Same("push_to_hub"),
        Other("hub_token", "huggingface_token"), Other("hub_model_id", "huggingface_repo_id"),
        Own("logging_dir", OptionKind.Text, "The folder of logs, in output_dir", "logs"),
        new(new("report_to", OptionKind.Text, "The tracker") { Aliases = ["writer_type"], Default = "tensorboard" }, null),
        Own("dataloader_num_workers", OptionKind.Integer, "Threads that prepare images; 0 for none", 0),
        Other("gpus", "gpu_ids"), Other("rank", "network_dim", 4, "lora_rank"), Same("train_data_dir"),
        Other("placeholder_token", "token_string"), Other("initializer_token", "init_word"), Other("num_vectors", "num_vectors_per_token"),
        Same("learnable_property", "object"), Same("proportion_empty_prompts"),
    ];

    private static readonly Dictionary<string, StyleOption> s_byName = s_options
        .SelectMany(option => option.Row.Aliases.Prepend(option.Row.Name).Select(name => (name, option)))
        .ToDictionary(pair => pair.name, pair => pair.option, StringComparer.Ordinal);

    /// <summary>The options, for the help.</summary>
    public static IReadOnlyList<RunOption> Options { get; } = [.. s_options.Select(option => option.Row)];

    /// <summary>Whether there is such an option.</summary>
    public static bool Knows(string name) => s_byName.ContainsKey(name);

    /// <summary>The option of sd-scripts that one of these sets; null where it is read in another way, or not at all.</summary>
    public static string? CanonicalOf(string name) => s_byName.GetValueOrDefault(name)?.Canonical;

    /// <summary>Reads a command line into options of the tables.</summary>
    public static void Read(IReadOnlyList<string> arguments, OptionValues values, RunScript script)
    {
        var given = new OptionValues(Options);
        foreach (var typed in CommandLine.Read(arguments, given.Problems))
        {
            if (s_byName.TryGetValue(typed.Name, out var option)) CommandLine.Set(given, option.Row, typed);
            else
                given.Problems.Add(OptionTable.Unknown(CommandLine.Origin, typed.Name, ReferenceStyle.PpDiffusers, s_byName.Keys,
                    string.Join(' ', typed.Words)));
        }

        values.Problems.AddRange(given.Problems);
        foreach (var option in s_options.Where(option => option.Canonical is not null))
        {
            var value = given.Find(option.Row.Name);
            var canonical = OptionTable.Of(option.Canonical!);
            if (canonical.Scripts.HasFlag(script)) option.Set(values, value);
            else if (value is not null) values.Problems.Add(RunFile.OfAnother(value, script));
        }

        // Its images lie in the folder itself; the template's sentences are their captions.
        if (script == RunScript.TextualInversion && given.Text("train_data_dir") is { } images)
        {
            values.Remove("train_data_dir");
            Take(values, "instance_data_dir", images);
            Take(values, "instance_prompt", given.Text("placeholder_token") ?? "");
        }

        Sizes(given, values);
        Length(given, values);
        Schedule(given, values);
        Output(given, values, script);
        Uploads(given, values);
        if (given.Find("report_to") is { } report)
            values.Notes.Add($"{report.Origin}: report_to is {report.Value}: logs are written as TensorBoard's files, JSON lines and a "
                + "loss curve.");
        Take(values, "max_data_loader_n_workers", given.Get<int>("dataloader_num_workers")!.Value);
        // Without it the reference leaves the text encoder as it is.
        if ((script & (RunScript.DreamBooth | RunScript.FineTune)) != 0 && !given.Has("train_text_encoder"))
            Take(values, "train_text_encoder", false);
        if (script == RunScript.Network) Take(values, "network_module", "networks.lora");
    }

    /// <summary>The reference looks at the repository only where it uploads.</summary>
    private static void Uploads(OptionValues given, OptionValues values)
    {
        if (given.Flag("push_to_hub"))
        {
            if (!given.Has("hub_model_id"))
                Take(values, "huggingface_repo_id", HubArguments.NameOf(given.Text("output_dir")!, "ppdiffusers", values.Notes));
            return;
        }

        if (given.Find("hub_model_id") is not { } idle) return;
        values.Remove("huggingface_repo_id");
        values.Notes.Add($"{idle.Origin}: hub_model_id is {idle.Value}: it is not looked at without push_to_hub.");
    }

    /// <summary>The reference resizes to the whole resolution, whatever the shape.</summary>
    private static void Sizes(OptionValues given, OptionValues values)
    {
        var side = given.Get<int>("resolution")!.Value;
        Take(values, "resolution", new PixelSize(given.Get<int>("width") ?? side, given.Get<int>("height") ?? side));
        Take(values, "resize_mode", "squash");
    }

    private static void Length(OptionValues given, OptionValues values)
    {
        if (given.Get<int>("max_train_steps") is { } steps)
        {
            Take(values, "max_train_steps", steps);
            if (given.Find("num_train_epochs") is { } epochs)
                values.Notes.Add($"{epochs.Origin}: num_train_epochs is {epochs.Value}: it is not looked at, because max_train_steps is "
                    + $"{steps}.");
        }
        else Take(values, "max_train_epochs", given.Get<int>("num_train_epochs")!.Value);
    }

    /// <summary>diffusers' <c>constant</c> looks at no warm-up, and its default is 500 steps.</summary>
    private static void Schedule(OptionValues given, OptionValues values)
    {
        var name = given.Text("lr_scheduler")!;
        Take(values, "lr_scheduler", name);
        if (name != "constant") Take(values, "lr_warmup_steps", Warmup.Steps(given.Get<int>("lr_warmup_steps")!.Value));
        else if (given.Find("lr_warmup_steps") is { Value: > 0 } idle)
            values.Notes.Add($"{idle.Origin}: lr_warmup_steps is {idle.Value}: it is not looked at, because lr_scheduler is constant.");
    }

    private static void Output(OptionValues given, OptionValues values, RunScript script)
    {
        var folder = given.Text("output_dir")!;
        Take(values, "logging_dir", Path.Combine(folder, given.Text("logging_dir")!));
        Take(values, "save_names", "checkpoints");
        if ((script & (RunScript.DreamBooth | RunScript.FineTune)) == 0)
        {
            Take(values, "output_dir", folder);
            Take(values, "output_name", script switch
            {
                RunScript.Network => "pytorch_lora_weights",
                RunScript.ControlNet => "controlnet",
                _ => "learned_embeds",
            });
            if (script != RunScript.Network) Take(values, "save_model_as", "diffusers_safetensors");
            return;
        }

        var full = Path.TrimEndingDirectorySeparator(folder);
        Take(values, "output_dir", Path.GetDirectoryName(full) is { Length: > 0 } parent ? parent : ".");
        Take(values, "output_name", Path.GetFileName(full));
        Take(values, "save_model_as", "diffusers_safetensors");
    }

    private static void Take(OptionValues values, string name, object value) =>
        values.Set(new OptionValue(OptionTable.Of(name), value, "ppdiffusers"));

    private static StyleOption Same(string name, object? usual = null) => Other(name, name, usual);

    private static StyleOption Other(string name, string canonical, object? usual = null, params string[] aliases)
    {
        var row = OptionTable.Of(canonical);
        return new StyleOption(new RunOption(name, row.Kind, row.Help) { Aliases = aliases, Default = usual ?? row.Default }, canonical);
    }

    private static StyleOption Own(string name, OptionKind kind, string help, object? usual = null) =>
        new(new RunOption(name, kind, help) { Default = usual }, null);
}
