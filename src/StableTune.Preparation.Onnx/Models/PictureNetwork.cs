using Microsoft.ML.OnnxRuntime;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>One output of a network for several pictures.</summary>
/// <param name="Pictures">The numbers for each picture.</param>
/// <param name="Shape">The sizes, without that of the batch.</param>
internal sealed record PictureOutput(IReadOnlyList<float[]> Pictures, IReadOnlyList<int> Shape);

/// <summary>A network that is shown pictures, several at once.</summary>
/// <param name="model">The network; freed with this.</param>
/// <param name="input">Its input for pictures.</param>
/// <param name="scaling">What is done to their values.</param>
/// <param name="bgr">Whether blue comes first.</param>
internal sealed class PictureNetwork(OnnxModel model, PictureInput input, PixelScaling scaling, bool bgr) : IDisposable
{
    /// <summary>The network.</summary>
    internal OnnxModel Model => model;

    /// <summary>Its input for pictures.</summary>
    internal PictureInput Input => input;

    /// <summary>Shows it pictures of one size.</summary>
    /// <param name="pictures">The pictures, RGB, prepared; at least one.</param>
    /// <param name="outputs">The names of the outputs that are wanted.</param>
    /// <param name="others">Values for its other inputs, for a number of pictures; null where it has none.</param>
    /// <param name="cancellationToken">Ends the run at the next operation.</param>
    internal IReadOnlyList<PictureOutput> Run(IReadOnlyList<PixelImage> pictures, IReadOnlyList<string> outputs,
        Func<int, IReadOnlyList<(string Name, OrtValue Value)>>? others, CancellationToken cancellationToken)
    {
        var size = input.Batch ?? pictures.Count;
        var parts = pictures.Chunk(size).Select(part => Part(part, size, outputs, others, cancellationToken)).ToList();
        return parts.Count == 1 ? parts[0] : [.. Enumerable.Range(0, outputs.Count).Select(output =>
            new PictureOutput([.. parts.SelectMany(part => part[output].Pictures)], parts[0][output].Shape))];
    }

    /// <summary>Shows it a blank picture, to see what an output is.</summary>
    /// <param name="blank">The picture, prepared.</param>
    /// <param name="output">The name of the output.</param>
    /// <param name="cancellationToken">Ends the run at the next operation.</param>
    /// <exception cref="InvalidFileException">The network fails.</exception>
    internal PictureOutput Trial(PixelImage blank, string output, CancellationToken cancellationToken)
    {
        try
        {
            return Run([blank], [output], null, cancellationToken)[0];
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidFileException(model.Path, $"a trial with a blank picture fails. {e.Message}",
                "Take another export of the model.", e);
        }
    }

    /// <summary>Frees the network.</summary>
    public void Dispose() => model.Dispose();

    private List<PictureOutput> Part(IReadOnlyList<PixelImage> pictures, int size, IReadOnlyList<string> outputs,
        Func<int, IReadOnlyList<(string Name, OrtValue Value)>>? others, CancellationToken cancellationToken)
    {
        using var shown = input.ToValue(pictures, size, scaling, bgr);
        var further = others?.Invoke(size) ?? [];
        try
        {
            var arrays = model.Run([(input.Value.Name, shown), .. further], outputs, cancellationToken);
            return [.. arrays.Select((array, i) => Cut(array, outputs[i], pictures.Count, size))];
        }
        finally
        {
            foreach (var (_, value) in further) value.Dispose();
        }
    }

    /// <summary>One output, picture by picture.</summary>
    private PictureOutput Cut(OnnxArray array, string name, int count, int size)
    {
        // Some exports drop the dimension of a batch of one.
        if (size == 1 && (array.Shape.Length == 0 || array.Shape[0] != 1))
            return new([array.Values], [.. array.Shape.Select(side => (int)side)]);
        if (array.Shape.Length == 0 || array.Shape[0] != size)
            throw new InvalidOperationException($"{model.Path}: {size} picture(s) were shown, but the output {name} is "
                + $"[{string.Join(", ", array.Shape)}]. Take a model whose outputs have one row for each picture.");
        var length = array.Values.Length / size;
        return new([.. Enumerable.Range(0, count).Select(i => array.Values.AsSpan(i * length, length).ToArray())],
            [.. array.Shape.Skip(1).Select(side => (int)side)]);
    }
}
