namespace StableTune.Checkpoints;

/// <summary>How a tensor of a single-file checkpoint and the tensor of a module that it becomes differ in shape.</summary>
public enum TensorForm
{
    /// <summary>Not at all: same shape, same bytes.</summary>
    Same,

    /// <summary>A weight [out, in] on both sides. Files that hold a 1x1 convolution [out, in, 1, 1] are taken too: the bytes are the
    /// same.</summary>
    Linear,

    /// <summary>A 1x1 convolution's weight [out, in, 1, 1] on both sides. Files that hold [out, in] are taken too.</summary>
    Convolution,

    /// <summary>[out, in] in the module, a 1x1 convolution [out, in, 1, 1] in the file: attention of the VAE.</summary>
    LinearInModule,

    /// <summary>The first third of the file's rows: queries of a joint projection.</summary>
    Queries,

    /// <summary>The second third of the file's rows: keys.</summary>
    Keys,

    /// <summary>The last third of the file's rows: values.</summary>
    Values,

    /// <summary>Rows and columns exchanged: OpenCLIP applies its text projection from the right.</summary>
    Transposed,
}

/// <summary>What the forms do to shapes.</summary>
internal static class TensorForms
{
    /// <summary>The parts of a joint projection, in the order of its rows.</summary>
    public static IList<TensorForm> Thirds { get; } = [TensorForm.Queries, TensorForm.Keys, TensorForm.Values];

    /// <summary>The shape in the module of what has this shape in the file; null where the form does not allow that shape.</summary>
    public static IReadOnlyList<long>? ModuleShape(this TensorForm form, IReadOnlyList<long> shape) => form switch
    {
        TensorForm.Linear or TensorForm.LinearInModule => Squeeze(shape),
        TensorForm.Convolution => Unsqueeze(shape),
        TensorForm.Queries or TensorForm.Keys or TensorForm.Values =>
            shape.Count > 0 && shape[0] % 3 == 0 ? [shape[0] / 3, .. shape.Skip(1)] : null,
        TensorForm.Transposed => shape.Count == 2 ? [shape[1], shape[0]] : null,
        _ => shape,
    };

    /// <summary>The shape in the file of what has this shape in the module; null where the form does not allow that shape.</summary>
    public static IReadOnlyList<long>? FileShape(this TensorForm form, IReadOnlyList<long> shape) => form switch
    {
        TensorForm.Linear => Squeeze(shape),
        TensorForm.Convolution or TensorForm.LinearInModule => Unsqueeze(shape),
        TensorForm.Queries or TensorForm.Keys or TensorForm.Values => shape.Count > 0 ? [checked(shape[0] * 3), .. shape.Skip(1)] : null,
        TensorForm.Transposed => shape.Count == 2 ? [shape[1], shape[0]] : null,
        _ => shape,
    };

    // Biases have one dimension and stay as they are; so does what is no 1x1 convolution, which then does not fit the module and is
    // reported.
    private static IReadOnlyList<long> Squeeze(IReadOnlyList<long> shape) =>
        shape is [var rows, var columns, 1, 1] ? [rows, columns] : shape;

    private static IReadOnlyList<long> Unsqueeze(IReadOnlyList<long> shape) =>
        shape is [var rows, var columns] ? [rows, columns, 1, 1] : shape;
}
