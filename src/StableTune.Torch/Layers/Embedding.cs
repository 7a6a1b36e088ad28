using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>A table of vectors, looked up by number.</summary>
/// <remarks>As <c>torch.nn.Embedding</c>.</remarks>
public sealed class Embedding : Layer
{
    private readonly List<Tensor> _added = [];
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

    /// <summary>
    /// Puts further rows behind those of the table, which can be trained while the table is frozen (textual inversion), and have a type
    /// of their own. They stay the caller's, and
    /// are not in the state dictionary.
    /// </summary>
    /// <param name="rows">[n, embedding_dim].</param>
    /// <returns>The number of the first of them.</returns>
    /// <exception cref="ArgumentException">They are of another width.</exception>
    public long AddRows(Tensor rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.dim() != 2 || rows.size(1) != embedding_dim)
            throw new ArgumentException(
                $"The rows are of shape [{string.Join(", ", rows.shape)}]: those of this table have {embedding_dim} numbers, give [n, "
                    + $"{embedding_dim}].", nameof(rows));
        var first = num_embeddings + AddedRows;
        _added.Add(rows);
        return first;
    }

    /// <summary>Takes rows away that were added; those that were added after them move up. Does nothing when they are not there.</summary>
    /// <param name="rows">What was given to <see cref="AddRows"/>.</param>
    public void RemoveRows(Tensor rows) => _added.RemoveAll(added => ReferenceEquals(added, rows));

    /// <summary>Rows that were added.</summary>
    public long AddedRows => _added.Sum(rows => rows.size(0));

    /// <summary>Looks rows up.</summary>
    /// <param name="input">Row numbers of any shape, int64 or int32, each below <see cref="num_embeddings"/> (plus
    /// <see cref="AddedRows"/>).</param>
    /// <returns>[..., embedding_dim], of the table's type.</returns>
    /// <exception cref="TorchException">A number is no row.</exception>
    public override Tensor forward(Tensor input) => IsWrapped ? Wrapped(input, Compute) : Compute(input);

    private Tensor Compute(Tensor input)
    {
        try
        {
            return _added.Count > 0 ? WithAdded(input) : Lookup.Call(TappedParameter.Of(_weight)!, input, padding_idx ?? -1, false, false);
        }
        catch (TorchException e)
        {
            throw new TorchException($"Embedding of {num_embeddings} rows", e.Message, input, _weight);
        }
    }

    private Tensor WithAdded(Tensor input)
    {
        using var scope = NewDisposeScope();
        var added = _added.Count == 1 ? _added[0] : cat([.. _added.Select(rows => rows.As(_added[0].dtype))], 0L);
        var isLearned = input.ge(num_embeddings);
        var own = Lookup.Call(TappedParameter.Of(_weight)!, input.masked_fill(isLearned, 0), padding_idx ?? -1, false, false);
        var further = Lookup.Call(added, (input - num_embeddings).masked_fill(isLearned.logical_not(), 0), -1, false, false);
        return where(isLearned.unsqueeze(-1), further.As(own.dtype), own).MoveToOuterDisposeScope();
    }

    private static readonly Operator Lookup = new("aten::embedding");
}
