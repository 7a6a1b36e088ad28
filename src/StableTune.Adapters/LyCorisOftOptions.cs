namespace StableTune.Adapters;

/// <summary>What LyCORIS' orthogonal kinds have in common: <see cref="DiagOftOptions"/> and <see cref="BoftOptions"/>.</summary>
public abstract record LyCorisOftOptions : OrthogonalAdapterOptions
{
    /// <summary>
    /// How far outputs may be turned: the largest norm of all blocks together, divided by the number of outputs (<c>constraint</c>). 0, the
    /// default, for no limit.
    /// </summary>
    public float Constraint { get; init; }

    /// <summary>Whether a trained factor scales each output too (<c>rescaled</c>). Default false.</summary>
    public bool Rescaled { get; init; }

    internal override double Limit => Constraint;

    internal override bool HasRescale => Rescaled;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (!(Constraint >= 0 && float.IsFinite(Constraint)))
            yield return Problem(Constraint, "the constraint must not be negative", "0 for none, 1e-4 to 1e-2 is customary");
    }

    /// <summary>The kind by the names of the reference's arguments.</summary>
    /// <param name="algorithm">What LyCORIS calls it (<c>algo</c>).</param>
    /// <param name="rank">Its <c>network_dim</c>.</param>
    private protected AdapterDescription Describe(string algorithm, int rank) => new("lycoris.kohya", rank)
    {
        Arguments = new OrderedDictionary<string, object?>
        {
            ["algo"] = algorithm, ["constraint"] = PythonRepr.Of(Constraint), ["rescaled"] = Rescaled ? "True" : "False",
        },
    };
}
