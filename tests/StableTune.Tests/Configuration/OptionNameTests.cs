using StableTune.Configuration;

namespace StableTune.Tests.Configuration;

/// <summary>Every option of the references is known by name, and none that is given is passed over in silence.</summary>
public sealed class OptionNameTests
{
    /// <summary>What shows elsewhere: what the caller asks for, and the name of a folder with the time in it.</summary>
    private static readonly string[] s_elsewhere = ["config_file", "output_config", "debug_dataset", "log_prefix",
        "console_log_level", "console_log_file", "console_log_simple"];

    [Fact]
    public void ConsoleLog_IsWhatTheOptionsSay()
    {
        RunConfiguration Read(params string[] words) => RunConfiguration.Parse([.. Base(RunScript.Network), .. words], RunScript.Network);
        Assert.Equal(new ConsoleLogOptions(), Read().ConsoleLog);
        Assert.Equal(new ConsoleLogOptions(Microsoft.Extensions.Logging.LogLevel.Warning, "run.txt", IsSimple: true),
            Read("--console_log_level", "WARNING", "--console_log_file", "run.txt", "--console_log_simple").ConsoleLog);
    }

    public static TheoryData<string, string> Names()
    {
        var names = new TheoryData<string, string>();
        var style = "";
        foreach (var line in Lines())
        {
            if (line[0] == '[') style = line.Trim('[', ']');
            else names.Add(style, line);
        }

        return names;
    }

    public static TheoryData<string, RunScript> Rows()
    {
        var rows = new TheoryData<string, RunScript>();
        foreach (var row in OptionTable.Rows)
            foreach (var script in new[] { RunScript.Network, RunScript.DreamBooth, RunScript.FineTune, RunScript.TextualInversion,
                RunScript.ControlNet, RunScript.ExtendedTextualInversion })
                if (row.Scripts.HasFlag(script)) rows.Add(row.Name, script);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryOptionOfTheReferences_IsKnown(string style, string name) => Assert.True(style switch
    {
        "sd-trainer" => SdTrainerStyle.Knows(name),
        "ppdiffusers" => PpDiffusersStyle.Knows(name),
        _ => OptionTable.Find(name) is not null,
    }, $"{name} of {style} is not known");

    [Fact]
    public void TheNames_AreThoseOfAllThree() => Assert.True(Names().Count > 300);

    /// <summary>What an option does shows in the plan, in a note, or in a refusal that names it.</summary>
    [Theory]
    [MemberData(nameof(Rows))]
    public void AnOptionThatIsGiven_HasAnEffect_OrIsSpokenOf(string name, RunScript script)
    {
        if (s_elsewhere.Contains(name)) return;
        // False says of adapters, embeddings and ControlNets what holds anyhow.
        if (name == "train_unet" && script is not (RunScript.DreamBooth or RunScript.FineTune)) return;
        var row = OptionTable.Of(name);
        var words = Base(script);
        words.Add("--" + name);
        words.AddRange(Sample(row, script));
        if (Helper(name) is { } other) words.AddRange(other);
        RunConfiguration read;
        try
        {
            read = RunConfiguration.Parse(words, script);
        }
        catch (InvalidOptionsException e)
        {
            Assert.Contains(e.Problems, problem => problem.ToString().Contains(name, StringComparison.Ordinal));
            return;
        }

        Assert.True(read.Notes.Any(note => note.Contains(name, StringComparison.Ordinal))
            || PlanOf([.. Base(script), .. Helper(name) ?? []], script) is not { } without
            || PlanComparison.Differences(read.Builder.Plan, without).Any(), $"{name} does nothing");
    }

    /// <summary>The plans with and without an option; null where options want more than these tests have.</summary>
    internal static (TrainingPlan With, TrainingPlan Without)? PlanWith(RunOption row, RunScript script)
    {
        if (s_elsewhere.Contains(row.Name)) return null;
        string[] helper = Helper(row.Name) ?? [];
        return PlanOf([.. Base(script), "--" + row.Name, .. Sample(row, script), .. helper], script) is { } with
            && PlanOf([.. Base(script), .. helper], script) is { } without ? (with, without) : null;
    }

    /// <summary>The plan without the option; null where there is none, because the options want it.</summary>
    private static TrainingPlan? PlanOf(string[] words, RunScript script)
    {
        try
        {
            return RunConfiguration.Parse(words, script).Builder.Plan;
        }
        catch (InvalidOptionsException)
        {
            return null;
        }
    }

    [Fact]
    public void Options_GivenToTheHelp_AreThoseOfTheProgram()
    {
        var network = RunConfiguration.Options(RunScript.Network).SelectMany(section => section.Options).Select(row => row.Name).ToList();
        var dreamBooth = RunConfiguration.Options(RunScript.DreamBooth).SelectMany(section => section.Options).Select(row => row.Name)
            .ToList();
        Assert.Contains("network_module", network);
        Assert.DoesNotContain("network_module", dreamBooth);
        Assert.Contains("stop_text_encoder_training", dreamBooth);
        Assert.DoesNotContain("token_string", network);
    }

    internal static List<string> Base(RunScript script) =>
    [
        "--pretrained_model_name_or_path", "model", "--output_dir", "out", "--train_data_dir", "images", "--seed", "1",
        .. script == RunScript.Network ? ["--network_module", "networks.lora"] : Array.Empty<string>(),
        .. script == RunScript.FineTune ? ["--in_json", "meta.json"] : Array.Empty<string>(),
        .. script is RunScript.TextualInversion or RunScript.ExtendedTextualInversion
            ? ["--token_string", "sksdog"] : Array.Empty<string>(),
    ];

    /// <summary>What an option needs beside it.</summary>
    private static string[]? Helper(string name) => name switch
    {
        "dim_from_weights" => ["--network_weights", "lora.safetensors"],
        "base_weights_multiplier" => ["--base_weights", "a.safetensors"],
        "masked_loss" => ["--conditioning_data_dir", "masks"],
        "min_bucket_reso" or "max_bucket_reso" or "bucket_reso_steps" or "bucket_no_upscale" or "max_ratio" => ["--enable_bucket"],
        "huber_schedule" or "huber_c" or "huber_scale" => ["--loss_type", "huber"],
        "full_bf16" => ["--mixed_precision", "bf16"],
        "full_fp16" => ["--mixed_precision", "fp16"],
        "fused_backward_pass" or "fused_optimizer_groups" => ["--max_grad_norm", "0"],
        "ema_inv_gamma" or "ema_power" => ["--use_ema", "--use_ema_warmup"],
        "ema_decay" or "ema_min_decay" or "use_ema_warmup" or "ema_update_after_step" or "ema_every_n_steps" or "offload_ema"
            or "save_ema_and_weights" => ["--use_ema"],
        "log_prefix" => ["--logging_dir", "logs"],
        "save_n_epoch_ratio" => ["--max_train_epochs", "8"],
        "instance_prompt" => ["--instance_data_dir", "subject"],
        "instance_data_dir" => ["--instance_prompt", "a dog"],
        "dataset_repeats" => ["--in_json", "meta.json"],
        "num_class_images" => ["--with_prior_preservation"],
        "learning_rate_te" or "learning_rate_te1" or "learning_rate_te2" => ["--train_text_encoder"],
        _ => null,
    };

    private static string[] Sample(RunOption row, RunScript script) => row.Name switch
    {
        "lr_warmup_steps" => ["10", "--lr_scheduler", "constant_with_warmup"],
        "lr_scheduler" => ["constant_with_warmup"],
        "lr_scheduler_type" => ["constant_with_warmup"],
        "optimizer_type" => ["AdamW8bit"],
        "optimizer_args" => ["weight_decay=0.2"],
        "lr_scheduler_args" => ["warmup=10", "--lr_scheduler", "constant_with_warmup"],
        "network_module" => ["networks.lora_fa"],
        "gpu_ids" => ["0,1"],
        "network_args" => ["conv_dim=2"],
        "loss_type" => ["l1"],
        "huber_schedule" => ["constant"],
        "step_range" => ["0.1,0.9"],
        "resize_interpolation" => ["area"],
        "resize_mode" => ["squash"],
        "device" => ["cpu"],
        "mixed_precision" => ["bf16"],
        "on_bad_image" => ["skip"],
        "latent_mode" => ["mean_std"],
        "cache_validation" => ["content"],
        "save_model_as" => ["ckpt"],
        "caption_extension" => [".txt"],
        "num_class_images" => ["5", "--class_data_dir", "classes", "--class_prompt", "a dog"],
        "min_bucket_reso" => ["320"],
        "sample_prompts" => ["no-such-prompts.txt"],
        "train_text_encoder" => [script == RunScript.DreamBooth ? "false" : "true"],
        "max_timestep" => ["500"],
        _ when row.Kind == OptionKind.Flag => [row.Default is true ? "false" : "true"],
        _ when row.Kind == OptionKind.Integer || row.Kind == OptionKind.Long => ["7"],
        _ when row.Kind == OptionKind.Number || row.Kind == OptionKind.Numbers => ["0.25"],
        _ when row.Kind == OptionKind.Pair => ["2.0,4.0"],
        _ when row.Kind == OptionKind.Size => ["512,768"],
        _ when row.Kind == OptionKind.StepsOrPart => ["10"],
        _ when row.Kind.Name.StartsWith("one of ", StringComparison.Ordinal) => [row.Kind.Name["one of ".Length..].Split(", ")[^1]],
        _ => ["word"],
    };

    private static IEnumerable<string> Lines()
    {
        using var stream = typeof(OptionNameTests).Assembly.GetManifestResourceStream("option-names.txt")!;
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
            if (line.Length > 0) yield return line;
    }
}
