using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.Json;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>
/// The state of a run as a folder: <c>state.json</c> (position, plan, numbers, hashes of all files), a safetensors file for each part
/// that has tensors, and <c>dataset.json</c>.
/// Written under another name, flushed, and renamed; complete or not there.
/// </summary>
internal static class StateFolder
{
    /// <summary>The version of the layout.</summary>
    internal const int Format = 1;

    internal const string Main = "state.json", Images = "dataset.json";

    private static readonly JsonSerializerOptions s_layout = new() { WriteIndented = true };

    /// <summary>Whether a path is that of a state.</summary>
    public static bool IsState(string path) => File.Exists(Path.Combine(path, Main));

    /// <summary>Writes a state.</summary>
    /// <param name="path">The folder; one that is there is replaced.</param>
    /// <param name="content">What is written.</param>
    /// <returns>The folder's full path.</returns>
    /// <exception cref="IOException">Something cannot be written.</exception>
    public static string Write(string path, StateContent content) => Prepare(path, content, null)!();

    /// <summary>What writes a state: from copies of its tensors, or from themselves where there are none to take.</summary>
    /// <param name="path">The folder; one that is there is replaced.</param>
    /// <param name="content">What is written.</param>
    /// <param name="copies">Takes the copies.</param>
    /// <returns>Null where the copies would take too much memory.</returns>
    public static Func<string>? Prepare(string path, StateContent content, PayloadCopies? copies)
    {
        var (parts, tensors) = (new JsonObject(), new List<(string File, IReadOnlyList<TensorPayload> Tensors)>());
        foreach (var part in content.Parts)
        {
            var writer = new StateWriter();
            if (part is IDispensablePart dispensable)
            {
                if (!dispensable.TrySave(writer)) continue;
            }
            else part.Save(writer);

            if (!parts.TryAdd(part.Name, writer.Values))
                throw new InvalidOperationException(
                    $"Two parts of the run are named \"{part.Name}\" in its state. Give one of them another name.");
            if (writer.Tensors.Count == 0) continue;
            var named = writer.Tensors.Select(tensor => (tensor.Key, tensor.Value));
            var held = copies is null ? [.. StatePayloads.Of(named)]
                : part.TensorsLastUntilUpdate ? copies.TakeLasting(named) : copies.Take(StatePayloads.Of(named));
            if (held is null) return null;
            tensors.Add((part.Name + ".safetensors", held));
        }

        var full = Path.GetFullPath(path);
        return () =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            AtomicFolder.Write(full, folder => Fill(folder, content, parts, tensors));
            return full;
        };
    }

    private static void Fill(string folder, StateContent content, JsonObject parts,
        IEnumerable<(string File, IReadOnlyList<TensorPayload> Tensors)> tensors)
    {
        var files = new JsonObject();
        foreach (var (file, payloads) in tensors)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, file))!);
            SafetensorsWriter.Write(Path.Combine(folder, file), payloads);
            files.Add(file, Identity(Path.Combine(folder, file)));
        }

        AtomicFile.Write(Path.Combine(folder, Images), stream => WriteJson(stream, content.Dataset));
        files.Add(Images, Identity(Path.Combine(folder, Images)));
        AtomicFile.Write(Path.Combine(folder, Main), stream => WriteJson(stream, new JsonObject
        {
            ["format"] = Format,
            ["product"] = content.Product,
            ["written_at"] = content.WrittenAt.ToString("O"),
            ["position"] = new JsonObject { ["epoch"] = content.Position.Epoch, ["batch"] = content.Position.Batch,
                ["step"] = content.Position.Step },
            ["plan"] = new JsonObject(content.Plan.Select(fact => KeyValuePair.Create(fact.Key, (JsonNode?)fact.Value))),
            ["parts"] = parts,
            ["files"] = files,
        }));
    }

    private static void WriteJson(Stream stream, JsonNode node)
    {
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JsonText.OneLine.Encoder });
        node.WriteTo(writer, s_layout);
    }

    /// <summary>What tells one content of a file from another.</summary>
    internal static JsonObject Identity(string file)
    {
        using var stream = File.OpenRead(file);
        return new JsonObject { ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(stream)), ["length"] = stream.Length };
    }
}

/// <summary>A part that a state can do without: what its owner throws costs only the part.</summary>
internal interface IDispensablePart
{
    /// <summary>Writes what it remembers.</summary>
    /// <returns>False where that failed, so that nothing of it is kept.</returns>
    bool TrySave(StateWriter writer);
}

/// <summary>What a state consists of.</summary>
internal sealed record StateContent
{
    public required RunPosition Position { get; init; }

    public required string Product { get; init; }

    public required DateTimeOffset WrittenAt { get; init; }

    /// <summary>What must be the same for a run that goes on, see <see cref="PlanFacts"/>.</summary>
    public required IReadOnlyDictionary<string, string> Plan { get; init; }

    /// <summary>What tells the data set from another one, see <see cref="DatasetIdentity"/>.</summary>
    public required JsonObject Dataset { get; init; }

    public required IReadOnlyList<IResumable> Parts { get; init; }
}
