using Microsoft.ML.OnnxRuntime;

namespace StableTune.Preparation;

/// <summary>A network in an ONNX file: where it is, and how it is run.</summary>
public abstract record OnnxModelOptions : OptionsBase
{
    /// <summary>
    /// The ONNX file, the folder that holds it, or a name on the hub (<c>owner/name</c>, or <c>owner/name/folder/file.onnx</c>); required
    /// where there is no default.
    /// </summary>
    public string? Model { get; init; }

    /// <summary>How the hub is reached where <see cref="Model"/> is a name on it.</summary>
    public HubOptions Hub { get; init; } = new();

    /// <summary>Threads that compute; null, the default, takes as many as there are cores.</summary>
    public int? Threads { get; init; }

    /// <summary>
    /// Changes how ONNX Runtime runs the model, for instance <c>session => session.AppendExecutionProvider_CUDA()</c>, for which the host
    /// takes the package Microsoft.ML.OnnxRuntime.Gpu. Null, the default, runs it on the processor.
    /// </summary>
    public Action<SessionOptions>? Configure { get; init; }

    /// <summary>The file of a folder or repository that is meant unless another is named.</summary>
    internal virtual string UsualFile => "model.onnx";

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (string.IsNullOrWhiteSpace(Model))
            yield return Problem(Model, "a model is required", "name an ONNX file, its folder, or a repository on the hub");
        if (Threads < 1) yield return Problem(Threads, "at least 1 thread computes", "leave it unset for all cores");
        foreach (var problem in Hub.Validate()) yield return problem;
    }
}
