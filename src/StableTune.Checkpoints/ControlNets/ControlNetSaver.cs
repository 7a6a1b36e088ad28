using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Torch;

namespace StableTune.Checkpoints;

/// <summary>
/// Writes ControlNets: a path that ends with .safetensors, .ckpt, .pt or .pth becomes a single file under the original names, as web
/// interfaces take it; any other a folder in diffusers' layout. What is written is complete or absent.
/// </summary>
public static class ControlNetSaver
{
    private const string Weights = "diffusion_pytorch_model";

    private static readonly Dictionary<string, string> s_format = new() { ["format"] = "pt" };

    /// <summary>Writes a ControlNet.</summary>
    /// <param name="model">The ControlNet; not changed.</param>
    /// <param name="path">The file or folder.</param>
    /// <param name="precision">The type of the saved numbers; null, the default, for their own.</param>
    /// <param name="overwrite">Whether what stands there is replaced.</param>
    /// <returns>The files, full paths.</returns>
    /// <exception cref="InvalidOptionsException">Nothing can be written there.</exception>
    /// <exception cref="IOException">Something cannot be written.</exception>
    public static IReadOnlyList<string> Save(ControlNetModel model, string path, ScalarType? precision = null, bool overwrite = false) =>
        Prepare(model, path, precision, overwrite, null)!();

    /// <summary>What writes a ControlNet: from copies of its numbers, or from themselves where there are none to take.</summary>
    /// <returns>Null where the copies would take too much memory.</returns>
    internal static Func<IReadOnlyList<string>>? Prepare(
        ControlNetModel model, string path, ScalarType? precision, bool overwrite, PayloadCopies? copies)
    {
        ArgumentNullException.ThrowIfNull(model);
        InvalidOptionsException.ThrowIfAny([.. Check(path, overwrite)]);
        var named = ModuleTensors.Named(model).Select(entry => (entry.Key, entry.Value));
        return (copies is null ? [.. StatePayloads.Of(named, precision)] : copies.TakeLasting(named, precision)) is { } tensors
            ? () => Write(model, path, tensors) : null;
    }

    private static string[] Write(ControlNetModel model, string path, IReadOnlyList<TensorPayload> tensors)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (ModelFormats.Of(path) is { } format)
        {
            var named = KeyMap.ControlNet(model.Options).ToCheckpoint(tensors);
            if (format == ModelFormat.Safetensors) SafetensorsWriter.Write(full, named, s_format);
            else TorchWriter.Write(full, named, TorchLayout.OrderedDictionary);
            return [full];
        }

        AtomicFolder.Write(full, folder =>
        {
            AtomicFile.WriteText(Path.Combine(folder, ControlNetConfig.FileName), ControlNetConfig.Write(model.Options));
            SafetensorsWriter.Write(Path.Combine(folder, Weights + ".safetensors"), tensors, s_format);
        });
        return [Path.Combine(full, ControlNetConfig.FileName), Path.Combine(full, Weights + ".safetensors")];
    }

    /// <summary>Why nothing could be written there; empty when all is well.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="overwrite">Whether what stands there may be replaced.</param>
    /// <param name="option">The option that names it, for messages.</param>
    public static IReadOnlyList<OptionProblem> Check(string path, bool overwrite = false, string option = "path")
    {
        ArgumentNullException.ThrowIfNull(path);
        OptionProblem[] Told(string rule, string remedy) => [new(option, path, rule, remedy)];
        if (path.Length == 0) return Told("a path is needed", "give the path of a file or folder");
        if (ModelFormats.Of(path) is null)
        {
            if (File.Exists(path)) return Told("a file stands where the folder shall be", "remove it, or give another path");
            if (RunFolders.IsFree(path)) return [];
            if (!File.Exists(Path.Combine(path, ControlNetConfig.FileName)) || File.Exists(Path.Combine(path, DiffusersFolder.IndexName)))
                return Told("the folder holds something else than a ControlNet", "give a new or an empty folder");
            return overwrite ? [] : Told("there is such a ControlNet already", "give another path, or allow to overwrite it");
        }

        if (!AtomicFile.CanWrite(path, out var reason)) return Told(reason, "name a file in a folder that can be written to");
        return File.Exists(path) && !overwrite ? Told("there is such a file already", "give another path, or allow to overwrite it") : [];
    }
}
