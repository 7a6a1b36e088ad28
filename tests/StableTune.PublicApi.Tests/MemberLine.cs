using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace StableTune.PublicApi.Tests;

/// <summary>One member as one line: what comes after the name of its type. Modifiers stand last, so that lines sort by name.</summary>
internal static class MemberLine
{
    public static string Of(ConstructorInfo constructor, string typeName) =>
        $"{typeName}({Parameters(constructor)}){Modifiers(Access(constructor))}";

    public static string Of(MethodInfo method)
    {
        var generic = method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(a => a.Name))}>" : "";
        return $"{method.Name}{generic}({Parameters(method)}) -> {Ref(method.ReturnType)}{TypeName.Of(method.ReturnParameter)}"
            + Constraints(method.IsGenericMethod ? method.GetGenericArguments() : []) + Modifiers(Access(method), Kind(method));
    }

    public static string Of(PropertyInfo property)
    {
        var accessor = property.GetAccessors(nonPublic: true).OrderBy(a => !IsVisible(a)).First();
        var index = property.GetIndexParameters() is { Length: > 0 } parameters ? $"[{string.Join(", ", parameters.Select(Parameter))}]" : "";
        var required = property.IsDefined(typeof(RequiredMemberAttribute)) ? "required" : "";
        var get = property.GetMethod is { } getter && IsVisible(getter) ? Accessor(getter, accessor, "get; ") : "";
        var set = property.SetMethod is { } setter && IsVisible(setter) ? Accessor(setter, accessor, IsInit(setter) ? "init; " : "set; ") : "";
        return $"{(index.Length > 0 ? "this" : property.Name)}{index} -> {Ref(property.PropertyType)}{TypeName.Of(property)} {{ {get}{set}}}"
            + Modifiers(Access(accessor), required, Kind(accessor));
    }

    public static string Of(FieldInfo field)
    {
        var value = field.IsLiteral ? $" = {Value(field.GetRawConstantValue(), field.FieldType)}" : "";
        var kind = field.IsLiteral ? "const" : $"{(field.IsStatic ? "static " : "")}{(field.IsInitOnly ? "readonly" : "")}".Trim();
        return $"{field.Name} -> {TypeName.Of(field)}{value}" + Modifiers(field.IsPublic ? "" : "protected", kind);
    }

    public static string Of(EventInfo member) => $"{member.Name} -> {TypeName.Of(member)}{Modifiers("event", Access(member.AddMethod!), Kind(member.AddMethod!))}";

    public static string Parameters(MethodBase method)
    {
        var text = string.Join(", ", method.GetParameters().Select(Parameter));
        return method.IsDefined(typeof(ExtensionAttribute)) ? "this " + text : text;
    }

    public static string Constraints(IEnumerable<Type> parameters) => string.Concat(parameters.Select(Constraint));

    public static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Constraint(Type parameter)
    {
        var flags = parameter.GenericParameterAttributes;
        List<string> words = [];
        if (flags.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint)) words.Add("class");
        if (flags.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint)) words.Add("struct");
        words.AddRange(parameter.GetGenericParameterConstraints().Where(t => t != typeof(ValueType)).Select(TypeName.Of).Order(StringComparer.Ordinal));
        if (flags.HasFlag(GenericParameterAttributes.DefaultConstructorConstraint) && !words.Contains("struct")) words.Add("new()");
        return words.Count == 0 ? "" : $" where {parameter.Name} : {string.Join(", ", words)}";
    }

    private static string Parameter(ParameterInfo parameter)
    {
        var isParams = parameter.IsDefined(typeof(ParamArrayAttribute)) || parameter.IsDefined(typeof(ParamCollectionAttribute));
        var direction = !parameter.ParameterType.IsByRef ? "" : parameter.IsOut ? "out " : parameter.IsIn ? "in " : "ref ";
        var value = parameter.HasDefaultValue ? $" = {Value(parameter.RawDefaultValue, parameter.ParameterType)}" : "";
        return $"{(isParams ? "params " : "")}{direction}{TypeName.Of(parameter)} {parameter.Name}{value}";
    }

    private static string Value(object? value, Type type)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        return value switch
        {
            null => type.IsValueType && plain == type ? "default" : "null",
            string text => $"\"{text}\"",
            char letter => $"'{letter}'",
            bool flag => flag ? "true" : "false",
            _ when plain.IsEnum => $"{plain.Name}.{Enum.ToObject(plain, value)}",
            IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
            _ => value.ToString()!,
        };
    }

    private static string Accessor(MethodInfo accessor, MethodInfo widest, string text) =>
        accessor.IsPublic || !widest.IsPublic ? text : $"{Access(accessor)} {text}";

    private static bool IsInit(MethodInfo setter) => setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));

    private static string Access(MethodBase method) => method.IsPublic ? "" : "protected";

    private static string Kind(MethodInfo method)
    {
        if (method.DeclaringType!.IsInterface) return method.IsStatic ? "static" : method.IsAbstract ? "" : "default";
        if (method.IsStatic) return "static";
        if (method.GetBaseDefinition().DeclaringType != method.DeclaringType) return method.IsFinal ? "sealed override" : method.IsAbstract ? "abstract override" : "override";
        return method.IsAbstract ? "abstract" : method.IsVirtual && !method.IsFinal ? "virtual" : "";
    }

    private static string Ref(Type type) => type.IsByRef ? "ref " : "";

    private static string Modifiers(params string[] words) => words.Where(w => w.Length > 0).ToArray() is { Length: > 0 } some ? $" [{string.Join(' ', some)}]" : "";
}
