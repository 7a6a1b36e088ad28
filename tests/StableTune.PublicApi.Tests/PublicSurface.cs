using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace StableTune.PublicApi.Tests;

/// <summary>All that a program outside an assembly can name, one line each, in ordinal order.</summary>
/// <remarks>What the compiler writes for records (equality, printing, copying) and overridden finalizers are left out: they say nothing.</remarks>
internal static class PublicSurface
{
    private const BindingFlags Declared = BindingFlags.DeclaredOnly | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static;

    public static IReadOnlyList<string> Lines(Assembly assembly) => [.. assembly.GetTypes().Where(IsVisible).SelectMany(Lines).Order(StringComparer.Ordinal)];

    public static IEnumerable<string> Lines(Type type)
    {
        var name = FullName(type);
        yield return name + TypeLine(type);
        if (typeof(Delegate).IsAssignableFrom(type)) yield break;
        foreach (var member in type.IsEnum ? EnumValues(type) : Members(type)) yield return $"{name}.{member}";
    }

    // The compiler's own types, such as those that describe extension members, have names that no program can write.
    private static bool IsVisible(Type type) => !type.Name.StartsWith('<') && (type.IsPublic
        || (type.IsNestedPublic || type.IsNestedFamily || type.IsNestedFamORAssem) && IsVisible(type.DeclaringType!));

    private static string FullName(Type type) => type.DeclaringType is { } outer ? $"{FullName(outer)}.{TypeName.Of(type)}" : $"{type.Namespace}.{TypeName.Of(type)}";

    private static string TypeLine(Type type)
    {
        if (type.IsSubclassOf(typeof(Delegate)))
        {
            var invoke = type.GetMethod("Invoke")!;
            return $" (delegate ({MemberLine.Parameters(invoke)}) -> {TypeName.Of(invoke.ReturnParameter)})";
        }

        if (type.IsEnum) return $" ({(type.IsDefined(typeof(FlagsAttribute)) ? "flags " : "")}enum : {TypeName.Of(Enum.GetUnderlyingType(type))})";
        var bases = Bases(type).ToArray();
        return $" ({Kind(type)}{(bases.Length > 0 ? " : " + string.Join(", ", bases) : "")}{MemberLine.Constraints(type.IsGenericType ? type.GetGenericArguments() : [])})";
    }

    private static string Kind(Type type)
    {
        if (type.IsInterface) return "interface";
        if (type.IsValueType)
        {
            var record = type.GetMethod("PrintMembers", Declared) is not null ? "record " : "";
            return $"{(type.IsDefined(typeof(IsReadOnlyAttribute)) ? "readonly " : "")}{(type.IsByRefLike ? "ref " : "")}{record}struct";
        }

        var word = type.GetMethod("<Clone>$", Declared) is not null ? "record" : "class";
        return (type.IsAbstract, type.IsSealed) switch
        {
            (true, true) => "static class",
            (true, false) => "abstract " + word,
            (false, true) => "sealed " + word,
            _ => word,
        };
    }

    private static IEnumerable<string> Bases(Type type)
    {
        if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType)) yield return TypeName.Of(parent);
        var inherited = (type.BaseType?.GetInterfaces() ?? []).Concat(type.GetInterfaces().SelectMany(i => i.GetInterfaces()));
        var own = type.GetInterfaces().Where(i => i.IsVisible).Except(inherited).Where(i => !IsSelfEquatable(i, type));
        foreach (var name in own.Select(TypeName.Of).Order(StringComparer.Ordinal)) yield return name;
    }

    /// <summary>Every record is equatable with its own kind.</summary>
    private static bool IsSelfEquatable(Type contract, Type type) => Kind(type).Contains("record", StringComparison.Ordinal)
        && contract.IsGenericType && contract.GetGenericTypeDefinition() == typeof(IEquatable<>);

    private static IEnumerable<string> EnumValues(Type type) => Enum.GetNames(type).Select(
        name => $"{name} = {Convert.ToString(Convert.ChangeType(Enum.Parse(type, name), Enum.GetUnderlyingType(type), CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)}");

    private static IEnumerable<string> Members(Type type)
    {
        var simple = type.Name.Split('`')[0];
        foreach (var member in type.GetMembers(Declared).Where(m => !m.IsDefined(typeof(CompilerGeneratedAttribute))))
        {
            var line = member switch
            {
                ConstructorInfo { IsStatic: false } constructor when MemberLine.IsVisible(constructor) => MemberLine.Of(constructor, simple),
                MethodInfo method when MemberLine.IsVisible(method) && IsNamed(method) => MemberLine.Of(method),
                PropertyInfo property when property.Name != "EqualityContract" && property.GetAccessors(nonPublic: true).Any(MemberLine.IsVisible) => MemberLine.Of(property),
                FieldInfo field when field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly => MemberLine.Of(field),
                EventInfo happening when MemberLine.IsVisible(happening.AddMethod!) => MemberLine.Of(happening),
                _ => null,
            };
            if (line is not null) yield return line;
        }
    }

    /// <summary>Accessors are told by their property or event; operators are methods that a program can name.</summary>
    private static bool IsNamed(MethodInfo method) => method.Name != "Finalize" && (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal));
}
