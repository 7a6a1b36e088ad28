namespace StableTune.Optimizers;

/// <summary>An argument of a reference's optimizer as metadata name it: written only where it differs from the class's own default.</summary>
/// <param name="Name">The reference's name: <c>weight_decay</c>.</param>
/// <param name="Value">The value: a number, a flag, or a tuple of numbers.</param>
/// <param name="Usual">The default of the reference's class.</param>
public readonly record struct ReferenceArgument(string Name, object? Value, object? Usual)
{
    /// <summary>
    /// A class with its arguments as sd-scripts writes them: <c>prodigyopt.prodigy.Prodigy(decouple=True,weight_decay=0.01)</c>; the class
    /// alone where all have their defaults.
    /// </summary>
    /// <param name="referenceClass">The class with its module.</param>
    /// <param name="arguments">All arguments, in the order in which they are written.</param>
    public static string Describe(string referenceClass, IEnumerable<ReferenceArgument> arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        var differing = arguments.Where(argument => !Equals(argument.Value, argument.Usual))
            .Select(argument => $"{argument.Name}={PythonRepr.Of(argument.Value)}").ToList();
        return referenceClass + (differing.Count == 0 ? "" : $"({string.Join(",", differing)})");
    }
}
