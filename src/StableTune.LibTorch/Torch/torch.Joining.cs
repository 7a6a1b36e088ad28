namespace StableTune.LibTorch;

public static partial class torch
{
    private static readonly Operator s_cat = new("cat");
    private static readonly Operator s_stack = new("stack");
    private static readonly Operator s_einsum = new("einsum");
    private static readonly Operator s_where_self = new("where", "self");
    private static readonly Operator s_where_ScalarOther = new("where", "ScalarOther");
    private static readonly Operator s_where_ScalarSelf = new("where", "ScalarSelf");
    private static readonly Operator s_where_Scalar = new("where", "Scalar");
    private static readonly Operator s_meshgrid_indexing = new("meshgrid", "indexing");
    private static readonly Operator s_broadcast_tensors = new("broadcast_tensors");
    private static readonly Operator s_cdist = new("cdist");
    private static readonly Operator s_cartesian_prod = new("cartesian_prod");
    private static readonly Operator s_diag_embed = new("diag_embed");
    private static readonly Operator s_searchsorted_Tensor = new("searchsorted", "Tensor");
    private static readonly Operator s_bucketize_Tensor = new("bucketize", "Tensor");

    /// <summary>Tensors joined along a dimension.</summary>
    public static Tensor cat(IEnumerable<Tensor> tensors, long dim = 0) => s_cat.Run(Argument.List(tensors), dim);

    /// <summary>Tensors joined along a dimension.</summary>
    public static Tensor concat(IEnumerable<Tensor> tensors, long dim = 0) => cat(tensors, dim);

    /// <summary>Tensors of one shape joined along a new dimension.</summary>
    public static Tensor stack(IEnumerable<Tensor> tensors, long dim = 0) => s_stack.Run(Argument.List(tensors), dim);

    /// <summary>Sums of products by Einstein's convention, such as <c>"bij,bjk->bik"</c>.</summary>
    public static Tensor einsum(string equation, params Tensor[] tensors) => s_einsum.Run(equation, Argument.List(tensors));

    /// <summary>x where the condition is true, else y, broadcast.</summary>
    public static Tensor where(Tensor condition, Tensor x, Tensor y) => s_where_self.Run(condition, x, y);

    /// <summary>x where the condition is true, else a number.</summary>
    public static Tensor where(Tensor condition, Tensor x, Scalar y) => s_where_ScalarOther.Run(condition, x, y);

    /// <summary>A number where the condition is true, else y.</summary>
    public static Tensor where(Tensor condition, Scalar x, Tensor y) => s_where_ScalarSelf.Run(condition, x, y);

    /// <summary>One number where the condition is true, else the other.</summary>
    public static Tensor where(Tensor condition, Scalar x, Scalar y) => s_where_Scalar.Run(condition, x, y);

    /// <summary>One coordinate tensor for each vector, over their grid.</summary>
    public static Tensor[] meshgrid(IEnumerable<Tensor> tensors, string indexing = "ij")
        => s_meshgrid_indexing.RunList(Argument.List(tensors), indexing);

    /// <summary>Tensors stretched to one shape without a copy.</summary>
    public static Tensor[] broadcast_tensors(params Tensor[] tensors) => s_broadcast_tensors.RunList(Argument.List(tensors));

    /// <summary>Distances between all pairs of rows, [.., n, m].</summary>
    public static Tensor cdist(Tensor x1, Tensor x2, double p = 2) => s_cdist.Run(x1, x2, p);

    /// <summary>All combinations of the elements of vectors.</summary>
    public static Tensor cartesian_prod(params Tensor[] tensors) => s_cartesian_prod.Run(Argument.List(tensors));

    /// <summary>Vectors of the last dimension as diagonals of matrices.</summary>
    public static Tensor diag_embed(Tensor input, long offset = 0, long dim1 = -2, long dim2 = -1)
        => s_diag_embed.Run(input, offset, dim1, dim2);

    /// <summary>Where values would be inserted into sorted sequences.</summary>
    public static Tensor searchsorted(Tensor sorted_sequence, Tensor values, bool out_int32 = false, bool right = false)
        => s_searchsorted_Tensor.Run(sorted_sequence, values, out_int32, right);

    /// <summary>The bucket between boundaries that each element falls into.</summary>
    public static Tensor bucketize(Tensor input, Tensor boundaries, bool out_int32 = false, bool right = false)
        => s_bucketize_Tensor.Run(input, boundaries, out_int32, right);
}
