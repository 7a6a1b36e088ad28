using System.Buffers;

namespace StableTune.Optimizers;

/// <summary>What a step of <see cref="MuonOptions"/> is scaled by, because its size depends on the shape of the matrix.</summary>
public enum MuonScale
{
    /// <summary>0.2·√max(rows, columns): steps as long as AdamW's, whose learning rates then suit (arXiv:2502.16982).</summary>
    MatchRmsAdamw,

    /// <summary>√max(1, rows/columns), as at first: learning rates are then some ten times as high as AdamW's.</summary>
    Original,
}

/// <summary>
/// Momentum whose steps are made orthogonal: all directions of a matrix count alike. Convolutions are seen as matrices, [out, rest];
/// parameters with one dimension, such as biases and norms, are stepped by AdamW at the same learning rate. As <c>torch.optim.Muon</c>,
/// which refuses all but matrices.
/// </summary>
/// <remarks>Jordan et al.: Muon: An optimizer for hidden layers in neural networks, 2024, kellerjordan.github.io/posts/muon; Liu et al.:
/// Muon is Scalable for LLM Training, arXiv:2502.16982. Computed in float32, where the references take bfloat16.</remarks>
public sealed record MuonOptions : OptimizerOptions
{
    /// <summary>The momentum, in [0, 1). Default 0.95.</summary>
    public double Momentum { get; init; } = 0.95;

    /// <summary>Whether the present gradient counts once more, Nesterov's way. Default true.</summary>
    public bool Nesterov { get; init; } = true;

    /// <summary>Newton-Schulz iterations, 1 to 99. Default 5.</summary>
    public int NsSteps { get; init; } = 5;

    /// <summary>What the step is scaled by. Default <see cref="MuonScale.MatchRmsAdamw"/>; torch's is
    /// <see cref="MuonScale.Original"/>.</summary>
    public MuonScale AdjustLrFn { get; init; } = MuonScale.MatchRmsAdamw;

    /// <summary>Weight decay per unit of learning rate, not negative. Default 0.1.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>β₁ of AdamW for parameters with one dimension, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂ of AdamW for parameters with one dimension, in [0, 1). Default 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε of AdamW for parameters with one dimension; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <inheritdoc/>
    public override string ReferenceName => ReferenceClass.With("torch.optim._muon.Muon",
    [
        ("weight_decay", WeightDecay, 0.1), ("momentum", Momentum, 0.95), ("nesterov", Nesterov, true),
        ("ns_steps", NsSteps, 5), ("adjust_lr_fn", AdjustLrFn == MuonScale.Original ? null : "match_rms_adamw", null),
    ]);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() =>
    [
        .. Share(Momentum, "0.95"),
        .. NsSteps is >= 1 and <= 99 ? [] : new[] { Problem(NsSteps, "the iterations must be 1 to 99", "5 is customary") },
        .. Enum.IsDefined(AdjustLrFn) ? []
            : new[] { Problem(AdjustLrFn, "there is no such scale", "use MatchRmsAdamw or Original") },
        .. NotNegative(WeightDecay, "0 turns it off"), .. Share(Beta1, "0.9"), .. Share(Beta2, "0.999"), .. Positive(Epsilon, "1e-8"),
    ];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Muon(this, groups);
}

/// <summary>
/// θ ← θ(1 − lr·wd); b ← μb + (1 − μ)g; u = (1 − μ)g + μb; θ ← θ − lr·scale·O, O the orthogonal matrix nearest to u, about: singular values
/// from 0.7 to 1.2.
/// </summary>
internal sealed class Muon(MuonOptions options, IReadOnlyList<ParameterGroup> groups)
    : ShapedOptimizer(options, groups, Zeros(First), Zeros(Second, shape => shape.Length < 2 ? shape : null))
{
    /// <summary>The polynomial whose repetition draws singular values towards 1 fastest.</summary>
    internal const double A = 3.4445, B = -4.7750, C = 2.0315;

    internal const double LeastNorm = 1e-7;

    private const string First = "m", Second = "v";

    protected override void Update(ShapeBatch batch)
    {
        batch.Weights.mul_(1 - (batch.LearningRate * (batch.Group.WeightDecay ?? options.WeightDecay)));
        if (batch.Rank < 2) StepAsAdam(batch);
        else StepAsMuon(batch);
    }

    private void StepAsMuon(ShapeBatch batch)
    {
        var (g, b) = (batch.Gradients, batch[First]);
        b.mul_(options.Momentum).add_(g, alpha: 1 - options.Momentum);
        var u = options.Nesterov ? (b * options.Momentum).add_(g, alpha: 1 - options.Momentum) : b;
        var matrices = u.flatten(2);                                               // [K, rows, columns]
        var (rows, columns) = (matrices.shape[1], matrices.shape[2]);
        batch.Weights.add_(Orthogonal(matrices, options.NsSteps).view(u.shape), alpha: -batch.LearningRate * Scale(rows, columns));
    }

    private double Scale(long rows, long columns) => options.AdjustLrFn == MuonScale.Original
        ? Math.Sqrt(Math.Max(1, (double)rows / columns)) : 0.2 * Math.Sqrt(Math.Max(rows, columns));

    protected override bool WorksOnHost(long[] shape) =>
        shape.Length >= 2 && shape[0] > 0 && Math.Min(shape[0], shape[1..].Aggregate((a, b) => a * b)) is > 0 and <= MuonOnHost.MostRows;

    protected override unsafe void Update(HostTensor at)
    {
        var first = at[First];
        var (kept, rest, decay) = ((float)options.Momentum, (float)(1 - options.Momentum),
            (float)(1 - (at.LearningRate * (at.Group.WeightDecay ?? options.WeightDecay))));
        var scratch = ArrayPool<float>.Shared.Rent((int)at.Count);
        fixed (float* u = scratch)
        {
            for (var i = 0L; i < at.Count; i++)
            {
                first[i] = (first[i] * kept) + (at.Gradient[i] * rest);
                u[i] = options.Nesterov ? (first[i] * kept) + (at.Gradient[i] * rest) : first[i];
                at.Weight[i] *= decay;
            }

            // Convolutions are matrices of [out, rest].
            var (rows, columns) = (at.Outputs, at.Count / at.Outputs);
            MuonOnHost.Move(at.Weight, u, rows, columns, options.NsSteps, (float)(at.LearningRate * Scale(rows, columns)));
        }

        ArrayPool<float>.Shared.Return(scratch);
    }

    private void StepAsAdam(ShapeBatch batch)
    {
        var (g, m, v) = (batch.Gradients, batch[First], batch[Second]);
        m.mul_(options.Beta1).add_(g, alpha: 1 - options.Beta1);
        v.mul_(options.Beta2).addcmul_(g, g, 1 - options.Beta2);
        var root = v.sqrt().div_(Math.Sqrt(1 - Math.Pow(options.Beta2, batch.Step))).add_(options.Epsilon);
        batch.Weights.addcdiv_(m, root, -batch.LearningRate / (1 - Math.Pow(options.Beta1, batch.Step)));
    }

    /// <summary>The orthogonal factor of each matrix, about: X ← aX + (bXXᵀ + c(XXᵀ)²)X, from X = M/‖M‖.</summary>
    /// <param name="matrices">[K, N, M].</param>
    /// <param name="iterations">How often.</param>
    private static Tensor Orthogonal(Tensor matrices, int iterations)
    {
        var isTall = matrices.shape[1] > matrices.shape[2];
        var x = isTall ? matrices.transpose(1, 2) : matrices;                      // so that XXᵀ is the smaller product
        x /= x.pow(2).sum([1, 2], keepdim: true).sqrt().add_(LeastNorm);
        for (var i = 0; i < iterations; i++)
        {
            var product = x.matmul(x.transpose(1, 2));
            x = (x * A).add_((product * B).add_(product.matmul(product), alpha: C).matmul(x));
        }

        return (isTall ? x.transpose(1, 2) : x).contiguous();
    }
}
