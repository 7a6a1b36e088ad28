using StableTune.Models;

namespace StableTune.Configuration;

/// <summary>Files and states that a run writes.</summary>
internal static class SaveArguments
{
    private const string Last = "last";

    private static readonly Dictionary<string, OutputNaming> s_names = new(StringComparer.Ordinal)
    {
        ["sd-scripts"] = OutputNaming.SdScripts, ["checkpoints"] = OutputNaming.Checkpoints, ["one-file"] = OutputNaming.OneFile,
    };

    public static OptionSection Section { get; } = new("Save",
    [
        new("output_dir", OptionKind.Text, "The folder of results"),
        new("output_name", OptionKind.Text, "The beginning of their names; \"last\" when not given"),
        new("overwrite", OptionKind.Flag, "Replace results that are there already; unless given, the run does not start then")
        {
            Aliases = ["over_write"], Apply = (builder, value) => builder.Overwrite((bool)value), Write = plan => plan.Overwrite,
        },
        new("save_model_as", OptionKind.Choice("ckpt", "pt", "safetensors", "diffusers", "diffusers_safetensors"), "The form of results"),
        new("use_safetensors", OptionKind.Flag, "The older spelling of save_model_as safetensors")
        {
            Scripts = RunScript.DreamBooth | RunScript.FineTune,
        },
        new("save_precision", OptionKind.Choice("float", "fp16", "bf16"), "The number format of results; that of the run when not given"),
        new("save_every_n_epochs", OptionKind.Integer, "Save at the end of every so many epochs too"),
        new("save_every_n_steps", OptionKind.Integer, "Save after every so many steps too")
        {
            Aliases = ["save_steps", "checkpointing_steps"],
        },
        new("save_n_epoch_ratio", OptionKind.Integer, "Save about so many times: every epochs / ratio epochs")
        {
            Apply = (builder, value) => builder.WithSaving(save => save with { EpochRatio = (int)value }),
            Write = plan => plan.Save.EpochRatio,
        },
        new("save_last_n_epochs", OptionKind.Integer, "Keep the files of the last so many saves of epochs")
        {
            Apply = (builder, value) => builder.WithSaving(save => save with { KeepLastEpochs = (int)value }),
            Write = plan => plan.Save.KeepLastEpochs,
        },
        new("save_last_n_steps", OptionKind.Integer, "Keep the files of the last so many steps")
        {
            Apply = (builder, value) => builder.WithSaving(save => save with { KeepLastSteps = (int)value }),
            Write = plan => plan.Save.KeepLastSteps,
        },
        new("save_last_n_epochs_state", OptionKind.Integer, "Keep the states of the last so many epochs; save_last_n_epochs unless given"),
        new("save_last_n_steps_state", OptionKind.Integer, "Keep the states of the last so many steps; save_last_n_steps unless given"),
        new("save_best", OptionKind.Flag, "Save what has the least loss on held-out images too (StableTune)")
        {
            Apply = (builder, value) => builder.WithSaving(save => save with { KeepBest = (bool)value }),
            Write = plan => plan.Save.KeepBest,
        },
        new("save_names", OptionKind.Choice("sd-scripts", "checkpoints", "one-file"), "How saves are called: name-step00000100, "
            + "checkpoint-100/name as ppdiffusers, or always name as sd-trainer (StableTune)")
        {
            Default = "sd-scripts",
            Apply = (builder, value) => builder.WithSaving(save => save with { Naming = s_names[(string)value] }),
            Write = plan => s_names.FirstOrDefault(pair => pair.Value == plan.Save.Naming).Key,
        },
        new("no_metadata", OptionKind.Flag, "Write only the metadata that programs need"),
        new("training_comment", OptionKind.Text, "A text for the metadata") { Refusal = "metadata have no comment yet" },
        new("save_state", OptionKind.Flag, "Write the run's state with each save"),
        new("save_state_on_train_end", OptionKind.Flag, "Write the run's state at the end"),
        new("resume", OptionKind.Text, "The folder of a state that the run goes on from"),
        new("resume_auto", OptionKind.Flag, "Go on from the newest state in output_dir, if there is one"),
        new("resume_from_huggingface", OptionKind.Flag, "resume is a place on the hub: owner/name/folder[:revision[:type]]"),
        new("initial_epoch", OptionKind.Integer, "The number of the first epoch, from 1"),
        new("initial_step", OptionKind.Integer, "Steps that count as done"),
        new("skip_until_initial_step", OptionKind.Flag, "Begin with the very batch of initial_step, not with its epoch"),
    ], Assemble)
    {
        Write = SaveWriting.Write,
    };

    /// <summary>The path of results, without the ending where they are folders.</summary>
    public static string Output(OptionValues values) =>
        Path.Combine(values.Text("output_dir") ?? "", values.Text("output_name") ?? Last);

    private static void Assemble(RunDraft draft)
    {
        var (values, builder) = (draft.Values, draft.Builder);
        var output = Output(values);
        if (values.Text("output_dir") is null)
            values.Fault("output_dir", "the result would be lost", "name the folder that it goes to");
        else
            builder.SaveTo(new TrainableSaver(output + Ending(draft))
            {
                WriteMetadata = !values.Flag("no_metadata"),
                Precision = values.Text("save_precision") switch
                {
                    null => null,
                    "fp16" => ScalarType.Float16,
                    "bf16" => ScalarType.BFloat16,
                    _ => ScalarType.Float32,
                },
            });
        Cadence(draft);
        States(draft, output);
    }

    private static void Cadence(RunDraft draft)
    {
        var (values, builder) = (draft.Values, draft.Builder);
        var epochs = values.Get<int>("save_every_n_epochs");
        if (values.Find("save_n_epoch_ratio") is { } ratio && epochs is not null)
            values.Problems.Add(ratio.Problem("save_every_n_epochs says it too", "give one of them"));
        foreach (var (kept, every, isSet) in new[]
        {
            ("save_last_n_epochs", "save_every_n_epochs", epochs is not null || values.Has("save_n_epoch_ratio")),
            ("save_last_n_steps", "save_every_n_steps", values.Has("save_every_n_steps")),
        })
            if (!isSet && values.Find(kept) is { } idle)
                values.Notes.Add($"{idle.Origin}: {kept} is not looked at: {every} is not given.");
        builder.SaveEvery(values.Get<int>("save_every_n_steps"), epochs);
    }

    private static void States(RunDraft draft, string output)
    {
        var (values, builder) = (draft.Values, draft.Builder);
        var (always, atEnd) = (values.Flag("save_state"), values.Flag("save_state_on_train_end"));
        if (values.Has("initial_epoch") || values.Has("initial_step") || values.Has("skip_until_initial_step"))
            builder.StartAt(new StartOptions
            {
                Epoch = values.Get<int>("initial_epoch") ?? 1, Step = values.Get<int>("initial_step"),
                SkipWithinEpoch = values.Flag("skip_until_initial_step"),
            });
        var (keptEpochs, keptSteps) = (values.Get<int>("save_last_n_epochs_state"), values.Get<int>("save_last_n_steps_state"));
        if (always || atEnd)
            builder.SaveTo(new StateSaver(output)
            {
                OnlyAtEnd = !always,
                KeepLastEpochs = keptEpochs ?? (always ? values.Get<int>("save_last_n_epochs") : null),
                KeepLastSteps = keptSteps ?? (always ? values.Get<int>("save_last_n_steps") : null),
            });
        else if (keptEpochs is not null || keptSteps is not null)
            values.Fault(keptEpochs is null ? "save_last_n_steps_state" : "save_last_n_epochs_state", "no states are written",
                "set save_state, or leave it out");
        var isOnHub = values.Flag("resume_from_huggingface");
        if (isOnHub && !values.Has("resume"))
            values.Fault("resume_from_huggingface", "resume does not say where the state lies", "give resume as owner/name/folder");
        if (values.Flag("resume_auto"))
        {
            if (values.Find("resume") is { } both)
                values.Problems.Add(both.Problem("resume_auto looks for a state itself", "keep one of them"));
            else if (values.Text("output_dir") is { } folder) builder.ResumeFromLatest(folder);
        }
        else if (values.Text("resume") is { } state) builder.ResumeFrom(isOnHub ? "hf://" + state : state);
    }

    /// <summary>What the form asked for ends in. Whole models keep the form of their source unless something is said.</summary>
    private static string Ending(RunDraft draft)
    {
        var values = draft.Values;
        var form = values.Text("save_model_as") ?? (values.Flag("use_safetensors") ? "safetensors" : null);
        var isModel = WholeModelArguments.Parts(draft) != ModelParts.None;
        var isExtended = draft.Script == RunScript.ExtendedTextualInversion;
        var (isWord, isControl) = (isExtended || draft.Script == RunScript.TextualInversion, draft.Script.HasFlag(RunScript.ControlNet));
        if (isModel && form is null)
        {
            var source = values.Text("pretrained_model_name_or_path") ?? "";
            return File.Exists(source) ? Path.GetExtension(source).ToLowerInvariant() is ".ckpt" ? ".ckpt" : ".safetensors" : "";
        }

        if (isModel && form == "pt") values.Fault("save_model_as", "whole models are written as ckpt, safetensors or folders", "give ckpt");
        if (form is "diffusers" or "diffusers_safetensors")
        {
            if (isExtended)
                values.Fault("save_model_as", "embeddings of each layer have sd-scripts' form only", "give safetensors or pt");
            // diffusers' form of an embedding is one file.
            if (isWord) return form == "diffusers" ? ".bin" : ".safetensors";
            if (!isModel && !isControl)
                values.Fault("save_model_as", "what is trained is one file, not a model", "give safetensors or pt");
            if (isModel && form == "diffusers")
                values.Notes.Add("save_model_as is diffusers: the folder holds safetensors files where the model's source does.");
            return "";
        }

        // Adapters are torch files under either name.
        return form switch
        {
            null => ".safetensors",
            "ckpt" when !isModel && !isWord && !isControl => ".pt",
            _ => "." + form,
        };
    }
}
