using StableTune.Adapters;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>
/// Converts adapter files between the names of sd-scripts and LyCORIS, of PEFT and diffusers, and from those of other programs. No model is
/// needed: the layers are those of the standard architectures.
/// </summary>
public static class AdapterConverter
{
    /// <summary>The generations in the order in which a file is held against them, and how metadata begins that names them.</summary>
    private static readonly (ModelVersion Version, string Metadata)[] Generations =
        [(ModelVersion.Sd1, "sd_v1"), (ModelVersion.Sd2, "sd_v2"), (ModelVersion.Sdxl, "sdxl")];

    /// <summary>Converts a file. Numbers stay bit for bit as they are, unless another type is asked for; metadata is kept.</summary>
    /// <param name="source">The file, under names of any scheme of <see cref="AdapterNamings.Default"/>.</param>
    /// <param name="target">The file to write, complete or not at all; may be the source.</param>
    /// <param name="naming">The names to write; null for those of sd-scripts.</param>
    /// <param name="version">The generation of the model that the file is for; <see cref="ModelVersion.Auto"/> finds the one that all names
    /// and shapes fit. For models of other sizes see <see cref="AdapterFiles.Convert"/>.</param>
    /// <param name="dtype">The type of all tensors in the file; null for what they have.</param>
    /// <returns>Whose names the source has, and what of it was left out.</returns>
    /// <exception cref="InvalidFileException">The source is no adapter file, fits no generation, or holds NaN.</exception>
    /// <exception cref="NotSupportedException">The scheme cannot be written, or has no names for a kind of adapter in the file.</exception>
    /// <exception cref="IOException">The target cannot be written.</exception>
    public static AdapterFileReport Convert(string source, string target, AdapterNaming? naming = null,
        ModelVersion version = ModelVersion.Auto, ScalarType? dtype = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(target);
        var faults = new List<(ModelVersion Version, InvalidFileException Fault)>();
        foreach (var candidate in version == ModelVersion.Auto ? Candidates(source) : [version])
        {
            using var model = WithoutWeights(candidate);
            try
            {
                return AdapterFiles.Convert(source, target, ModelHosts.Of(model), naming, dtype);
            }
            catch (InvalidFileException fault)
            {
                faults.Add((candidate, fault));
            }
        }

        throw Together(source, faults);
    }

    /// <summary>All generations, that which the metadata names before the others.</summary>
    private static IEnumerable<ModelVersion> Candidates(string path)
    {
        using var file = Formats.TensorFile.Open(path);
        var named = file.Metadata.GetValueOrDefault("ss_base_model_version") ?? "";
        return [.. Generations.OrderBy(row => named.StartsWith(row.Metadata, StringComparison.Ordinal) ? 0 : 1).Select(row => row.Version)];
    }

    private static InvalidFileException Together(string path, IReadOnlyList<(ModelVersion Version, InvalidFileException Fault)> faults) =>
        faults.Select(entry => entry.Fault.Message).Distinct().Count() == 1 ? faults[0].Fault
        : new InvalidFileException(path, "its adapters fit no model whose layers are known:" +
            string.Concat(faults.Select(entry => $"\n  - {entry.Version.Words()}: {entry.Fault.Fault.TrimEnd('\n')}")) + "\n",
            "For a model of other sizes give its modules to AdapterFiles.Convert.", faults[0].Fault);

    /// <summary>UNet and text encoders on META, where they take no memory.</summary>
    private static StableDiffusionModel WithoutWeights(ModelVersion version)
    {
        using var scope = NewDisposeScope();
        using var skip = LayerInitialization.Skip(META);
        var (unet, text, second) = version switch
        {
            ModelVersion.Sd1 => (UNetOptions.Sd15, ClipTextOptions.Sd15, null),
            ModelVersion.Sd2 => (UNetOptions.Sd21, ClipTextOptions.Sd21, null),
            ModelVersion.Sdxl => (UNetOptions.Sdxl, ClipTextOptions.Sd15, ClipTextOptions.SdxlSecond),
            _ => throw new ArgumentOutOfRangeException(nameof(version), version, "There is no such generation: give Sd1, Sd2 or Sdxl."),
        };
        return new StableDiffusionModel(new ModelComponents
        {
            UNet = new UNet2DConditionModel(unet), TextEncoder = new ClipTextModel(text),
            TextEncoder2 = second is null ? null : new ClipTextModel(second),
        });
    }
}
