namespace StableTune;

/// <summary>Something that a user configures and that can say what is wrong with its configuration, before any work starts.</summary>
public interface IValidated
{
    /// <summary>What is wrong; empty when it can work. Reports, never throws, and never repairs.</summary>
    IEnumerable<OptionProblem> Validate() => [];
}
