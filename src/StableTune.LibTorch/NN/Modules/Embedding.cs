using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch.Modules;

/// <summary>A table of vectors, looked up by number.</summary>
public sealed class Embedding : nn.Module<Tensor, Tensor>
{
    /// <summary>Creates the table, drawn from the standard normal distribution as PyTorch does.</summary>
    /// <param name="num_embeddings">Number of rows.</param>
    /// <param name="embedding_dims">Width of a row.</param>
    /// <param name="padding_idx">A row that begins as zeros and gets no gradient, or null; negative counts from the end.</param>
    /// <param name="device">Where the table lives; null for the CPU.</param>
    /// <param name="dtype">Its type; null for float32.</param>
    /// <param name="generator">What the initial values are drawn from; null for the global generator.</param>
    /// <exception cref="ArgumentOutOfRangeException">The padding index is no row.</exception>
    public Embedding(
        long num_embeddings, long embedding_dims, long? padding_idx = null, Device? device = null, ScalarType? dtype = null, Generator? generator = null)
        : base(nameof(Embedding))
    {
        if (padding_idx is { } index && (index >= num_embeddings || index < -num_embeddings))
            throw new ArgumentOutOfRangeException(nameof(padding_idx), padding_idx, $"Embedding: the table has {num_embeddings} rows.");
        this.num_embeddings = num_embeddings;
        embedding_dim = embedding_dims;
        this.padding_idx = padding_idx < 0 ? padding_idx + num_embeddings : padding_idx;
        weight = nn.Uninitialized([num_embeddings, embedding_dims], dtype, device);
        register_parameter(nameof(weight), weight);
        if (engine.InitIsSkipped) return;
        using var frozen = no_grad();
        using var scope = NewDisposeScope();
        nn.init.normal_(weight, generator: generator);
        if (this.padding_idx is { } padding) weight.select(0, padding).zero_();
    }

    /// <summary>The table, [num_embeddings, embedding_dim].</summary>
    public Parameter weight { get; }

    /// <summary>Number of rows.</summary>
    public long num_embeddings { get; }

    /// <summary>Width of a row.</summary>
    public long embedding_dim { get; }

    /// <summary>The row that gets no gradient, or null.</summary>
    public long? padding_idx { get; }

    /// <summary>Looks rows up.</summary>
    /// <param name="input">Row numbers of any shape, int64 or int32, each below <see cref="num_embeddings"/>.</param>
    /// <returns>[..., embedding_dim].</returns>
    public override Tensor forward(Tensor input) => nn.functional.embedding(input, weight, padding_idx);
}
