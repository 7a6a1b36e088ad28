using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.Json.Serialization;

namespace StableTune.Configuration;

/// <summary>Compares options by their values: lists item by item, records property by property, other classes by what they say of
/// themselves.</summary>
internal static class PlanComparison
{
    private const int Deepest = 10;

    /// <summary>What differs, as "Loss.Weightings[0].Gamma is 5, and was not set".</summary>
    public static IEnumerable<string> Differences(object? now, object? then)
    {
        var (here, there) = (Facts(now), Facts(then));
        return from key in here.Keys.Union(there.Keys)
               let one = here.GetValueOrDefault(key, "not set")
               let other = there.GetValueOrDefault(key, "not set")
               where one != other
               select $"{key.TrimStart('.')} is {one}, and was {other}";
    }

    private static OrderedDictionary<string, string> Facts(object? value)
    {
        var facts = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        Add(facts, "", value, 0);
        return facts;
    }

    private static void Add(OrderedDictionary<string, string> facts, string name, object? value, int depth)
    {
        switch (value)
        {
            case null: return;
            case string text: facts[name] = text; break;
            case Enum or IFormattable or bool: facts[name] = Convert.ToString(value, CultureInfo.InvariantCulture)!; break;
            case IDictionary map:
                foreach (DictionaryEntry entry in map) Add(facts, $"{name}.{entry.Key}", entry.Value, depth + 1);
                break;
            case IEnumerable list:
                var count = 0;
                foreach (var item in list) Add(facts, $"{name}[{count++}]", item, depth + 1);
                break;
            default: AddMembers(facts, name, value, depth); break;
        }
    }

    private static void AddMembers(OrderedDictionary<string, string> facts, string name, object value, int depth)
    {
        var type = value.GetType();
        facts[name] = type.GetMethod("<Clone>$") is not null || type.GetMethod(nameof(ToString), Type.EmptyTypes)!.DeclaringType
            == typeof(object) ? type.Name : value.ToString() ?? "";
        if (depth > Deepest || type.Namespace?.StartsWith("StableTune", StringComparison.Ordinal) != true) return;
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
            if (property.GetIndexParameters().Length == 0 && property.CanRead
                && (property.SetMethod is not null || type.GetMethod("<Clone>$") is null))
                Add(facts, $"{name}.{property.Name}", Shown(property, value), depth + 1);
    }

    /// <summary>What is never written says only whether it is there: messages show what differs.</summary>
    private static object? Shown(PropertyInfo property, object value) => property.GetValue(value) is not null
        && property.GetCustomAttribute<JsonIgnoreAttribute>() is not null ? "(not shown)" : property.GetValue(value);
}
