using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>
/// Writes a VAE alone: as a single file under the original names, which web interfaces take as a VAE, or as a folder in diffusers' layout
/// (<c>config.json</c> and weights). <see cref="ModelLoadOptions.VaePath"/> reads both. What is written is complete or absent.
/// </summary>
public static class VaeSaver
{
    private const string Config = "config.json", Class = "AutoencoderKL";

    /// <summary>Writes the VAE.</summary>
    /// <param name="vae">The VAE; not changed.</param>
    /// <param name="path">A file ending in <c>.safetensors</c>, <c>.ckpt</c> or <c>.pt</c>, or a folder; its parent is created when
    /// missing.</param>
    /// <param name="options">Of these <see cref="ModelSaveOptions.Format"/>, <see cref="ModelSaveOptions.VaePrecision"/>,
    /// <see cref="ModelSaveOptions.Precision"/>, <see cref="ModelSaveOptions.Variant"/>, <see cref="ModelSaveOptions.Overwrite"/>,
    /// <see cref="ModelSaveOptions.Metadata"/> and progress count; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at every megabyte or so; nothing is left behind.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or the path is taken.</exception>
    /// <exception cref="IOException">Something cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was set.</exception>
    public static SavedModel Save(AutoencoderKL vae, string path, ModelSaveOptions? options = null,
        CancellationToken cancellationToken = default) =>
        Prepare(vae, path, options ?? new ModelSaveOptions(), null, cancellationToken)!();

    /// <summary>What writes the VAE: from copies of its numbers, or from themselves where there are none to take.</summary>
    /// <returns>Null where the copies would take too much memory.</returns>
    internal static Func<SavedModel>? Prepare(AutoencoderKL vae, string path, ModelSaveOptions options, PayloadCopies? copies,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(vae);
        ArgumentException.ThrowIfNullOrEmpty(path);
        var target = SaveTarget.Choose(path, options, null);
        InvalidOptionsException.ThrowIfAny([.. options.Validate(), .. Problems(target, options)]);
        var progress = new SaveProgress(options.Progress, cancellationToken);
        var (named, type) = (ModuleTensors.Named(vae).Select(entry => (entry.Key, entry.Value)), options.PrecisionOf(ModelParts.Vae));
        return (copies is null ? [.. StatePayloads.Of(named, type)] : copies.TakeLasting(named, type)) is { } tensors ? Write : null;

        SavedModel Write()
        {
            IReadOnlyList<string> files = target.Format.IsFolder() ? Folder(vae, target, progress.Over(tensors), options)
                : File(vae, target, progress, tensors, options);
            return new SavedModel(target.Path, target.Format, files, [.. progress.Notes(), .. Unsaid(vae, target)]);
        }
    }

    private static string[] Folder(AutoencoderKL vae, SaveTarget target, IReadOnlyList<TensorPayload> tensors, ModelSaveOptions options)
    {
        AtomicFolder.Write(target.Path, folder =>
        {
            AtomicFile.Write(Path.Combine(folder, Config),
                stream => stream.Write(KeptConfig.Of(vae.Options, PartConfigs.TemplateOf(vae.Options), source: null).Bytes()));
            WeightFiles.Write(folder, "diffusion_pytorch_model", target.Format, tensors, options);
        });
        return [.. Directory.EnumerateFiles(target.Path).Order(StringComparer.Ordinal)];
    }

    private static string[] File(
        AutoencoderKL vae, SaveTarget target, SaveProgress progress, IReadOnlyList<TensorPayload> tensors, ModelSaveOptions options)
    {
        var named = progress.Over(KeyMap.Vae(vae.Options, prefix: "").ToCheckpoint(tensors));
        if (target.Format == ModelFormat.Ckpt) TorchWriter.Write(target.Path, named, TorchLayout.Checkpoint);
        else
            SafetensorsWriter.Write(target.Path, named,
                new Dictionary<string, string>(options.Metadata, StringComparer.Ordinal) { ["format"] = "pt" });
        return [target.Path];
    }

    private static IEnumerable<OptionProblem> Problems(SaveTarget target, ModelSaveOptions options)
    {
        OptionProblem Problem(string rule, string remedy) => new("path", target.Path, rule, remedy);
        if (!target.Format.IsFolder())
        {
            foreach (var problem in target.Problems(options)) yield return problem;
            yield break;
        }

        if (System.IO.File.Exists(target.Path))
            yield return Problem("a file stands where the folder shall be", "remove it, or give another path");
        else if (!AtomicFile.CanWrite(Path.Combine(target.Path, Config), out var reason))
            yield return Problem(reason, "give another path");
        if (RunFolders.IsFree(target.Path) || options.AmongOthers) yield break;
        var config = Path.Combine(target.Path, Config);
        if (!System.IO.File.Exists(config) || new ConfigFile(config).Text("_class_name") != Class)
            yield return Problem($"the folder holds something else than a VAE (no {Config} that names {Class})",
                "give a new or an empty folder");
        else if (!options.Overwrite) yield return Problem("there is such a VAE already", "give another path, or set Overwrite");
    }

    /// <summary>Shapes do not tell norm groups: a single file is read with the usual number.</summary>
    private static IEnumerable<string> Unsaid(AutoencoderKL vae, SaveTarget target) =>
        target.Format.IsFolder() || vae.Options.NormNumGroups == VaeOptions.Sd15.NormNumGroups ? []
            : [$"A single file cannot say that this VAE has {vae.Options.NormNumGroups} norm groups: keep it as a folder too, or put its "
                + $"{Config} beside the file when it is read."];
}
