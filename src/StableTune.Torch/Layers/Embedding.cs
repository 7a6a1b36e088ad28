using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>A table of vectors, looked up by number.</summary>
/// <remarks>As <c>torch.nn.Embedding</c>.</remarks>
public sealed class Embedding : Layer
{
    private Parameter _weight;

    /// <summary>Creates the table, drawn from the standard normal distribution as PyTorch does.</summary>
    /// <param name="numEmbeddings">Number of rows.</param>
    /// <param name="embeddingDim">Width of a row.</param>
    /// <param name="paddingIndex">A row that begins as zeros and gets no gradient, or null; negative counts from the end.</param>
    /// <exception cref="ArgumentOutOfRangeException">The padding index is no row.</exception>
    public Embedding(long numEmbeddings, long embeddingDim, long? paddingIndex = null) : base(nameof(Embedding))
    {
        if (paddingIndex is { } index && (index >= numEmbeddings || index < -numEmbeddings))
            throw new ArgumentOutOfRangeException(nameof(paddingIndex), paddingIndex, $"Embedding: the table has {numEmbeddings} rows.");
        (num_embeddings, embedding_dim) = (numEmbeddings, embeddingDim);
        padding_idx = paddingIndex < 0 ? paddingIndex + numEmbeddings : paddingIndex;
        _weight = LayerInitialization.Uninitialized(numEmbeddings, embeddingDim);
        LayerInitialization.DrawNormal(_weight, padding_idx);
        register_parameter(nameof(weight), _weight);
    }

    /// <summary>The table, [num_embeddings, embedding_dim].</summary>
    public Parameter weight { get => _weight; set => _weight = Replace(nameof(weight), _weight, value)!; }

    /// <summary>Number of rows.</summary>
    public long num_embeddings { get; }

    /// <summary>Width of a row.</summary>
    public long embedding_dim { get; }

    /// <summary>The row that gets no gradient, or null.</summary>
    public long? padding_idx { get; }

    /// <summary>Looks rows up.</summary>
    /// <param name="input">Row numbers of any shape, int64 or int32, each below <see cref="num_embeddings"/>.</param>
    /// <returns>[..., embedding_dim], of the table's type.</returns>
    /// <exception cref="TorchException">A number is no row.</exception>
    public override Tensor forward(Tensor input)
    {
        try
        {
            return Lookup.Call(_weight, input, padding_idx ?? -1, false, false);
        }
        catch (TorchException e)
        {
            throw new TorchException($"Embedding of {num_embeddings} rows", e.Message, input, _weight);
        }
    }

    private static readonly Operator Lookup = new("aten::embedding");
}
