namespace StableTune.LibTorch;

public static partial class torch
{
    public partial class Tensor
    {
        private static readonly Operator s_sum = new("sum");
        private static readonly Operator s_sum_dim_IntList = new("sum", "dim_IntList");
        private static readonly Operator s_mean = new("mean");
        private static readonly Operator s_mean_dim = new("mean", "dim");
        private static readonly Operator s_prod = new("prod");
        private static readonly Operator s_prod_dim_int = new("prod", "dim_int");
        private static readonly Operator s_std = new("std");
        private static readonly Operator s_std_dim = new("std", "dim");
        private static readonly Operator s_var = new("var");
        private static readonly Operator s_var_dim = new("var", "dim");
        private static readonly Operator s_max = new("max");
        private static readonly Operator s_max_dim = new("max", "dim");
        private static readonly Operator s_argmax = new("argmax");
        private static readonly Operator s_amax = new("amax");
        private static readonly Operator s_min = new("min");
        private static readonly Operator s_min_dim = new("min", "dim");
        private static readonly Operator s_argmin = new("argmin");
        private static readonly Operator s_amin = new("amin");
        private static readonly Operator s_norm_Scalar = new("norm", "Scalar");
        private static readonly Operator s_norm_ScalarOpt_dim = new("norm", "ScalarOpt_dim");
        private static readonly Operator s_logsumexp = new("logsumexp");
        private static readonly Operator s_cumsum = new("cumsum");
        private static readonly Operator s_cumprod = new("cumprod");
        private static readonly Operator s_median = new("median");
        private static readonly Operator s_quantile = new("quantile");
        private static readonly Operator s_sort = new("sort");
        private static readonly Operator s_argsort = new("argsort");
        private static readonly Operator s_topk = new("topk");
        private static readonly Operator s_count_nonzero = new("count_nonzero");
        private static readonly Operator s_bincount = new("bincount");
        private static readonly Operator s_diff = new("diff");

        /// <summary>Sum of all elements, computed in type when given.</summary>
        public Tensor sum(ScalarType? type = null) => s_sum.Run(this, type);

        // Without it a literal 0 would convert to a ScalarType, and sum(0) would reduce everything.
        /// <summary>Sum along a dimension.</summary>
        public Tensor sum(int dim, bool keepdim = false, ScalarType? type = null) => sum((long)dim, keepdim, type);

        /// <summary>Sum along a dimension.</summary>
        public Tensor sum(long dim, bool keepdim = false, ScalarType? type = null) => s_sum_dim_IntList.Run(this, dim, keepdim, type);

        /// <summary>Sum along dimensions.</summary>
        public Tensor sum(long[] dim, bool keepdim = false, ScalarType? type = null) => s_sum_dim_IntList.Run(this, dim, keepdim, type);

        /// <summary>Mean of all elements.</summary>
        public Tensor mean() => s_mean.Run(this);

        /// <summary>Mean along dimensions.</summary>
        public Tensor mean(long[] dimensions, bool keepdim = false, ScalarType? type = null)
            => s_mean_dim.Run(this, dimensions, keepdim, type);

        /// <summary>Mean along a dimension.</summary>
        public Tensor mean(long dim, bool keepdim = false, ScalarType? type = null) => s_mean_dim.Run(this, dim, keepdim, type);

        /// <summary>Product of all elements.</summary>
        public Tensor prod(ScalarType? type = null) => s_prod.Run(this, type);

        // Without it a literal 0 would convert to a ScalarType, and prod(0) would reduce everything.
        /// <summary>Product along a dimension.</summary>
        public Tensor prod(int dim, bool keepdim = false, ScalarType? type = null) => prod((long)dim, keepdim, type);

        /// <summary>Product along a dimension.</summary>
        public Tensor prod(long dim, bool keepdim = false, ScalarType? type = null) => s_prod_dim_int.Run(this, dim, keepdim, type);

        /// <summary>Standard deviation of all elements; unbiased divides by n - 1.</summary>
        public Tensor std(bool unbiased = true) => s_std.Run(this, unbiased);

        /// <summary>Standard deviation along a dimension; unbiased divides by n - 1.</summary>
        public Tensor std(long dim, bool unbiased = true, bool keepdim = false) => s_std_dim.Run(this, dim, unbiased, keepdim);

        /// <summary>Standard deviation along dimensions; unbiased divides by n - 1.</summary>
        public Tensor std(long[] dimensions, bool unbiased = true, bool keepdim = false)
            => s_std_dim.Run(this, dimensions, unbiased, keepdim);

        /// <summary>Variance of all elements; unbiased divides by n - 1.</summary>
        public Tensor var(bool unbiased = true) => s_var.Run(this, unbiased);

        /// <summary>Variance along a dimension; unbiased divides by n - 1.</summary>
        public Tensor var(long dim, bool unbiased = true, bool keepdim = false) => s_var_dim.Run(this, dim, unbiased, keepdim);

        /// <summary>Variance along dimensions; unbiased divides by n - 1.</summary>
        public Tensor var(long[] dimensions, bool unbiased = true, bool keepdim = false)
            => s_var_dim.Run(this, dimensions, unbiased, keepdim);

        /// <summary>Largest element.</summary>
        public Tensor max() => s_max.Run(this);

        /// <summary>Largest elements along a dimension, and where they are.</summary>
        public (Tensor values, Tensor indexes) max(long dim, bool keepdim = false) => s_max_dim.RunPair(this, dim, keepdim);

        /// <summary>Where the largest elements along a dimension are, int64; null: the running index over all.</summary>
        public Tensor argmax(long? dim = null, bool keepdim = false) => s_argmax.Run(this, dim, keepdim);

        /// <summary>Largest elements along dimensions.</summary>
        public Tensor amax(params long[] dims) => s_amax.Run(this, dims);

        /// <summary>Largest elements along dimensions.</summary>
        public Tensor amax(long[] dims, bool keepdim) => s_amax.Run(this, dims, keepdim);

        /// <summary>Smallest element.</summary>
        public Tensor min() => s_min.Run(this);

        /// <summary>Smallest elements along a dimension, and where they are.</summary>
        public (Tensor values, Tensor indexes) min(long dim, bool keepdim = false) => s_min_dim.RunPair(this, dim, keepdim);

        /// <summary>Where the smallest elements along a dimension are, int64; null: the running index over all.</summary>
        public Tensor argmin(long? dim = null, bool keepdim = false) => s_argmin.Run(this, dim, keepdim);

        /// <summary>Smallest elements along dimensions.</summary>
        public Tensor amin(params long[] dims) => s_amin.Run(this, dims);

        /// <summary>Smallest elements along dimensions.</summary>
        public Tensor amin(long[] dims, bool keepdim) => s_amin.Run(this, dims, keepdim);

        /// <summary>The p-norm of all elements; 2 when not given.</summary>
        public Tensor norm(Scalar? p = null) => s_norm_Scalar.Run(this, p ?? 2);

        /// <summary>The p-norm along a dimension.</summary>
        public Tensor norm(long dim, bool keepdim = false, double p = 2) => s_norm_ScalarOpt_dim.Run(this, p, dim, keepdim);

        /// <summary>The p-norm along dimensions.</summary>
        public Tensor norm(long[] dims, bool keepdim = false, double p = 2) => s_norm_ScalarOpt_dim.Run(this, p, dims, keepdim);

        /// <summary>Logarithm of the sum of the exponentials along a dimension.</summary>
        public Tensor logsumexp(long dim, bool keepdim = false) => s_logsumexp.Run(this, dim, keepdim);

        /// <summary>Running sum along a dimension.</summary>
        public Tensor cumsum(long dim, ScalarType? type = null) => s_cumsum.Run(this, dim, type);

        /// <summary>Running product along a dimension.</summary>
        public Tensor cumprod(long dim, ScalarType? type = null) => s_cumprod.Run(this, dim, type);

        /// <summary>The middle element, the lower of two.</summary>
        public Tensor median() => s_median.Run(this);

        /// <summary>Quantiles at q in [0, 1], linearly interpolated.</summary>
        public Tensor quantile(Tensor q, long? dim = null, bool keepdim = false) => s_quantile.Run(this, q, dim, keepdim);

        /// <summary>Sorted along a dimension, and where the elements were.</summary>
        public (Tensor values, Tensor indexes) sort(long dim = -1, bool descending = false) => s_sort.RunPair(this, dim, descending);

        /// <summary>Indices that sort along a dimension.</summary>
        public Tensor argsort(long dim = -1, bool descending = false) => s_argsort.Run(this, dim, descending);

        /// <summary>The k largest (or smallest) along a dimension, and where they are.</summary>
        public (Tensor values, Tensor indexes) topk(long k, long dim = -1, bool largest = true, bool sorted = true)
            => s_topk.RunPair(this, k, dim, largest, sorted);

        /// <summary>How many elements are not zero.</summary>
        public Tensor count_nonzero(long? dim = null) => s_count_nonzero.Run(this, dim);

        /// <summary>How often each non-negative integer occurs.</summary>
        public Tensor bincount(Tensor? weights = null, long minlength = 0) => s_bincount.Run(this, weights, minlength);

        /// <summary>Differences of neighbours along a dimension.</summary>
        public Tensor diff(long n = 1, long dim = -1) => s_diff.Run(this, n, dim);
    }
}
