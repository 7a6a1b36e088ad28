namespace StableTune.Preparation;

/// <summary>One operation of a network.</summary>
/// <param name="Operator">Its name: "Conv".</param>
/// <param name="Inputs">What it takes.</param>
/// <param name="Outputs">What it gives.</param>
internal sealed record OnnxNode(string Operator, IReadOnlyList<string> Inputs, IReadOnlyList<string> Outputs);

/// <summary>The operations of an ONNX file, without its weights: what ONNX Runtime runs but does not show.</summary>
internal sealed class OnnxGraph
{
    private static readonly string[] s_linear = ["Gemm", "MatMul", "Conv"];

    // What changes the shape or the type of numbers, but not what they say.
    private static readonly string[] s_carriers = ["Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose"];
    private static readonly string[] s_shifts = ["Sub", "Add", "Mul", "Div", "BatchNormalization", "InstanceNormalization"];

    private readonly List<OnnxNode> _nodes = [];
    private readonly HashSet<string> _constants = new(StringComparer.Ordinal);
    private readonly HashSet<string> _weightFiles = new(StringComparer.Ordinal);
    private readonly Dictionary<string, OnnxNode> _makers = new(StringComparer.Ordinal);

    private readonly List<string> _outputs = [];

    private OnnxGraph(string path) => File = path;

    /// <summary>The file.</summary>
    internal string File { get; }

    /// <summary>The names of what the network gives.</summary>
    internal IReadOnlyList<string> Outputs => _outputs;

    /// <summary>Files beside the model that hold its weights; mostly none.</summary>
    internal IReadOnlyCollection<string> WeightFiles => _weightFiles;

    /// <summary>Reads the operations of a file.</summary>
    /// <exception cref="InvalidFileException">It is missing, empty, cut off, or no ONNX model.</exception>
    internal static OnnxGraph Read(string path)
    {
        const string remedy = "Download it again, or take another export of the model.";
        var graph = new OnnxGraph(path);
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16);
        if (stream.Length == 0) throw new InvalidFileException(path, "the file is empty.", remedy);
        if (IsPointer(stream))
            throw new InvalidFileException(path, "this is a note of Git LFS in place of the model.", "Fetch the file: git lfs pull.");
        stream.Position = 0;
        var found = false;
        try
        {
            var reader = new ProtoReader(stream);
            reader.Message(stream.Length, (number, end) =>
            {
                if (number != 7) return;
                found = true;
                reader.Message(end, (part, partEnd) => graph.Part(reader, part, partEnd));
            });
        }
        catch (FormatException e)
        {
            throw new InvalidFileException(path, found ? $"the ONNX model is cut off or damaged: {e.Message}."
                : $"this is no ONNX model, or one that is cut off: {e.Message}.", remedy, e);
        }

        if (!found || graph._nodes.Count == 0)
            throw new InvalidFileException(path, "this is no ONNX model: it holds no operations.", remedy);
        foreach (var node in graph._nodes)
            foreach (var output in node.Outputs) graph._makers[output] = node;
        return graph;
    }

    /// <summary>Whether an output is a linear layer's, on which no sigmoid was put yet.</summary>
    internal bool IsLogits(string output)
    {
        var node = Through(output);
        if (node?.Operator == "Add") return node.Inputs.Any(input => Through(input) is { } before && s_linear.Contains(before.Operator));
        return node is not null && s_linear.Contains(node.Operator);
    }

    /// <summary>Whether there is a value of this name.</summary>
    internal bool Holds(string value) => _nodes.Exists(node => node.Outputs.Contains(value) || node.Inputs.Contains(value));

    /// <summary>What the last linear layer before an output takes in: a tagger's features. Null where there is none.</summary>
    internal string? FeaturesBefore(string output)
    {
        // Breadth first, so that the layer nearest to the output is found.
        var (waiting, seen) = (new Queue<string>([output]), new HashSet<string>(StringComparer.Ordinal));
        while (waiting.TryDequeue(out var value))
        {
            if (!seen.Add(value) || !_makers.TryGetValue(value, out var node)) continue;
            if (s_linear.Contains(node.Operator)) return node.Inputs.FirstOrDefault(input => !IsConstant(input));
            foreach (var input in node.Inputs) waiting.Enqueue(input);
        }

        return null;
    }

    /// <summary>Whether the network begins by shifting and scaling its input, so that it takes pixels as they are.</summary>
    internal bool Normalises(string input)
    {
        var value = input;
        for (var step = 0; step < 8; step++)
        {
            var node = _nodes.FirstOrDefault(candidate => candidate.Inputs.Contains(value));
            if (node is null) return false;
            if (s_shifts.Contains(node.Operator))
                return node.Operator.EndsWith("Normalization", StringComparison.Ordinal) || node.Inputs.All(i => i == value
                    || IsConstant(i));
            if (!s_carriers.Contains(node.Operator) && node.Operator != "Pad") return false;
            value = node.Outputs[0];
        }

        return false;
    }

    private bool IsConstant(string value) => _constants.Contains(value)
        || (_makers.TryGetValue(value, out var maker) && (maker.Operator == "Constant"
            || (s_carriers.Contains(maker.Operator) && maker.Inputs.All(IsConstant))
            || (maker.Operator == "DequantizeLinear" && maker.Inputs.All(IsConstant))));

    /// <summary>The operation that a value comes from, past those that only change shape or type.</summary>
    private OnnxNode? Through(string value)
    {
        for (var step = 0; step < 16; step++)
        {
            if (!_makers.TryGetValue(value, out var node)) return null;
            if (!s_carriers.Contains(node.Operator)) return node;
            value = node.Inputs[0];
        }

        return null;
    }

    private void Part(ProtoReader reader, int number, long end)
    {
        if (number == 1) Node(reader, end);
        else if (number == 12)
            reader.Message(end, (field, fieldEnd) =>
            {
                if (field == 1) _outputs.Add(reader.Text(fieldEnd));
            });
        else if (number == 5)
            reader.Message(end, (field, fieldEnd) =>
            {
                if (field == 8) _constants.Add(reader.Text(fieldEnd));
                else if (field == 13) WeightFile(reader, fieldEnd);
            });
    }

    private void Node(ProtoReader reader, long end)
    {
        var (inputs, outputs, name) = (new List<string>(), new List<string>(), "");
        reader.Message(end, (field, fieldEnd) =>
        {
            if (field == 1) inputs.Add(reader.Text(fieldEnd));
            else if (field == 2) outputs.Add(reader.Text(fieldEnd));
            else if (field == 4) name = reader.Text(fieldEnd);
        });
        _nodes.Add(new(name, inputs, outputs));
    }

    private void WeightFile(ProtoReader reader, long end)
    {
        var (key, value) = ("", "");
        reader.Message(end, (field, fieldEnd) =>
        {
            if (field == 1) key = reader.Text(fieldEnd);
            else if (field == 2) value = reader.Text(fieldEnd);
        });
        if (key == "location") _weightFiles.Add(value);
    }

    private static bool IsPointer(Stream stream)
    {
        var mark = "version https://git-lfs"u8;
        Span<byte> start = stackalloc byte[mark.Length];
        return stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual(mark);
    }
}
