using StableTune.Imaging;
using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>Keys of sd-trainer that no single option stands for.</summary>
internal static class SdTrainerMeaning
{
    private const string Networks = "networks", Controls = "controlnet", Models = "models";
    private const string UsualDataset = "utils.dataset.BaseDataset", UsualSaver = "utils.save.BaseSaver";

    /// <summary>Sets what several keys say together, and what sd-trainer does without saying it.</summary>
    public static void Add(OptionValues given, OptionValues values, RunScript script, bool hasPfg, int furtherNetworks)
    {
        Dataset(given, values);
        Rates(given, values);
        Set(values, "mixed_precision", given.Text("train.amp") switch
        {
            "false" or "False" => "no",
            "true" or "True" or "float16" => "fp16",
            "bfloat16" => "bf16",
            _ => Wrong(given, values, "train.amp", "give false, true or bfloat16", "no"),
        });
        // It never clips gradients.
        Set(values, "max_grad_norm", 0.0);
        if (given.Flag("save.args.over_write")) Set(values, "save_names", "one-file");
        if (given.Get<int>("save.args.save_n_steps") is null && given.Get<int>("save.args.save_n_epochs") is > 0 and var epochs)
            Set(values, "save_every_n_epochs", epochs);
        if (given.Text("save.module") is { } saver && saver != UsualSaver)
            values.Problems.Add(given.Find("save.module")!.Problem("a class of a host's own cannot be named here",
                "add it in code with TrainerBuilder.SaveTo(saver)"));
        if (given.Find("save.args.wandb_name") is { } tracker)
            values.Notes.Add($"{tracker.Origin}: save.args.wandb_name has no effect: nothing is sent anywhere.");
        // Masks multiply prediction and target.
        Set(values, "squared_masks", true);
        Trained(given, values, script, hasPfg, furtherNetworks);
    }

    /// <summary>PFG beside what else is trained. Samples are like the first of the pictures.</summary>
    public static void PromptFree(OptionValues given, OptionValues values, bool hasSamples)
    {
        Set(values, "pfg", true);
        var folder = Path.Combine(given.Text("dataset.args.path") ?? "dataset", "pfg");
        if (!hasSamples || !Directory.Exists(folder)) return;
        var first = Directory.EnumerateFiles(folder, "*.npz").Order(StringComparer.Ordinal).FirstOrDefault();
        if (first is not null) Set(values, "pfg_sample_features", new[] { first });
    }

    /// <summary>The pictures that are drawn at each save; null for none.</summary>
    public static SampleOptions? Samples(OptionValues given, OptionValues values)
    {
        var (prompt, count) = (given.Text("save.args.prompt"), given.Get<int>("save.args.num_images")!.Value);
        if (count <= 0) return null;
        var (size, steps) = (given.Get<PixelSize>("save.args.resolution")!.Value, given.Get<int>("save.args.save_n_steps"));
        var how = new TextToImageOptions
        {
            NegativePrompt = given.Text("save.args.negative_prompt") ?? "", Width = size.Width, Height = size.Height,
            Seed = given.Get<long>("save.args.seed")!.Value,
        };
        return new SampleOptions
        {
            Folder = given.Text("save.args.image_logs"), Before = false, After = true, EveryNSteps = steps,
            EveryNEpochs = steps is null ? given.Get<int>("save.args.save_n_epochs") : null,
            // Without a prompt its pictures are those of the captions.
            Prompts = prompt is null ? [] : [how with { Prompt = prompt, ImageCount = count }],
            CaptionCount = prompt is null ? count : 0, Captions = how,
        };
    }

    private static void Dataset(OptionValues given, OptionValues values)
    {
        if (given.Text("dataset.module") is { } module && module != UsualDataset)
        {
            values.Set(new OptionValue(OptionTable.Of("dataset_class"), module, given.Find("dataset.module")!.Origin));
            Set(values, "train_data_dir", given.Text("dataset.args.path") ?? "dataset");
            Set(values, "sd_trainer_dir", "");
        }

        if (given.Find("dataset.args.metadata") is { } list && Path.GetFileName((string)list.Value) != "buckets.json")
            values.Problems.Add(list.Problem("the list of sizes is called buckets.json", "rename it"));
        foreach (var (key, folder) in new[] { ("dataset.args.mask", "mask"), ("dataset.args.control", "control"),
            ("dataset.args.pfg", "pfg") })
        {
            var path = Path.Combine(given.Text("dataset.args.path") ?? "dataset", folder);
            if (!given.Flag(key) && Directory.Exists(path))
                values.Notes.Add($"{key} is false, and {path} is there: what it holds is used. Move it away to train without.");
        }

        // Its prefix has no blank behind it.
        if (given.Has("dataset.args.prefix")) Set(values, "caption_prefix_separator", "");
    }

    /// <summary>One rate, or that of the text encoder and that of the UNet; a warm-up of 5 % that <c>constant</c> does not look
    /// at.</summary>
    private static void Rates(OptionValues given, OptionValues values)
    {
        var rates = (double[]?)given.Find("train.lr")?.Value ?? [1e-5];
        if (rates.Length > 2) values.Problems.Add(given.Find("train.lr")!.Problem("it is one rate, or two", "give \"text encoder,UNet\""));
        Set(values, "learning_rate", rates[^1]);
        if (rates.Length == 2) Set(values, "text_encoder_lr", new[] { rates[0] });
        var schedule = given.Text("train.lr_scheduler")!;
        Set(values, "lr_scheduler", schedule);
        if (schedule != "constant") Set(values, "lr_warmup_steps", Warmup.Ratio(0.05));
    }

    private static void Trained(
        OptionValues given, OptionValues values, RunScript script, bool hasPfg, int furtherNetworks)
    {
        var text = given.Flag("train.train_encoder");
        if (script.HasFlag(RunScript.Network))
        {
            Set(values, "network_module", SdTrainerNetworks.Module(given, values.Problems));
            if (SdTrainerNetworks.Rank(given, values.Problems) is { } rank) Set(values, "network_dim", rank);
            if (!text) Set(values, "network_train_unet_only", true);
        }
        else if (script == RunScript.FineTune) Set(values, "train_text_encoder", text);
        if (script != RunScript.FineTune && given.Find("train.train_unet") is { Value: true } whole)
            values.Notes.Add($"{whole.Origin}: train.train_unet is true: the model's own weights stay as they are where a network or a "
                + "ControlNet is trained.");

        (string Folder, bool IsTrained)[] kinds =
        [
            (Networks, script.HasFlag(RunScript.Network) && given.Flag("network.train")),
            .. Enumerable.Repeat((Networks, true), furtherNetworks),
            (Controls, script.HasFlag(RunScript.ControlNet) && given.Flag("controlnet.train")),
            ("pfg", hasPfg && given.Flag("pfg.train")),
            (Models, script == RunScript.FineTune && (text || given.Flag("train.train_unet"))),
        ];
        Results(values, [.. kinds.Where(kind => kind.IsTrained).Select(kind => kind.Folder)]);
    }

    /// <summary>Each kind has a folder of its own, in its usual form; of several, each is one file.</summary>
    private static void Results(OptionValues values, string[] folders)
    {
        Set(values, "output_dir", Path.Combine("trained", folders.Length > 1 ? "{name}" : folders.FirstOrDefault() ?? Models));
        Set(values, "save_model_as", folders switch
        {
            [Controls or Models] => "diffusers_safetensors",
            _ => folders.Contains(Models) ? "safetensors" : "pt",
        });
    }

    /// <summary>What is trained beside another thing is called as its folder; further networks have a number.</summary>
    public static TrainingPlan Named(TrainingPlan plan)
    {
        if (plan.Trainables.Count < 2) return plan;
        var networks = 0;
        return plan with
        {
            Trainables =
            [
                .. plan.Trainables.Select(trainable => trainable switch
                {
                    AdapterTrainableOptions adapter => adapter with { Name = ++networks == 1 ? Networks : $"{Networks}-{networks}" },
                    ModelTrainableOptions model => model with { Name = Models },
                    _ => trainable,
                }),
            ],
        };
    }

    private static string Wrong(OptionValues given, OptionValues values, string key, string remedy, string instead)
    {
        values.Problems.Add(given.Find(key) is { } value ? value.Problem("it is not understood", remedy)
            : new OptionProblem(key, null, "it is not understood", remedy));
        return instead;
    }

    private static void Set(OptionValues values, string name, object value) => SdTrainerStyle.Set(values, name, value);
}
