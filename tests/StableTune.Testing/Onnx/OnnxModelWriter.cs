namespace StableTune.Testing;

/// <summary>Types of numbers in ONNX files, by their numbers there.</summary>
public enum OnnxType
{
    Float = 1,
    UInt8 = 2,
    Int64 = 7,
    Half = 10,
}

/// <summary>Writes small ONNX models: nodes, weights, inputs and outputs, operator set 13.</summary>
public sealed class OnnxModelWriter
{
    private readonly ProtoWriter _graph = new();
    private int _names;

    /// <summary>An input or output; sizes below 1 are free.</summary>
    public OnnxModelWriter Input(string name, OnnxType type, params int[] shape) => Value(11, name, type, shape);

    /// <inheritdoc cref="Input"/>
    public OnnxModelWriter Output(string name, OnnxType type, params int[] shape) => Value(12, name, type, shape);

    /// <summary>Weights.</summary>
    public string Weights(float[] values, params long[] shape) => Weights(OnnxType.Float, proto => proto.Values<float>(9, values), shape);

    /// <inheritdoc cref="Weights(float[], long[])"/>
    public string Weights(long[] values, params long[] shape) => Weights(OnnxType.Int64, proto => proto.Values<long>(9, values), shape);

    /// <summary>Weights in a file beside the model.</summary>
    public string WeightsIn(string file, params long[] shape) => Weights(OnnxType.Float, proto => proto
        .Message(13, new ProtoWriter().Text(1, "location").Text(2, file)).Number(14, 1), shape);

    /// <summary>An operation with one output.</summary>
    /// <param name="type">Its name.</param>
    /// <param name="inputs">What it takes.</param>
    /// <param name="output">The name of what it gives; null makes one up.</param>
    /// <param name="attributes">Whole numbers, lists of them, and floating-point numbers by name.</param>
    /// <returns>The name of what it gives.</returns>
    public string Node(string type, string[] inputs, string? output = null, params (string Name, object Value)[] attributes)
    {
        output ??= NewName();
        var node = new ProtoWriter();
        foreach (var input in inputs) node.Text(1, input);
        node.Text(2, output).Text(4, type);
        foreach (var (name, value) in attributes) node.Message(5, Attribute(name, value));
        _graph.Message(1, node);
        return output;
    }

    /// <summary>The file's bytes.</summary>
    public byte[] ToArray() => new ProtoWriter().Number(1, 8).Text(2, "tests")
        .Message(7, new ProtoWriter().Text(2, "graph").Joined(_graph))
        .Message(8, new ProtoWriter().Text(1, "").Number(2, 13)).ToArray();

    /// <summary>Writes the file.</summary>
    public string Save(string path)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, ToArray());
        return path;
    }

    private string NewName() => $"v{_names++}";

    private OnnxModelWriter Value(int field, string name, OnnxType type, int[] shape)
    {
        var sides = new ProtoWriter();
        for (var i = 0; i < shape.Length; i++)
            sides.Message(1, shape[i] > 0 ? new ProtoWriter().Number(1, shape[i]) : new ProtoWriter().Text(2, $"d{i}"));
        var tensor = new ProtoWriter().Number(1, (int)type).Message(2, sides);
        _graph.Message(field, new ProtoWriter().Text(1, name).Message(2, new ProtoWriter().Message(1, tensor)));
        return this;
    }

    private string Weights(OnnxType type, Func<ProtoWriter, ProtoWriter> content, long[] shape)
    {
        var (name, tensor) = (NewName(), new ProtoWriter());
        foreach (var side in shape) tensor.Number(1, side);
        _graph.Message(5, content(tensor.Number(2, (int)type).Text(8, name)));
        return name;
    }

    private static ProtoWriter Attribute(string name, object value)
    {
        var attribute = new ProtoWriter().Text(1, name);
        if (value is float single) return attribute.Single(2, single).Number(20, 1);
        if (value is int number) return attribute.Number(3, number).Number(20, 2);
        foreach (var one in (int[])value) attribute.Number(8, one);
        return attribute.Number(20, 7);
    }
}
