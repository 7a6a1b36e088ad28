using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Torch;

namespace StableTune.Checkpoints;

/// <summary>How a ControlNet is loaded.</summary>
public sealed record ControlNetLoadOptions
{
    /// <summary>
    /// The UNet that it shall steer, which is not changed. Needed for files that hold differences from a UNet's weights, and for single
    /// files of models whose heads are not those of a published one; otherwise it lets what does not fit be told. Null, the default, for
    /// none.
    /// </summary>
    public UNet2DConditionModel? UNet { get; init; }

    /// <summary>The type of its weights; null, the default, for those that are stored.</summary>
    public ScalarType? WeightType { get; init; }

    /// <summary>Where its weights lie; null, the default, for the UNet's device, else the CPU.</summary>
    public Device? Device { get; init; }

    /// <summary>Whether residuals are averaged over the picture; null, the default, for what its configuration says. Single files say
    /// nothing of it.</summary>
    public bool? GlobalPoolConditions { get; init; }

    /// <summary>Whether every weight is looked at while it is read: one that is NaN or infinite is then an error that names the tensor.
    /// Default true.</summary>
    public bool CheckNumbers { get; init; } = true;
}

/// <summary>
/// Loads ControlNets: folders in diffusers' layout (<c>config.json</c> and <c>diffusion_pytorch_model.safetensors</c>), single files under
/// the original names (<c>control_model.…</c>) or diffusers', and files of differences from a UNet's weights.
/// </summary>
public static class ControlNetLoader
{
    /// <summary>Loads a ControlNet.</summary>
    /// <param name="path">The folder or file.</param>
    /// <param name="options">The UNet, type and device; null for the defaults.</param>
    /// <returns>Frozen, in evaluation mode; the caller's to dispose.</returns>
    /// <exception cref="InvalidFileException">It is missing, damaged, no ControlNet, holds NaN or infinities, or does not fit the
    /// UNet.</exception>
    public static ControlNetModel Load(string path, ControlNetLoadOptions? options = null)
    {
        options ??= new ControlNetLoadOptions();
        using var source = ControlNetSource.Open(path, options.UNet?.Options);
        if (source.IsDifference && options.UNet is null)
            throw new InvalidFileException(path, "its weights are differences from those of a UNet.",
                $"Give the UNet that they belong to: {nameof(ControlNetLoadOptions)}.{nameof(ControlNetLoadOptions.UNet)}.");
        var architecture = source.Options with
        {
            GlobalPoolConditions = options.GlobalPoolConditions ?? source.Options.GlobalPoolConditions,
        };
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        ControlNetModel model;
        using (LayerInitialization.Skip()) model = new ControlNetModel(architecture);
        try
        {
            var type = source.IsDifference ? ScalarType.Float32 : options.WeightType;
            var how = new ModuleLoadOptions { KeepStoredTypes = type is null, CheckNumbers = options.CheckNumbers };
            var report = ModuleWeights.LoadInto(model, source.Weights, source.Rename, type, how).ThrowIfIncomplete();
            if (report.NotFinite is [var broken, ..])
                throw FiniteNumbers.Broken(source.Weights, source.Weights.Tensors.First(info => source.Rename(info.Name) == broken),
                    CheckpointView.NameIn(source.Weights.Source, broken), ModuleTensors.Named(model)[broken],
                    $"Load it as Float32 or BFloat16: {nameof(ControlNetLoadOptions)}.{nameof(ControlNetLoadOptions.WeightType)}.");
            if (source.IsDifference) Add(model, options.UNet!, options.WeightType);
            model.SetRequiresGrad(false);
            model.eval();
            return model.MoveTo(options.Device ?? options.UNet?.parameters().First().device ?? CPU);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>What is wrong with a ControlNet's file, by its headers alone; empty when it can be loaded.</summary>
    /// <param name="path">The folder or file.</param>
    /// <param name="unet">The architecture of the UNet that it shall steer; null leaves that unchecked.</param>
    /// <param name="option">The option that names the file, for messages.</param>
    public static IReadOnlyList<OptionProblem> Check(string path, UNetOptions? unet = null, string option = "path")
    {
        try
        {
            using var source = ControlNetSource.Open(path, unet);
            source.CheckHeader();
            return [];
        }
        catch (InvalidFileException fault)
        {
            return [fault.AsProblem(option)];
        }
    }

    /// <summary>Turns differences into weights.</summary>
    private static void Add(ControlNetModel model, UNet2DConditionModel unet, ScalarType? type)
    {
        using var scope = NewDisposeScope();
        var own = ModuleTensors.Values(unet);
        foreach (var (name, weight) in ModuleTensors.Named(model))
        {
            using var step = NewDisposeScope();
            var sum = own.TryGetValue(name, out var of) ? weight + of.to(weight.device).to(weight.dtype) : weight.detach();
            weight.SetData(type is { } wanted ? sum.to(wanted) : sum);
        }
    }
}
