using System.Runtime.CompilerServices;

namespace StableTune;

/// <summary>The base of all option records: immutable, with working defaults, and able to say what is wrong with them.</summary>
public abstract record OptionsBase : IValidated
{
    /// <summary>What is wrong with these options; empty when they can work. Reports, never throws, and never repairs.</summary>
    public virtual IEnumerable<OptionProblem> Validate() => [];

    /// <summary>A problem of one of this record's properties; the property's name is taken from the first argument.</summary>
    protected OptionProblem Problem<T>(T value, string rule, string remedy, [CallerArgumentExpression(nameof(value))] string name = "") =>
        new($"{GetType().Name}.{name}", value, rule, remedy);
}
