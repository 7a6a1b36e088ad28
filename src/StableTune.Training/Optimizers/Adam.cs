namespace StableTune.Optimizers;

/// <summary>
/// Adam (Kingma, Ba: Adam: A Method for Stochastic Optimization, arXiv:1412.6980), as <c>torch.optim.Adam</c>. A weight decay is added to
/// the gradient, so that the second moment scales it too; <see cref="AdamWOptions"/> keeps it apart.
/// </summary>
public sealed record AdamOptions : AdamFamilyOptions
{
    /// <summary>Adam's defaults: no weight decay.</summary>
    public AdamOptions() => WeightDecay = 0;

    /// <summary>Whether the largest second moment so far is used instead of the present one (Reddi et al., arXiv:1904.09237). Default
    /// false.</summary>
    public bool AmsGrad { get; init; }

    /// <inheritdoc/>
    protected override string ReferenceClass => "torch.optim.adam.Adam";

    /// <inheritdoc/>
    protected override double ReferenceWeightDecay => 0;

    /// <inheritdoc/>
    protected override IEnumerable<string> FurtherArguments => AmsGrad ? ["amsgrad=True"] : [];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => StochasticRounding
        ? AdamOnVectors.Plain(this, groups, decayIsCoupled: true, keepsLargest: AmsGrad)
        : new AdamOnLists(this, groups, decayIsCoupled: true, AmsGrad);
}
