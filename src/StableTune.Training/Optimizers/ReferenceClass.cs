namespace StableTune.Optimizers;

/// <summary>A Python class with its arguments, as the references' metadata write it:
/// <c>torch.optim.sgd.SGD(momentum=0.9,nesterov=True)</c>.</summary>
internal static class ReferenceClass
{
    /// <summary>The class with those arguments that differ from its own defaults.</summary>
    /// <param name="name">Module and class.</param>
    /// <param name="arguments">The name of each argument, its value, and the class's default; another type stands for none.</param>
    public static string With(string name, params IEnumerable<(string Name, object? Value, object? Usual)> arguments)
    {
        string[] said = [.. arguments.Where(argument => !Equals(argument.Value, argument.Usual))
            .Select(argument => $"{argument.Name}={PythonRepr.Of(argument.Value)}")];
        return said.Length == 0 ? name : $"{name}({string.Join(",", said)})";
    }
}
