namespace StableTune.Formats;

/// <summary>NumPy's notation of element types.</summary>
internal static class NpyTypes
{
    private static readonly (TensorDType Type, string Descr)[] Rows =
    [
        (TensorDType.F16, "<f2"), (TensorDType.F32, "<f4"), (TensorDType.F64, "<f8"),
        (TensorDType.I8, "|i1"), (TensorDType.I16, "<i2"), (TensorDType.I32, "<i4"), (TensorDType.I64, "<i8"),
        (TensorDType.U8, "|u1"), (TensorDType.U16, "<u2"), (TensorDType.U32, "<u4"), (TensorDType.U64, "<u8"), (TensorDType.Bool, "|b1"),
    ];

    /// <summary>The types as NumPy writes them, for messages.</summary>
    public static string Known { get; } = string.Join(", ", Rows.Select(row => row.Descr));

    /// <summary>The type of a notation; single bytes have any or no byte order.</summary>
    public static TensorDType? Parse(string descr)
    {
        foreach (var (type, known) in Rows)
            if (descr == known || (known[0] == '|' && descr.Length == 3 && descr[0] is '<' or '='
                && descr.AsSpan(1).SequenceEqual(known.AsSpan(1)))) return type;
        return null;
    }

    /// <summary>The notation of a type; null where NumPy has no such type.</summary>
    public static string? Descr(TensorDType type)
    {
        foreach (var (known, descr) in Rows)
            if (known == type) return descr;
        return null;
    }
}
