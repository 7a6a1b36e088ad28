namespace StableTune.Formats;

/// <summary>The element types that safetensors files hold.</summary>
public enum TensorDType
{
    /// <summary>64-bit float.</summary>
    F64,

    /// <summary>32-bit float.</summary>
    F32,

    /// <summary>16-bit float (IEEE half).</summary>
    F16,

    /// <summary>16-bit brain float: the upper half of a 32-bit float.</summary>
    BF16,

    /// <summary>64-bit signed integer.</summary>
    I64,

    /// <summary>32-bit signed integer.</summary>
    I32,

    /// <summary>16-bit signed integer.</summary>
    I16,

    /// <summary>8-bit signed integer.</summary>
    I8,

    /// <summary>8-bit unsigned integer.</summary>
    U8,

    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>8-bit float, 4 bits exponent, 3 bits mantissa, no infinities.</summary>
    F8E4M3,

    /// <summary>8-bit float, 5 bits exponent, 2 bits mantissa.</summary>
    F8E5M2,

    /// <summary>16-bit unsigned integer.</summary>
    U16,

    /// <summary>32-bit unsigned integer.</summary>
    U32,

    /// <summary>64-bit unsigned integer.</summary>
    U64,
}

/// <summary>What files call the element types, how large they are, and in which order they are written.</summary>
public static class TensorDTypes
{
    /// <summary>
    /// One row per type: its name in a file and its size in bytes. The rows stand in the order in which the reference
    /// library writes tensors (largest alignment first), so the row number is the rank when sorting.
    /// </summary>
    private static readonly (TensorDType Type, string Name, int Size)[] Rows =
    [
        (TensorDType.U64, "U64", 8), (TensorDType.I64, "I64", 8), (TensorDType.F64, "F64", 8),
        (TensorDType.F32, "F32", 4), (TensorDType.U32, "U32", 4), (TensorDType.I32, "I32", 4),
        (TensorDType.BF16, "BF16", 2), (TensorDType.F16, "F16", 2), (TensorDType.U16, "U16", 2), (TensorDType.I16, "I16", 2),
        (TensorDType.F8E4M3, "F8_E4M3", 1), (TensorDType.F8E5M2, "F8_E5M2", 1),
        (TensorDType.I8, "I8", 1), (TensorDType.U8, "U8", 1), (TensorDType.Bool, "BOOL", 1),
    ];

    private static readonly Dictionary<string, TensorDType> ByName = Rows.ToDictionary(row => row.Name, row => row.Type);

    private static readonly int[] RowOf = [.. Enum.GetValues<TensorDType>().Select(type => Array.FindIndex(Rows, row => row.Type == type))];

    /// <summary>The names of all types as files spell them, in the order of writing.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Rows.Select(row => row.Name)];

    /// <summary>The size of one element in bytes: 1, 2, 4 or 8.</summary>
    public static int Size(this TensorDType type) => Rows[RowOf[(int)type]].Size;

    /// <summary>The name that files use, for instance <c>BF16</c> or <c>F8_E4M3</c>.</summary>
    public static string Name(this TensorDType type) => Rows[RowOf[(int)type]].Name;

    /// <summary>The type of this name; the case counts.</summary>
    public static bool TryParse(string name, out TensorDType type) => ByName.TryGetValue(name, out type);

    /// <summary>The place of the type in the order of writing, 0 = first.</summary>
    internal static int WritingRank(this TensorDType type) => RowOf[(int)type];
}
