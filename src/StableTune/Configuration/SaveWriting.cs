using StableTune.Checkpoints;
using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>Savers as options.</summary>
internal static class SaveWriting
{
    /// <summary>Writes where results and states go; refuses what options cannot say.</summary>
    public static void Write(RunWriter writer)
    {
        var plan = writer.Plan;
        string? output = null;
        foreach (var saver in plan.Savers)
        {
            switch (saver)
            {
                case TrainableSaver results when output is null:
                    output = Results(writer, results);
                    break;
                case StateSaver states when output is not null && states.Path == output:
                    writer.Write(states.OnlyAtEnd ? "save_state_on_train_end" : "save_state", true);
                    if (states.KeepLast is { } all) writer.Refuse("StateSaver.KeepLast", all);
                    writer.Write("save_last_n_epochs_state", states.KeepLastEpochs);
                    writer.Write("save_last_n_steps_state", states.KeepLastSteps);
                    break;
                default:
                    writer.Refuse("TrainingPlan.Savers", saver);
                    break;
            }
        }

        writer.Write("save_every_n_steps", plan.Save.EveryNSteps);
        writer.Write("save_every_n_epochs", plan.Save.EveryNEpochs);
        if (plan.Start is { } start)
        {
            writer.Write("initial_epoch", start.Epoch == 1 ? null : start.Epoch);
            writer.Write("initial_step", start.Step);
            writer.Write("skip_until_initial_step", start.SkipWithinEpoch);
        }

        if (plan.Resume is not { } resume) return;
        if (resume.AllowDifferences) writer.Refuse("ResumeOptions.AllowDifferences", true);
        if (resume.Path?.StartsWith("hf://", StringComparison.Ordinal) == true)
        {
            writer.Write("resume", resume.Path[5..]);
            writer.Write("resume_from_huggingface", true);
        }
        else if (!resume.Latest) writer.Write("resume", resume.Path);
        else if (output is not null && Path.GetDirectoryName(output) == resume.Path) writer.Write("resume_auto", true);
        else writer.Refuse("ResumeOptions.Path", resume.Path);
    }

    private static string Results(RunWriter writer, TrainableSaver saver)
    {
        var word = writer.Plan.Trainables is [TextualInversionOptions one] ? one : null;
        var isModel = writer.Plan.Trainables is [ModelTrainableOptions] or [ControlNetOptions];
        var ending = Path.GetExtension(saver.Path).ToLowerInvariant();
        var isFile = ending is ".safetensors" or ".ckpt" or ".pt" || (word is not null && ending == ".bin");
        var stem = isFile ? Path.ChangeExtension(saver.Path, null) : saver.Path;
        if (saver.Path.Contains("{name}", StringComparison.Ordinal)) writer.Refuse("TrainableSaver.Path", saver.Path);
        writer.Write("output_dir", Path.GetDirectoryName(stem) is { Length: > 0 } folder ? folder : ".");
        writer.Write("output_name", Path.GetFileName(stem));
        if (word?.Format == EmbeddingFormat.Diffusers && ending == ".safetensors")
            writer.Write("save_model_as", "diffusers_safetensors");
        else if (isFile) writer.Write("save_model_as", ending == ".bin" ? "diffusers" : ending[1..]);
        else if (isModel) writer.Write("save_model_as", "diffusers_safetensors");
        writer.Write("no_metadata", !saver.WriteMetadata);
        if (saver.Precision is { } type)
            writer.Write("save_precision", type switch { ScalarType.Float16 => "fp16", ScalarType.BFloat16 => "bf16", _ => "float" });
        if (!saver.WriteDataNames) writer.Refuse("TrainableSaver.WriteDataNames", false);
        return stem;
    }
}
