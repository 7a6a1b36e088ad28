namespace StableTune.Models.Tests;

/// <summary>
/// BERT, RoBERTa and LDMBert once more, in double precision and in loops over single numbers, from their papers and weight names: what
/// the modules are
/// compared with. Nothing is shared with them but the names of the weights.
/// </summary>
internal sealed class PlainEncoders
{
    private readonly Dictionary<string, (double[] Values, long[] Shape)> _weights = [];

    /// <summary>Copies the module's weights.</summary>
    public PlainEncoders(nn.Module module)
    {
        using var scope = NewDisposeScope();
        foreach (var (name, weight) in module.state_dict())
            _weights[name] = (weight.detach().to(ScalarType.Float64).contiguous().data<double>().ToArray(), weight.shape);
    }

    /// <summary>The hidden state of one text, [L][C].</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="mask">Which places may be seen; null for all.</param>
    /// <param name="options">Heads, activation, eps, positions.</param>
    /// <param name="layers">Layers to run.</param>
    public double[][] Bert(long[] ids, bool[]? mask, BertTextOptions options, int layers)
    {
        var seen = 0;
        var state = ids.Select((id, place) =>
        {
            var isText = id != options.PadTokenId;
            if (isText) seen++;
            var position = !options.PositionsFollowPadding ? place : isText ? options.PadTokenId + seen : options.PadTokenId;
            var sum = Add(Row("embeddings.word_embeddings.weight", (int)id), Row("embeddings.position_embeddings.weight", position));
            return Norm(Add(sum, Row("embeddings.token_type_embeddings.weight", 0)), "embeddings.LayerNorm", options.LayerNormEps);
        }).ToArray();

        for (var i = 0; i < layers; i++)
        {
            var layer = $"encoder.layer.{i}.";
            var (query, key, value) = (
                Linear(state, layer + "attention.self.query"), Linear(state, layer + "attention.self.key"),
                    Linear(state, layer + "attention.self.value"));
            var mixed = Linear(Attend(query, key, value, mask, options.Heads), layer + "attention.output.dense");
            var attended = state.Select((row, l) => Norm(Add(row, mixed[l]), layer + "attention.output.LayerNorm", options.LayerNormEps))
                .ToArray();
            var wide = Linear(attended, layer + "intermediate.dense")
                .Select(row => row.Select(x => Activate(x, options.Activation)).ToArray()).ToArray();
            var narrow = Linear(wide, layer + "output.dense");
            state = attended.Select((row, l) => Norm(Add(row, narrow[l]), layer + "output.LayerNorm", options.LayerNormEps)).ToArray();
        }

        return state;
    }

    /// <summary>The hidden state of one text, [L][C].</summary>
    public double[][] LdmBert(long[] ids, bool[]? mask, LdmBertOptions options, int layers, bool finalNorm)
    {
        var state = ids.Select((id, place) => Add(Row("model.embed_tokens.weight", (int)id), Row("model.embed_positions.weight", place)))
            .ToArray();
        for (var i = 0; i < layers; i++)
        {
            var layer = $"model.layers.{i}.";
            var normed = state.Select(row => Norm(row, layer + "self_attn_layer_norm", 1e-5)).ToArray();
            var (query, key, value) = (
                Linear(normed, layer + "self_attn.q_proj"), Linear(normed, layer + "self_attn.k_proj"),
                    Linear(normed, layer + "self_attn.v_proj"));
            var mixed = Linear(Attend(query, key, value, mask, options.Heads), layer + "self_attn.out_proj");
            state = state.Select((row, l) => Add(row, mixed[l])).ToArray();
            normed = state.Select(row => Norm(row, layer + "final_layer_norm", 1e-5)).ToArray();
            var wide = Linear(normed, layer + "fc1").Select(row => row.Select(x => Activate(x, options.Activation)).ToArray()).ToArray();
            var narrow = Linear(wide, layer + "fc2");
            state = state.Select((row, l) => Add(row, narrow[l])).ToArray();
        }

        return finalNorm ? state.Select(row => Norm(row, "model.layer_norm", 1e-5)).ToArray() : state;
    }

    private static double[][] Attend(double[][] query, double[][] key, double[][] value, bool[]? mask, int heads)
    {
        var size = query[0].Length / heads;
        var result = query.Select(row => new double[row.Length]).ToArray();
        for (var head = 0; head < heads; head++)
        {
            for (var l = 0; l < query.Length; l++)
            {
                var weights = new double[key.Length];
                var total = 0.0;
                for (var s = 0; s < key.Length; s++)
                {
                    if (mask is not null && !mask[s]) continue;
                    var score = 0.0;
                    for (var c = 0; c < size; c++) score += query[l][head * size + c] * key[s][head * size + c];
                    total += weights[s] = Math.Exp(score / Math.Sqrt(size));
                }

                for (var s = 0; s < key.Length; s++)
                    for (var c = 0; c < size; c++) result[l][head * size + c] += weights[s] / total * value[s][head * size + c];
            }
        }

        return result;
    }

    private static double Activate(double x, string name) => name switch
    {
        "gelu" => x * 0.5 * (1 + Erf(x / Math.Sqrt(2))),
        "gelu_new" => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
        "relu" => Math.Max(x, 0),
        "silu" => x / (1 + Math.Exp(-x)),
        "quick_gelu" => x / (1 + Math.Exp(-1.702 * x)),
        "tanh" => Math.Tanh(x),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "unknown"),
    };

    /// <summary>2/√π · Σ (-1)ⁿ x^(2n+1) / (n! (2n+1)): exact to 1e-12 for the |x| below 5 that occur; beyond it is ±1.</summary>
    private static double Erf(double x)
    {
        if (Math.Abs(x) > 5) return Math.Sign(x);
        var (sum, term) = (x, x);
        for (var n = 1; n < 200; n++)
        {
            term *= -x * x / n;
            sum += term / (2 * n + 1);
        }

        return 2 / Math.Sqrt(Math.PI) * sum;
    }

    private double[][] Linear(double[][] input, string name)
    {
        var (weight, shape) = _weights[name + ".weight"];
        var (rows, columns) = ((int)shape[0], (int)shape[1]);
        var bias = _weights.TryGetValue(name + ".bias", out var found) ? found.Values : new double[rows];
        return input.Select(x =>
        {
            var y = new double[rows];
            for (var r = 0; r < rows; r++)
            {
                y[r] = bias[r];
                for (var c = 0; c < columns; c++) y[r] += weight[r * columns + c] * x[c];
            }

            return y;
        }).ToArray();
    }

    private double[] Norm(double[] x, string name, double eps)
    {
        var (mean, weight, bias) = (x.Average(), _weights[name + ".weight"].Values, _weights[name + ".bias"].Values);
        var deviation = Math.Sqrt(x.Select(value => (value - mean) * (value - mean)).Average() + eps);
        return x.Select((value, c) => (value - mean) / deviation * weight[c] + bias[c]).ToArray();
    }

    private double[] Row(string name, int row)
    {
        var (values, shape) = _weights[name];
        return values.AsSpan(row * (int)shape[1], (int)shape[1]).ToArray();
    }

    private static double[] Add(double[] a, double[] b) => a.Zip(b, (x, y) => x + y).ToArray();
}
