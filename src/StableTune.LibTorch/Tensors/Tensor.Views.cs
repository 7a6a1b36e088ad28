namespace StableTune.LibTorch;

public static partial class torch
{
    public partial class Tensor
    {
        private static readonly Operator s_view = new("view");
        private static readonly Operator s_view_dtype = new("view", "dtype");
        private static readonly Operator s_reshape = new("reshape");
        private static readonly Operator s_flatten_using_ints = new("flatten", "using_ints");
        private static readonly Operator s_unflatten_int = new("unflatten", "int");
        private static readonly Operator s_t = new("t");
        private static readonly Operator s_numpy_T = new("numpy_T");
        private static readonly Operator s_mT = new("mT");
        private static readonly Operator s_transpose_int = new("transpose", "int");
        private static readonly Operator s_permute = new("permute");
        private static readonly Operator s_movedim_int = new("movedim", "int");
        private static readonly Operator s_squeeze_dim = new("squeeze", "dim");
        private static readonly Operator s_squeeze = new("squeeze");
        private static readonly Operator s_unsqueeze = new("unsqueeze");
        private static readonly Operator s_expand = new("expand");
        private static readonly Operator s_expand_as = new("expand_as");
        private static readonly Operator s_broadcast_to = new("broadcast_to");
        private static readonly Operator s_repeat = new("repeat");
        private static readonly Operator s_tile = new("tile");
        private static readonly Operator s_repeat_interleave_self_int = new("repeat_interleave", "self_int");
        private static readonly Operator s_repeat_interleave_self_Tensor = new("repeat_interleave", "self_Tensor");
        private static readonly Operator s_contiguous = new("contiguous");
        private static readonly Operator s_clone = new("clone");
        private static readonly Operator s_detach = new("detach");
        private static readonly Operator s_detach_ = new("detach_");
        private static readonly Operator s_alias = new("alias");
        private static readonly Operator s_narrow = new("narrow");
        private static readonly Operator s_select_int = new("select", "int");
        private static readonly Operator s_slice_Tensor = new("slice", "Tensor");
        private static readonly Operator s_diagonal = new("diagonal");
        private static readonly Operator s_chunk = new("chunk");
        private static readonly Operator s_split_Tensor = new("split", "Tensor");
        private static readonly Operator s_split_with_sizes = new("split_with_sizes");
        private static readonly Operator s_unbind_int = new("unbind", "int");
        private static readonly Operator s_unfold = new("unfold");
        private static readonly Operator s_flip = new("flip");
        private static readonly Operator s_roll = new("roll");

        /// <summary>The same memory in another shape; one size may be -1.</summary>
        public Tensor view(params long[] shape) => s_view.Run(this, shape);

        /// <summary>The same bytes read as another dtype.</summary>
        public Tensor view(ScalarType dtype) => s_view_dtype.Run(this, dtype);

        /// <summary>The same memory in the shape of another tensor.</summary>
        public Tensor view_as(Tensor other) => view(other.shape);

        /// <summary>Another shape, a view where possible, else a copy; one size may be -1.</summary>
        public Tensor reshape(params long[] shape) => s_reshape.Run(this, shape);

        /// <summary>In the shape of another tensor.</summary>
        public Tensor reshape_as(Tensor other) => reshape(other.shape);

        /// <summary>Dimensions start_dim to end_dim joined into one.</summary>
        public Tensor flatten(long start_dim = 0, long end_dim = -1) => s_flatten_using_ints.Run(this, start_dim, end_dim);

        /// <summary>One dimension split into several.</summary>
        public Tensor unflatten(long dim, params long[] sizes) => s_unflatten_int.Run(this, dim, sizes);

        /// <summary>A matrix transposed (a view).</summary>
        public Tensor t() => s_t.Run(this);

        /// <summary>All dimensions reversed (a view).</summary>
        public Tensor T => s_numpy_T.Run(this);

        /// <summary>The last two dimensions swapped (a view).</summary>
        public Tensor mT => s_mT.Run(this);

        /// <summary>Two dimensions swapped (a view).</summary>
        public Tensor transpose(long dim0, long dim1) => s_transpose_int.Run(this, dim0, dim1);

        /// <summary>Two dimensions swapped (a view).</summary>
        public Tensor swapaxes(long dim0, long dim1) => transpose(dim0, dim1);

        /// <summary>Dimensions in another order (a view).</summary>
        public Tensor permute(params long[] permutation) => s_permute.Run(this, permutation);

        /// <summary>One dimension moved to another place (a view).</summary>
        public Tensor movedim(long source, long destination) => s_movedim_int.Run(this, source, destination);

        /// <summary>Without dimensions of size 1, or without the given one (a view).</summary>
        public Tensor squeeze(long? dim = null) => dim is { } d ? s_squeeze_dim.Run(this, d) : s_squeeze.Run(this);

        /// <summary>With a new dimension of size 1 (a view).</summary>
        public Tensor unsqueeze(long dim) => s_unsqueeze.Run(this, dim);

        /// <summary>Dimensions of size 1 stretched without a copy; -1 keeps a size.</summary>
        public Tensor expand(params long[] sizes) => s_expand.Run(this, sizes);

        /// <summary>Stretched without a copy to the shape of another tensor.</summary>
        public Tensor expand_as(Tensor other) => s_expand_as.Run(this, other);

        /// <summary>Stretched without a copy by the broadcasting rules.</summary>
        public Tensor broadcast_to(params long[] shape) => s_broadcast_to.Run(this, shape);

        /// <summary>Copied several times along each dimension.</summary>
        public Tensor repeat(params long[] sizes) => s_repeat.Run(this, sizes);

        /// <summary>Copied several times along the last dimensions.</summary>
        public Tensor tile(params long[] reps) => s_tile.Run(this, reps);

        /// <summary>Every element repeated in place along a dimension; null flattens first.</summary>
        public Tensor repeat_interleave(long repeats, long? dim = null, long? output_size = null)
            => s_repeat_interleave_self_int.Run(this, repeats, dim, output_size);

        /// <summary>Each element repeated its own number of times along a dimension; null flattens first.</summary>
        public Tensor repeat_interleave(Tensor repeats, long? dim = null, long? output_size = null)
            => s_repeat_interleave_self_Tensor.Run(this, repeats, dim, output_size);

        /// <summary>With elements in memory in the order of the indices; itself when it is so already.</summary>
        public Tensor contiguous() => s_contiguous.Run(this);

        /// <summary>A copy of its own; gradients flow through.</summary>
        public Tensor clone() => s_clone.Run(this);

        /// <summary>The same memory, cut off from recorded operations.</summary>
        public Tensor detach() => s_detach.Run(this);

        /// <summary>Cuts this tensor off from recorded operations.</summary>
        /// <returns>This tensor.</returns>
        public Tensor detach_() => s_detach_.Apply(this);

        /// <summary>Another tensor over the same memory; gradients flow through.</summary>
        public Tensor alias() => s_alias.Run(this);

        /// <summary>length entries of a dimension from start (a view).</summary>
        public Tensor narrow(long dim, long start, long length) => s_narrow.Run(this, dim, start, length);

        /// <summary>One entry of a dimension, which vanishes (a view).</summary>
        public Tensor select(long dim, long index) => s_select_int.Run(this, dim, index);

        /// <summary>Entries start to finish (exclusive) of a dimension, every step-th (a view).</summary>
        public Tensor slice(long dim, long start, long finish, long step = 1) => s_slice_Tensor.Run(this, dim, start, finish, step);

        /// <summary>The diagonal of two dimensions (a view).</summary>
        public Tensor diagonal(long offset = 0, long dim1 = 0, long dim2 = 1) => s_diagonal.Run(this, offset, dim1, dim2);

        /// <summary>About equal parts along a dimension (views).</summary>
        public Tensor[] chunk(long chunks, long dim = 0) => s_chunk.RunList(this, chunks, dim);

        /// <summary>Parts of a size along a dimension, the last maybe smaller (views).</summary>
        public Tensor[] split(long split_size, long dim = 0) => s_split_Tensor.RunList(this, split_size, dim);

        /// <summary>Parts of given sizes along a dimension (views).</summary>
        public Tensor[] split(long[] split_sizes, long dim = 0) => s_split_with_sizes.RunList(this, split_sizes, dim);

        /// <summary>One tensor for each entry of a dimension (views).</summary>
        public Tensor[] unbind(long dim = 0) => s_unbind_int.RunList(this, dim);

        /// <summary>All windows of a size along a dimension, in a new last dimension (a view).</summary>
        public Tensor unfold(long dimension, long size, long step) => s_unfold.Run(this, dimension, size, step);

        /// <summary>Dimensions reversed (a copy).</summary>
        public Tensor flip(params long[] dims) => s_flip.Run(this, dims);

        /// <summary>Entries moved along a dimension, around the end.</summary>
        public Tensor roll(long shifts, long dims) => s_roll.Run(this, shifts, dims);

        /// <summary>Entries moved along dimensions, around the end.</summary>
        public Tensor roll(long[] shifts, long[] dims) => s_roll.Run(this, shifts, dims);
    }
}
