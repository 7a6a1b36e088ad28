using System.Security.Cryptography;
using System.Text.Json.Nodes;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>A state that was read: checked, complete, and open until it is disposed.</summary>
internal sealed class SavedState : IDisposable
{
    internal const string Damaged = "The state is damaged: resume from an older one.";

    private readonly JsonObject _parts;
    private readonly Dictionary<string, WeightFile> _open = new(StringComparer.Ordinal);

    private SavedState(string path, JsonObject main, JsonObject dataset)
    {
        Path = path;
        _parts = Object(main, "parts");
        var position = Object(main, "position");
        Position = new RunPosition(Whole(position, "epoch"), Whole(position, "batch"), Whole(position, "step"));
        Plan = Object(main, "plan").ToDictionary(fact => fact.Key, fact => fact.Value?.ToString() ?? "", StringComparer.Ordinal);
        Dataset = dataset;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Where the run stood.</summary>
    public RunPosition Position { get; }

    /// <summary>The plan that it was written for, see <see cref="PlanFacts"/>.</summary>
    public IReadOnlyDictionary<string, string> Plan { get; }

    /// <summary>The data set that it was written for, see <see cref="DatasetIdentity"/>.</summary>
    public JsonObject Dataset { get; }

    /// <summary>SHA-256 of what the state says of itself, its files' hashes included, as hexadecimal digits.</summary>
    public string Identity => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(System.IO.Path.Combine(Path, StateFolder.Main))));

    /// <summary>Opens a state and checks every file of it against its hash.</summary>
    /// <param name="path">The folder.</param>
    /// <exception cref="InvalidFileException">It is none, one of another version or tool, incomplete, or damaged.</exception>
    public static SavedState Open(string path)
    {
        var main = ReadMain(path);
        foreach (var (name, identity) in Object(path, main, "files"))
        {
            var file = System.IO.Path.GetFullPath(System.IO.Path.Combine(path, name));
            if (!file.StartsWith(System.IO.Path.GetFullPath(path) + System.IO.Path.DirectorySeparatorChar, StringComparison.Ordinal))
                throw new InvalidFileException(
                    path, $"{StateFolder.Main} names the file \"{name}\", which lies outside of the state.", Damaged);
            if (!File.Exists(file)) throw new InvalidFileException(path, $"the file {name} is missing.", Damaged);
            if (!JsonNode.DeepEquals(StateFolder.Identity(file), identity))
                throw new InvalidFileException(
                    path, $"the file {name} is not the one that was written: its length or SHA-256 differs.", Damaged);
        }

        return new SavedState(path, main, ReadJson(System.IO.Path.Combine(path, StateFolder.Images)));
    }

    /// <summary>The newest complete state beside or below a folder; null when there is none.</summary>
    /// <param name="folder">A folder that holds states.</param>
    public static string? Latest(string folder)
    {
        if (!Directory.Exists(folder)) return null;
        var candidates =
            from state in Directory.EnumerateDirectories(folder)
            where File.Exists(System.IO.Path.Combine(state, StateFolder.Main)) && !state.EndsWith(".partial", StringComparison.Ordinal)
                && !state.EndsWith(".replaced", StringComparison.Ordinal)
            let step = StepOf(state)
            where step is not null
            orderby step descending, Directory.GetLastWriteTimeUtc(state) descending
            select state;
        return candidates.FirstOrDefault();
    }

    /// <summary>What a part wrote; a part that wrote nothing gets an empty reader.</summary>
    public StateReader Of(string part)
    {
        var file = System.IO.Path.Combine(Path, part + ".safetensors");
        if (!_open.TryGetValue(part, out var tensors) && File.Exists(file)) _open[part] = tensors = WeightFile.Open(file);
        return new StateReader(Path, part, _parts[part] as JsonObject ?? [], tensors);
    }

    /// <summary>Whether a part wrote anything.</summary>
    public bool Has(string part) => _parts.ContainsKey(part);

    /// <summary>The parts that wrote something.</summary>
    public IEnumerable<string> Parts => _parts.Select(part => part.Key);

    public void Dispose()
    {
        foreach (var file in _open.Values) file.Dispose();
        _open.Clear();
    }

    private static int? StepOf(string state)
    {
        try
        {
            return Whole(Object(state, ReadMain(state), "position"), "step", state);
        }
        catch (InvalidFileException)
        {
            return null;   // not ours, or unfinished: not a candidate
        }
    }

    private static JsonObject ReadMain(string path)
    {
        if (!Directory.Exists(path))
            throw new InvalidFileException(
            path, "there is no such state folder.", "Give the folder of a state, such as out/frog-step00000100-state.");
        var file = System.IO.Path.Combine(path, StateFolder.Main);
        if (!File.Exists(file)) throw ForeignState.Describe(path);
        var main = ReadJson(file);
        if (main["format"] is not JsonValue format || !format.TryGetValue(out int version))
            throw new InvalidFileException(file, "it does not say which version it is.", Damaged);
        return version == StateFolder.Format ? main : throw new InvalidFileException(
            file, $"the state has format {version}; this version of StableTune reads {StateFolder.Format}.",
                "Resume with the version that wrote it, or start anew from its weights.");
    }

    private static JsonObject ReadJson(string file)
    {
        if (!File.Exists(file)) throw new InvalidFileException(file, "the file is missing.", Damaged);
        using var document = JsonFile.Parse(file, JsonFile.ReadText(file), Damaged);
        return JsonNode.Parse(document.RootElement.GetRawText()) as JsonObject
            ?? throw new InvalidFileException(file, "it holds no object.", Damaged);
    }

    private JsonObject Object(JsonObject parent, string name) => Object(Path, parent, name);

    private static JsonObject Object(string path, JsonObject parent, string name) =>
        parent[name] as JsonObject ?? throw new InvalidFileException(
            System.IO.Path.Combine(path, StateFolder.Main), $"\"{name}\" is missing.", Damaged);

    private int Whole(JsonObject parent, string name) => Whole(parent, name, Path);

    private static int Whole(JsonObject parent, string name, string path) =>
        parent[name] is JsonValue value && value.TryGetValue(out int number) && number >= 0 ? number
        : throw new InvalidFileException(
            System.IO.Path.Combine(path, StateFolder.Main), $"\"{name}\" is missing, or not a number.", Damaged);
}
