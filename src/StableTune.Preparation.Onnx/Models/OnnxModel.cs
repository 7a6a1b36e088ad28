using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace StableTune.Preparation;

/// <summary>An input or output of a network.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">The type of its numbers.</param>
/// <param name="Shape">Its sizes; below 1 where they are not fixed.</param>
internal sealed record OnnxValue(string Name, TensorElementType Type, IReadOnlyList<int> Shape)
{
    /// <summary>As messages write it: "input_1 Float [?, 448, 448, 3]".</summary>
    public override string ToString() => $"{Name} {Type} ["
        + string.Join(", ", Shape.Select(size => size < 1 ? "?" : size.ToString(CultureInfo.InvariantCulture))) + "]";
}

/// <summary>Numbers that a network gave.</summary>
/// <param name="Values">The numbers, row by row.</param>
/// <param name="Shape">The sizes.</param>
internal sealed record OnnxArray(float[] Values, long[] Shape);

/// <summary>A network that ONNX Runtime runs.</summary>
internal sealed class OnnxModel : IDisposable
{
    private readonly InferenceSession _session;

    private OnnxModel(string path, OnnxGraph graph, InferenceSession session)
    {
        (Path, Graph, _session) = (path, graph, session);
        Inputs = [.. session.InputNames.Select(name => Value(name, session.InputMetadata[name]))];
        Outputs = [.. session.OutputNames.Select(name => Value(name, session.OutputMetadata[name]))];
    }

    /// <summary>The file.</summary>
    internal string Path { get; }

    /// <summary>Its operations.</summary>
    internal OnnxGraph Graph { get; }

    /// <summary>What it takes, in the file's order.</summary>
    internal IReadOnlyList<OnnxValue> Inputs { get; }

    /// <summary>What it gives, in the file's order.</summary>
    internal IReadOnlyList<OnnxValue> Outputs { get; }

    /// <summary>Opens a model and makes of it what uses it; the model is freed where that fails.</summary>
    /// <param name="files">The model and what lies beside it.</param>
    /// <param name="options">How it is run.</param>
    /// <param name="make">Makes what uses the model, and frees it later.</param>
    /// <param name="added">Names a value inside the network that is made an output of it too, in a copy; null adds none.</param>
    /// <exception cref="InvalidFileException">The file is missing, cut off, no ONNX model, one that ONNX Runtime cannot run, or has no
    /// such value.</exception>
    /// <exception cref="InvalidOptionsException">ONNX Runtime refuses what the options set.</exception>
    /// <exception cref="NotSupportedException">ONNX Runtime's native library cannot be loaded.</exception>
    internal static T Open<T>(OnnxModelFiles files, OnnxModelOptions options, Func<OnnxModel, T> make,
        Func<OnnxGraph, string>? added = null)
    {
        var model = Opened(files, options, added);
        try
        {
            return make(model);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static OnnxModel Opened(OnnxModelFiles files, OnnxModelOptions options, Func<OnnxGraph, string>? added)
    {
        var path = files.Model;
        var graph = OnnxGraph.Read(path);
        foreach (var file in graph.WeightFiles)
        {
            if (file.Length == 0 || System.IO.Path.IsPathRooted(file) || file.Split('/', '\\').Contains("..") || file.Contains(':'))
                throw new InvalidFileException(path, $"it says that its weights are in \"{file}\", which is no file of its folder.",
                    "Do not use it: take an export of the model from where you trust it.");
            if (files.Companion(file) is null)
                throw new InvalidFileException(path, $"its weights are in a file {file}, which is not beside it.",
                    "Put it there, or take an export in one file.");
        }

        var output = added?.Invoke(graph);
        if (output is not null && !graph.Holds(output))
            throw new InvalidFileException(path, $"there is no value {output} inside the network.",
                "Name one that a viewer of ONNX files shows, or none for what the last layer takes.");
        try
        {
            using var session = Session(options);
            if (output is null || graph.Outputs.Contains(output)) return new(path, graph, new InferenceSession(path, session));
            session.AddSessionConfigEntry("session.model_external_initializers_file_folder_path",
                System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
            return new(path, graph, new InferenceSession(OnnxCopy.WithOutput(path, output), session));
        }
        catch (OnnxRuntimeException e)
        {
            throw new InvalidFileException(path, $"ONNX Runtime cannot run it: {e.Message.TrimEnd('.')}.",
                "Download it again, or take another export of the model.", e);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or TypeInitializationException)
        {
            throw new NotSupportedException(
                "ONNX Runtime's native library cannot be loaded: add the package Microsoft.ML.OnnxRuntime (or "
                    + $"Microsoft.ML.OnnxRuntime.Gpu, of the same version) to the program. {(e.InnerException ?? e).Message}", e);
        }
    }

    private static SessionOptions Session(OnnxModelOptions options)
    {
        var session = new SessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        try
        {
            if (options.Threads is { } threads) session.IntraOpNumThreads = threads;
            options.Configure?.Invoke(session);
            return session;
        }
        catch (Exception e)
        {
            session.Dispose();
            // What is missing there, mostly a GPU's library, is no fault of the model.
            if (e is not (OnnxRuntimeException or DllNotFoundException or EntryPointNotFoundException or NotSupportedException)) throw;
            throw new InvalidOptionsException([new($"{options.GetType().Name}.{nameof(options.Configure)}", "set",
                $"ONNX Runtime refuses it: {e.Message.TrimEnd('.')}",
                "take the package of ONNX Runtime that has what it asks for, with what that needs, or leave it unset")]);
        }
    }

    /// <summary>Runs the network.</summary>
    /// <param name="inputs">A value for each input.</param>
    /// <param name="outputs">The names of the outputs that are wanted.</param>
    /// <param name="cancellationToken">Ends the run at the next operation.</param>
    /// <returns>The outputs, in the order of the names.</returns>
    /// <exception cref="InvalidOperationException">The network failed; the message names it and what it was given.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    internal IReadOnlyList<OnnxArray> Run(IReadOnlyList<(string Name, OrtValue Value)> inputs, IReadOnlyList<string> outputs,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var run = new RunOptions();
        using var registration = cancellationToken.Register(() => run.Terminate = true);
        try
        {
            using var results = _session.Run(run, [.. inputs.Select(input => input.Name)], [.. inputs.Select(input => input.Value)],
                outputs);
            return [.. results.Select(Floats)];
        }
        catch (OnnxRuntimeException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var given = string.Join(", ", inputs.Select(input =>
                $"{input.Name} [{string.Join(", ", input.Value.GetTensorTypeAndShape().Shape)}]"));
            throw new InvalidOperationException($"{Path}: the network failed with {given}: {e.Message.TrimEnd('.')}. "
                + "Show it fewer images at once, or take another export of the model.", e);
        }
    }

    /// <summary>A fault of this model's file.</summary>
    internal InvalidFileException Unfit(string fault, string remedy) => new(Path, fault, remedy);

    /// <summary>Frees the network.</summary>
    public void Dispose() => _session.Dispose();

    private static OnnxValue Value(string name, NodeMetadata data) => data.IsTensor ? new(name, data.ElementDataType, data.Dimensions)
        : new(name, TensorElementType.DataTypeMax, []);

    private static OnnxArray Floats(OrtValue value)
    {
        var info = value.GetTensorTypeAndShape();
        return info.ElementDataType switch
        {
            TensorElementType.Float => new(value.GetTensorDataAsSpan<float>().ToArray(), info.Shape),
            TensorElementType.Float16 => new(Widened(MemoryMarshal.Cast<Float16, Half>(value.GetTensorDataAsSpan<Float16>())), info.Shape),
            _ => throw new InvalidOperationException($"the network gave numbers of type {info.ElementDataType}, not floating-point ones. "
                + "Take an export with float32 outputs."),
        };
    }

    private static float[] Widened(ReadOnlySpan<Half> halves)
    {
        var floats = new float[halves.Length];
        for (var i = 0; i < floats.Length; i++) floats[i] = (float)halves[i];
        return floats;
    }
}
