namespace StableTune.Formats;

/// <summary>Arrays whose first index runs fastest, as Fortran has them.</summary>
internal static class ColumnOrder
{
    /// <summary>A copy of the array with the last index running fastest.</summary>
    public static byte[] ToRows(byte[] columns, NpyHeader header)
    {
        var size = header.DType.Size();
        var shape = header.Shape;
        if (shape.Count < 2 || columns.Length == 0) return columns;
        var steps = new long[shape.Count];                  // from one element to the next along each index, in bytes
        steps[0] = size;
        for (var i = 1; i < steps.Length; i++) steps[i] = steps[i - 1] * shape[i - 1];

        var rows = new byte[columns.Length];
        var index = new long[shape.Count];
        long from = 0;
        for (var to = 0; to < rows.Length; to += size)
        {
            columns.AsSpan((int)from, size).CopyTo(rows.AsSpan(to));
            for (var i = index.Length - 1; i >= 0; i--)
            {
                from += steps[i];
                if (++index[i] < shape[i]) break;
                from -= steps[i] * shape[i];
                index[i] = 0;
            }
        }

        return rows;
    }
}
