namespace StableTune.LibTorch;

public static partial class torch
{
    public partial class Tensor
    {
        private static readonly Operator s_index_select = new("index_select");
        private static readonly Operator s_gather = new("gather");
        private static readonly Operator s_scatter_src = new("scatter", "src");
        private static readonly Operator s_scatter_value = new("scatter", "value");
        private static readonly Operator s_scatter__src = new("scatter_", "src");
        private static readonly Operator s_scatter__value = new("scatter_", "value");
        private static readonly Operator s_scatter_add = new("scatter_add");
        private static readonly Operator s_scatter_add_ = new("scatter_add_");
        private static readonly Operator s_index_add = new("index_add");
        private static readonly Operator s_index_add_ = new("index_add_");
        private static readonly Operator s_index_copy_ = new("index_copy_");
        private static readonly Operator s_index_fill__int_Scalar = new("index_fill_", "int_Scalar");
        private static readonly Operator s_index_Tensor = new("index", "Tensor");
        private static readonly Operator s_index_put = new("index_put");
        private static readonly Operator s_index_put_ = new("index_put_");
        private static readonly Operator s_take = new("take");
        private static readonly Operator s_masked_fill_Scalar = new("masked_fill", "Scalar");
        private static readonly Operator s_masked_fill_Tensor = new("masked_fill", "Tensor");
        private static readonly Operator s_masked_fill__Scalar = new("masked_fill_", "Scalar");
        private static readonly Operator s_masked_select = new("masked_select");
        private static readonly Operator s_masked_scatter = new("masked_scatter");
        private static readonly Operator s_nonzero = new("nonzero");
        private static readonly Operator s_tril = new("tril");
        private static readonly Operator s_triu = new("triu");
        private static readonly Operator s_diag = new("diag");

        /// <summary>Entries of a dimension by an index list [n] (a copy).</summary>
        public Tensor index_select(long dim, Tensor index) => s_index_select.Run(this, dim, index);

        /// <summary>Elements along a dimension by an index of the result's shape.</summary>
        public Tensor gather(long dim, Tensor index) => s_gather.Run(this, dim, index);

        /// <summary>A copy with the elements of src at the indices along a dimension.</summary>
        public Tensor scatter(long dim, Tensor index, Tensor src) => s_scatter_src.Run(this, dim, index, src);

        /// <summary>A copy with a number at the indices along a dimension.</summary>
        public Tensor scatter(long dim, Tensor index, Scalar value) => s_scatter_value.Run(this, dim, index, value);

        /// <summary>Puts the elements of src at the indices along a dimension.</summary>
        /// <returns>This tensor.</returns>
        public Tensor scatter_(long dim, Tensor index, Tensor src) => s_scatter__src.Apply(this, dim, index, src);

        /// <summary>Puts a number at the indices along a dimension.</summary>
        /// <returns>This tensor.</returns>
        public Tensor scatter_(long dim, Tensor index, Scalar value) => s_scatter__value.Apply(this, dim, index, value);

        /// <summary>A copy with the elements of src added at the indices along a dimension.</summary>
        public Tensor scatter_add(long dim, Tensor index, Tensor src) => s_scatter_add.Run(this, dim, index, src);

        /// <summary>Adds the elements of src at the indices along a dimension.</summary>
        /// <returns>This tensor.</returns>
        public Tensor scatter_add_(long dim, Tensor index, Tensor src) => s_scatter_add_.Apply(this, dim, index, src);

        /// <summary>A copy with alpha times the entries of source added at an index list.</summary>
        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha)
            => s_index_add.Run(this, dim, index, source, alpha);

        /// <summary>Adds alpha times the entries of source at an index list.</summary>
        /// <returns>This tensor.</returns>
        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha)
            => s_index_add_.Apply(this, dim, index, source, alpha);

        /// <summary>Puts the entries of source at an index list.</summary>
        /// <returns>This tensor.</returns>
        public Tensor index_copy_(long dim, Tensor index, Tensor source) => s_index_copy_.Apply(this, dim, index, source);

        /// <summary>Puts a number at the entries of an index list.</summary>
        /// <returns>This tensor.</returns>
        public Tensor index_fill_(long dim, Tensor index, Scalar value) => s_index_fill__int_Scalar.Apply(this, dim, index, value);

        /// <summary>Elements by index tensors (or bool masks), one for each dimension; null takes all of it.</summary>
        public Tensor index(params Tensor?[] indices) => s_index_Tensor.Run(this, Argument.List(indices));

        /// <summary>A copy with values at the elements that index tensors name.</summary>
        public Tensor index_put(Tensor value, params Tensor?[] indices) => s_index_put.Run(this, Argument.List(indices), value);

        /// <summary>Puts values at the elements that index tensors name.</summary>
        /// <returns>This tensor.</returns>
        public Tensor index_put_(Tensor value, params Tensor?[] indices) => s_index_put_.Apply(this, Argument.List(indices), value);

        /// <summary>Elements by their running index.</summary>
        public Tensor take(Tensor index) => s_take.Run(this, index);

        /// <summary>A copy with a number where the mask is true.</summary>
        public Tensor masked_fill(Tensor mask, Scalar value) => s_masked_fill_Scalar.Run(this, mask, value);

        /// <summary>A copy with a scalar tensor's value where the mask is true.</summary>
        public Tensor masked_fill(Tensor mask, Tensor value) => s_masked_fill_Tensor.Run(this, mask, value);

        /// <summary>Puts a number where the mask is true.</summary>
        /// <returns>This tensor.</returns>
        public Tensor masked_fill_(Tensor mask, Scalar value) => s_masked_fill__Scalar.Apply(this, mask, value);

        /// <summary>The elements where the mask is true, [n].</summary>
        public Tensor masked_select(Tensor mask) => s_masked_select.Run(this, mask);

        /// <summary>A copy with the values, in order, where the mask is true.</summary>
        public Tensor masked_scatter(Tensor mask, Tensor value) => s_masked_scatter.Run(this, mask, value);

        /// <summary>Indices of the elements that are not zero, int64 [n, dimensions].</summary>
        public Tensor nonzero() => s_nonzero.Run(this);

        /// <summary>The lower triangle of matrices, zero elsewhere.</summary>
        public Tensor tril(long diagonal = 0) => s_tril.Run(this, diagonal);

        /// <summary>The upper triangle of matrices, zero elsewhere.</summary>
        public Tensor triu(long diagonal = 0) => s_triu.Run(this, diagonal);

        /// <summary>A vector as a diagonal matrix, or the diagonal of a matrix.</summary>
        public Tensor diag(long diagonal = 0) => s_diag.Run(this, diagonal);
    }
}
