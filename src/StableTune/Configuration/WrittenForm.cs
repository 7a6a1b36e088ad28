using System.Reflection;

namespace StableTune.Configuration;

/// <summary>Types with a notation of their own: those that have a public static <c>Parse(string)</c> which gives them, and whose
/// <see cref="object.ToString"/> writes what it reads.</summary>
internal static class WrittenForm
{
    /// <summary>Reads the notation of a type, with a <see cref="FormatException"/> or <see cref="ArgumentException"/> that says what is
    /// wrong; null for a type without one. Numbers are no such types: they are written as all numbers are.</summary>
    public static Func<string, object>? Parser(Type type)
    {
        if (type.IsValueType || type == typeof(string)) return null;
        var parse = type.GetMethod("Parse", BindingFlags.Public | BindingFlags.Static | BindingFlags.FlattenHierarchy, [typeof(string)]);
        if (parse is null || !parse.ReturnType.IsAssignableFrom(type)) return null;
        return text => parse.Invoke(null, BindingFlags.DoNotWrapExceptions, null, [text], null)!;
    }
}
