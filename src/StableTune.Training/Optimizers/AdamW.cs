namespace StableTune.Optimizers;

/// <summary>Adam with decoupled weight decay (Loshchilov, Hutter: Decoupled Weight Decay Regularization, arXiv:1711.05101), as
/// torch.optim.AdamW.</summary>
public sealed record AdamWOptions : AdamFamilyOptions
{
    /// <summary>Whether the largest second moment so far is used instead of the present one (Reddi et al., arXiv:1904.09237). Default
    /// false.</summary>
    public bool AmsGrad { get; init; }

    /// <inheritdoc/>
    protected override string ReferenceClass => "torch.optim.adamw.AdamW";

    /// <inheritdoc/>
    protected override IEnumerable<string> FurtherArguments => AmsGrad ? ["amsgrad=True"] : [];

    /// <inheritdoc/>
    public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => StochasticRounding
        ? AdamOnVectors.Plain(this, groups, keepsLargest: AmsGrad)
        : new AdamOnLists(this, groups, decayIsCoupled: false, AmsGrad);
}
