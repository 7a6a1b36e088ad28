using StableTune.Imaging;

namespace StableTune.Configuration;

/// <summary>Keys of sd-trainer that no single option stands for.</summary>
internal static class SdTrainerMeaning
{
    private const string UsualDataset = "utils.dataset.BaseDataset", UsualSaver = "utils.save.BaseSaver";

    /// <summary>Sets what several keys say together, and what sd-trainer does without saying it.</summary>
    public static void Add(OptionValues given, OptionValues values, RunScript script, bool hasPfg)
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
        if (given.Get<int>("save.args.save_n_steps") is null && given.Get<int>("save.args.save_n_epochs") is > 0 and var epochs)
            Set(values, "save_every_n_epochs", epochs);
        if (given.Text("save.module") is { } saver && saver != UsualSaver)
            values.Problems.Add(given.Find("save.module")!.Problem("a class of a host's own cannot be named here",
                "add it in code with TrainerBuilder.SaveTo(saver)"));
        if (given.Find("save.args.wandb_name") is { } tracker)
            values.Notes.Add($"{tracker.Origin}: save.args.wandb_name has no effect: nothing is sent anywhere.");
        if (hasPfg)
            values.Problems.Add(new OptionProblem("pfg", null, "prompt-free generation cannot be trained from a configuration yet",
                "take the section out, or build the run in code"));
        _ = given.Find("pfg.train");
        Trained(given, values, script);
    }

    /// <summary>The pictures that are drawn at each save; null for none.</summary>
    public static SampleOptions? Samples(OptionValues given, OptionValues values)
    {
        var (prompt, count) = (given.Text("save.args.prompt"), given.Get<int>("save.args.num_images")!.Value);
        if (count <= 0) return null;
        if (prompt is null)
        {
            if (given.Has("save.args.num_images"))
                values.Notes.Add("save.args.prompt is not given: pictures of the batches' captions are not drawn. Give it to have some.");
            return null;
        }

        var (size, steps) = (given.Get<PixelSize>("save.args.resolution")!.Value, given.Get<int>("save.args.save_n_steps"));
        return new SampleOptions
        {
            Folder = given.Text("save.args.image_logs"), Before = false, After = true, EveryNSteps = steps,
            EveryNEpochs = steps is null ? given.Get<int>("save.args.save_n_epochs") : null,
            Prompts =
            [
                new TextToImageOptions
                {
                    Prompt = prompt, NegativePrompt = given.Text("save.args.negative_prompt") ?? "", Width = size.Width,
                    Height = size.Height, ImageCount = count, Seed = given.Get<long>("save.args.seed")!.Value,
                },
            ],
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
        foreach (var (key, folder) in new[] { ("dataset.args.mask", "mask"), ("dataset.args.control", "control") })
        {
            var path = Path.Combine(given.Text("dataset.args.path") ?? "dataset", folder);
            if (!given.Flag(key) && Directory.Exists(path))
                values.Notes.Add($"{key} is false, and {path} is there: what it holds is used. Move it away to train without.");
        }

        if (given.Find("dataset.args.pfg") is { Value: true } features)
            values.Problems.Add(features.Problem("prompt-free generation cannot be trained from a configuration yet", "set it to false"));
        if (given.Find("dataset.args.prompt") is { } prompt)
            values.Problems.Add(prompt.Problem("each image has its own caption", "write it into the captions"));
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

    private static void Trained(OptionValues given, OptionValues values, RunScript script)
    {
        var text = given.Flag("train.train_encoder");
        if (script == RunScript.Network)
        {
            var (module, algebra) = (given.Text("network.module")!, given.Text("network.args.module"));
            Set(values, "network_module", (module, algebra) switch
            {
                ("networks.lora.LoRANetwork", null or "lora") => "networks.lora",
                ("networks.lora.LoRANetwork", "loha") => "lycoris.kohya/loha",
                _ => algebra is null ? module : Wrong(given, values, "network.args.module", "give loha, or leave it out", "networks.lora"),
            });
            if (int.TryParse(given.Text("network.args.rank"), System.Globalization.CultureInfo.InvariantCulture, out var rank))
                Set(values, "network_dim", rank);
            else Wrong(given, values, "network.args.rank", "give a whole number", "");
            if (!text) Set(values, "network_train_unet_only", true);
        }
        else if (script == RunScript.FineTune) Set(values, "train_text_encoder", text);

        Set(values, "output_dir", Path.Combine("trained", script switch
        {
            RunScript.Network => "networks",
            RunScript.ControlNet => "controlnet",
            _ => "models",
        }));
        Set(values, "save_model_as", script == RunScript.Network ? "pt" : "diffusers_safetensors");
    }

    private static string Wrong(OptionValues given, OptionValues values, string key, string remedy, string instead)
    {
        values.Problems.Add(given.Find(key) is { } value ? value.Problem("it is not understood", remedy)
            : new OptionProblem(key, null, "it is not understood", remedy));
        return instead;
    }

    private static void Set(OptionValues values, string name, object value) => SdTrainerStyle.Set(values, name, value);
}
