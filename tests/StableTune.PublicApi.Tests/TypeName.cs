using System.Reflection;

namespace StableTune.PublicApi.Tests;

/// <summary>Writes a type as C# does: keywords, <c>?</c> where null is allowed, names of tuple elements; no namespaces, so that lines stay short.</summary>
/// <remarks>
/// The compiler stores annotations as flat lists, in the order in which a type is read from left to right; an instance walks along them.
/// <see href="https://github.com/dotnet/roslyn/blob/main/docs/features/nullable-metadata.md"/> describes the list of nullability.
/// </remarks>
internal sealed class TypeName
{
    private const byte Nullable = 2;

    private static readonly Dictionary<Type, string> s_keywords = new()
    {
        [typeof(void)] = "void", [typeof(object)] = "object", [typeof(string)] = "string", [typeof(bool)] = "bool", [typeof(char)] = "char",
        [typeof(byte)] = "byte", [typeof(sbyte)] = "sbyte", [typeof(short)] = "short", [typeof(ushort)] = "ushort", [typeof(int)] = "int",
        [typeof(uint)] = "uint", [typeof(long)] = "long", [typeof(ulong)] = "ulong", [typeof(nint)] = "nint", [typeof(nuint)] = "nuint",
        [typeof(float)] = "float", [typeof(double)] = "double", [typeof(decimal)] = "decimal",
    };

    private readonly byte[] _nullability;
    private readonly string?[] _tupleNames;
    private int _nullabilityIndex, _tupleIndex;

    private TypeName(byte[] nullability, string?[] tupleNames) => (_nullability, _tupleNames) = (nullability, tupleNames);

    public static string Of(Type type) => new TypeName([0], []).Write(type);

    public static string Of(ParameterInfo parameter) =>
        Annotated(parameter.GetCustomAttributesData(), parameter.Member).Write(parameter.ParameterType);

    public static string Of(PropertyInfo property) => Annotated(property.GetCustomAttributesData(), property).Write(property.PropertyType);

    public static string Of(FieldInfo field) => Annotated(field.GetCustomAttributesData(), field).Write(field.FieldType);

    public static string Of(EventInfo member) => Annotated(member.GetCustomAttributesData(), member).Write(member.EventHandlerType!);

    private static TypeName Annotated(IList<CustomAttributeData> attributes, MemberInfo member)
    {
        var names = Argument(attributes, "TupleElementNamesAttribute")?.Value as IReadOnlyCollection<CustomAttributeTypedArgument>;
        return new TypeName(Nullability(attributes, member), [.. (names ?? []).Select(name => (string?)name.Value)]);
    }

    /// <summary>The attribute of the thing itself, else the nearest context around it, else "unknown".</summary>
    private static byte[] Nullability(IList<CustomAttributeData> attributes, MemberInfo member)
    {
        if (Argument(attributes, "NullableAttribute") is { } own)
            return own.Value is IReadOnlyCollection<CustomAttributeTypedArgument> list ? [.. list.Select(b => (byte)b.Value!)] : [(byte)own.Value!];
        for (var around = member; around is not null; around = around.DeclaringType)
            if (Argument(around.GetCustomAttributesData(), "NullableContextAttribute") is { } context) return [(byte)context.Value!];
        return [0];
    }

    private static CustomAttributeTypedArgument? Argument(IList<CustomAttributeData> attributes, string name) =>
        attributes.FirstOrDefault(a => a.AttributeType.Name == name)?.ConstructorArguments[0];

    private string Write(Type type)
    {
        if (type.IsByRef) return Write(type.GetElementType()!);
        if (type.IsPointer) return Write(type.GetElementType()!) + "*";
        if (System.Nullable.GetUnderlyingType(type) is { } value) return Write(value) + "?";
        var mark = TakesFlag(type) && NextFlag() == Nullable ? "?" : "";
        if (type.IsArray) return $"{Write(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]{mark}";
        return (s_keywords.TryGetValue(type, out var keyword) ? keyword : IsTuple(type) ? Tuple(type) : Named(type)) + mark;
    }

    private static bool TakesFlag(Type type) => !type.IsValueType || type.IsGenericType;

    private byte NextFlag() => _nullability.Length == 1 ? _nullability[0] : _nullability[_nullabilityIndex++];

    private static bool IsTuple(Type type) => type.IsConstructedGenericType && type.FullName?.StartsWith("System.ValueTuple`", StringComparison.Ordinal) == true;

    private string Tuple(Type type)
    {
        var elements = type.GetGenericArguments();
        var names = elements.Select(_ => _tupleNames.Length == 0 ? null : _tupleNames[_tupleIndex++]).ToArray();
        return $"({string.Join(", ", elements.Zip(names, (element, name) => name is null ? Write(element) : $"{Write(element)} {name}").ToArray())})";
    }

    private string Named(Type type)
    {
        var mark = type.Name.IndexOf('`', StringComparison.Ordinal);
        if (mark < 0) return type.Name;
        return $"{type.Name[..mark]}<{string.Join(", ", type.GetGenericArguments().Select(Write).ToArray())}>";
    }
}
