using System.Reflection;
using System.Text.Json;

namespace StableTune.Configuration;

/// <summary>
/// Sets properties of options records by the names that the references give them, so that a new kind of optimizer or schedule needs no
/// table of its own: <c>weight_decay</c> is <c>WeightDecay</c>.
/// </summary>
internal static class RecordArguments
{
    /// <summary>Names of the references that are not the property's own in other spelling.</summary>
    private static readonly Dictionary<string, string[]> s_aliases = new(StringComparer.Ordinal)
    {
        ["eps"] = ["Epsilon", "Eps"],
        ["lr"] = [],
        ["lambd"] = ["Lambda"],
        ["t0"] = ["AveragesFrom", "T0"],
        ["r"] = ["StepPower"],
        ["weight_lr_power"] = ["RatePower"],
        ["num_cycles"] = ["Cycles", "NumCycles", "Waves"],
        ["lr_end"] = ["EndRate"],
        ["min_lr_ratio"] = ["MinRatio", "MinLrRatio", "MinRateRatio"],
        ["d0"] = ["InitialD", "D0", "InitialDistance"],
        ["d_coef"] = ["Coefficient", "DCoef", "DCoefficient"],
    };

    /// <summary>The record with these properties changed.</summary>
    /// <param name="record">The record, which stays as it is.</param>
    /// <param name="arguments">Values by the references' names, as Python writes them.</param>
    /// <exception cref="FormatException">A name is not known, or a value is of another kind; the message has the known ones.</exception>
    public static T With<T>(T record, IEnumerable<KeyValuePair<string, string>> arguments) where T : class
    {
        var copy = Copy(record);
        foreach (var (name, text) in arguments) Set(copy, name, PythonLiteral.Read(text), text);
        return copy;
    }

    /// <summary>The record with a property changed; null where it has none of these names.</summary>
    public static T? TryWith<T>(T record, object value, params ReadOnlySpan<string> names) where T : class
    {
        foreach (var name in names)
        {
            if (Property(record, name) is not { } property || Converted(value, property.PropertyType) is not { } converted) continue;
            var copy = Copy(record);
            property.SetValue(copy, converted);
            return copy;
        }

        return null;
    }

    /// <summary>Properties that differ from those of another record of the same type, by the references' names.</summary>
    /// <exception cref="NotSupportedException">A property's value cannot be written.</exception>
    public static IEnumerable<KeyValuePair<string, string>> Differences(object record, object usual)
    {
        foreach (var property in Settable(record))
        {
            var (value, other) = (property.GetValue(record), property.GetValue(usual));
            if (!Equals(value, other)) yield return new(Spelled(property.Name), PythonLiteral.Write(value));
        }
    }

    private static void Set<T>(T copy, string name, object? value, string text) where T : class
    {
        if (name == "betas" && value is List<object?> betas && betas.All(beta => beta is double))
        {
            for (var i = 0; i < betas.Count; i++) Set(copy, $"beta{i + 1}", betas[i], text);
            return;
        }

        var property = Candidates(name).Select(candidate => Property(copy, candidate)).FirstOrDefault(found => found is not null)
            ?? throw Unknown(copy, name);
        var mayBeNull = !property.PropertyType.IsValueType || Nullable.GetUnderlyingType(property.PropertyType) is not null;
        if (value is null && mayBeNull) property.SetValue(copy, null);
        else if (WrittenForm.Parser(property.PropertyType) is { } parse)
            property.SetValue(copy, parse(value as string ?? text));
        else if (value is not null && Converted(value, property.PropertyType) is { } converted) property.SetValue(copy, converted);
        else throw new FormatException($"{name} is {ShortText.Of(text)}, and {property.Name} is a {Simple(property.PropertyType)}");
    }

    private static IEnumerable<string> Candidates(string name) =>
        s_aliases.TryGetValue(name, out var known) ? known : [name.Replace("_", "", StringComparison.Ordinal)];

    private static object? Converted(object value, Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsInstanceOfType(value)) return value;
        if (value is string word && type.IsEnum) return Enum.TryParse(type, word.Replace("_", "", StringComparison.Ordinal), true, out var
            choice) ? choice : null;
        if (value is int whole) value = (double)whole;
        if (value is double number && type == typeof(Warmup))
            return number is > 0 and < 1 ? Warmup.Ratio(number) : Warmup.Steps((int)number);
        if (value is List<object?> list && list.All(item => item is double))
        {
            double[] numbers = [.. list.Cast<double>()];
            return type.IsAssignableFrom(typeof(double[])) ? numbers
                : type.IsAssignableFrom(typeof(int[])) ? numbers.Select(item => (int)item).ToArray()
                : type == typeof((double, double)) && numbers.Length == 2 ? (numbers[0], numbers[1]) : null;
        }

        if (value is not double given) return null;
        if (type == typeof(double)) return given;
        if (type == typeof(float)) return (float)given;
        if (type == typeof(int) && given == Math.Floor(given) && Math.Abs(given) <= int.MaxValue) return (int)given;
        return type == typeof(long) && given == Math.Floor(given) ? (long)given : null;
    }

    private static FormatException Unknown(object record, string name)
    {
        var known = Settable(record).Select(property => Spelled(property.Name)).Order(StringComparer.Ordinal).ToList();
        var near = NearName.Of(name, known) is { } found ? $" Did you mean \"{found}\"?" : "";
        return new FormatException($"{record.GetType().Name} knows no \"{ShortText.Of(name)}\".{near} Known are: "
            + string.Join(", ", known));
    }

    /// <summary>snake_case, with <c>eps</c> for ε.</summary>
    private static string Spelled(string property) => property == "Epsilon" ? "eps" : JsonNamingPolicy.SnakeCaseLower.ConvertName(property);

    private static string Simple(Type type) => (Nullable.GetUnderlyingType(type) ?? type) is var plain && plain == typeof(double)
        ? "number" : plain == typeof(int) || plain == typeof(long) ? "whole number" : plain == typeof(bool) ? "True or False" : plain.Name;

    private static PropertyInfo? Property(object record, string name) => Settable(record).FirstOrDefault(property =>
        string.Equals(property.Name, name, StringComparison.OrdinalIgnoreCase));

    private static IEnumerable<PropertyInfo> Settable(object record) =>
        record.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.SetMethod?.IsPublic == true && property.GetIndexParameters().Length == 0);

    /// <summary>What <c>with</c> does, for a record whose type is known only when it runs.</summary>
    private static T Copy<T>(T record) where T : class =>
        (T)(record.GetType().GetMethod("<Clone>$", BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
            ?.Invoke(record, null) ?? throw new ArgumentException($"{record.GetType().FullName} is no record"));
}
