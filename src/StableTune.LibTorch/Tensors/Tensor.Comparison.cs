namespace StableTune.LibTorch;

public static partial class torch
{
    public partial class Tensor
    {
        private static readonly Operator s_eq_Tensor = new("eq", "Tensor");
        private static readonly Operator s_eq_Scalar = new("eq", "Scalar");
        private static readonly Operator s_ne_Tensor = new("ne", "Tensor");
        private static readonly Operator s_ne_Scalar = new("ne", "Scalar");
        private static readonly Operator s_lt_Tensor = new("lt", "Tensor");
        private static readonly Operator s_lt_Scalar = new("lt", "Scalar");
        private static readonly Operator s_le_Tensor = new("le", "Tensor");
        private static readonly Operator s_le_Scalar = new("le", "Scalar");
        private static readonly Operator s_gt_Tensor = new("gt", "Tensor");
        private static readonly Operator s_gt_Scalar = new("gt", "Scalar");
        private static readonly Operator s_ge_Tensor = new("ge", "Tensor");
        private static readonly Operator s_ge_Scalar = new("ge", "Scalar");
        private static readonly Operator s_logical_and = new("logical_and");
        private static readonly Operator s_logical_or = new("logical_or");
        private static readonly Operator s_logical_xor = new("logical_xor");
        private static readonly Operator s_logical_not = new("logical_not");
        private static readonly Operator s_bitwise_and_Tensor = new("bitwise_and", "Tensor");
        private static readonly Operator s_bitwise_or_Tensor = new("bitwise_or", "Tensor");
        private static readonly Operator s_bitwise_xor_Tensor = new("bitwise_xor", "Tensor");
        private static readonly Operator s_bitwise_not = new("bitwise_not");
        private static readonly Operator s_isfinite = new("isfinite");
        private static readonly Operator s_isnan = new("isnan");
        private static readonly Operator s_isinf = new("isinf");
        private static readonly Operator s_isclose = new("isclose");
        private static readonly Operator s_allclose = new("allclose");
        private static readonly Operator s_equal = new("equal");
        private static readonly Operator s_all = new("all");
        private static readonly Operator s_all_dim = new("all", "dim");
        private static readonly Operator s_any = new("any");
        private static readonly Operator s_any_dim = new("any", "dim");
        private static readonly Operator s_where_self = new("where", "self");
        private static readonly Operator s_where_ScalarOther = new("where", "ScalarOther");

        /// <summary>Equal, element by element, broadcast: bool.</summary>
        public Tensor eq(Tensor other) => s_eq_Tensor.Run(this, other);

        /// <summary>Equal, each element with one number: bool.</summary>
        public Tensor eq(Scalar other) => s_eq_Scalar.Run(this, other);

        /// <summary>Not equal, element by element, broadcast: bool.</summary>
        public Tensor ne(Tensor other) => s_ne_Tensor.Run(this, other);

        /// <summary>Not equal, each element with one number: bool.</summary>
        public Tensor ne(Scalar other) => s_ne_Scalar.Run(this, other);

        /// <summary>Less, element by element, broadcast: bool.</summary>
        public Tensor lt(Tensor other) => s_lt_Tensor.Run(this, other);

        /// <summary>Less, each element with one number: bool.</summary>
        public Tensor lt(Scalar other) => s_lt_Scalar.Run(this, other);

        /// <summary>Less or equal, element by element, broadcast: bool.</summary>
        public Tensor le(Tensor other) => s_le_Tensor.Run(this, other);

        /// <summary>Less or equal, each element with one number: bool.</summary>
        public Tensor le(Scalar other) => s_le_Scalar.Run(this, other);

        /// <summary>Greater, element by element, broadcast: bool.</summary>
        public Tensor gt(Tensor other) => s_gt_Tensor.Run(this, other);

        /// <summary>Greater, each element with one number: bool.</summary>
        public Tensor gt(Scalar other) => s_gt_Scalar.Run(this, other);

        /// <summary>Greater or equal, element by element, broadcast: bool.</summary>
        public Tensor ge(Tensor other) => s_ge_Tensor.Run(this, other);

        /// <summary>Greater or equal, each element with one number: bool.</summary>
        public Tensor ge(Scalar other) => s_ge_Scalar.Run(this, other);

        /// <summary>Both true: bool.</summary>
        public Tensor logical_and(Tensor other) => s_logical_and.Run(this, other);

        /// <summary>Either true: bool.</summary>
        public Tensor logical_or(Tensor other) => s_logical_or.Run(this, other);

        /// <summary>Exactly one true: bool.</summary>
        public Tensor logical_xor(Tensor other) => s_logical_xor.Run(this, other);

        /// <summary>True where an element is zero: bool.</summary>
        public Tensor logical_not() => s_logical_not.Run(this);

        /// <summary>Bits set in both.</summary>
        public Tensor bitwise_and(Tensor other) => s_bitwise_and_Tensor.Run(this, other);

        /// <summary>Bits set in either.</summary>
        public Tensor bitwise_or(Tensor other) => s_bitwise_or_Tensor.Run(this, other);

        /// <summary>Bits set in exactly one.</summary>
        public Tensor bitwise_xor(Tensor other) => s_bitwise_xor_Tensor.Run(this, other);

        /// <summary>All bits inverted.</summary>
        public Tensor bitwise_not() => s_bitwise_not.Run(this);

        /// <summary>True where an element is neither infinite nor not-a-number: bool.</summary>
        public Tensor isfinite() => s_isfinite.Run(this);

        /// <summary>True where an element is not-a-number: bool.</summary>
        public Tensor isnan() => s_isnan.Run(this);

        /// <summary>True where an element is infinite: bool.</summary>
        public Tensor isinf() => s_isinf.Run(this);

        /// <summary>True where |this - other| is at most atol + rtol * |other|: bool.</summary>
        public Tensor isclose(Tensor other, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false)
            => s_isclose.Run(this, other, rtol, atol, equal_nan);

        /// <summary>True when every |this - target| is at most atol + rtol * |target|.</summary>
        public bool allclose(Tensor target, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false)
            => s_allclose.RunScalar(this, target, rtol, atol, equal_nan).ToBoolean();

        /// <summary>True when shapes and all elements are equal.</summary>
        public bool equal(Tensor target) => s_equal.RunScalar(this, target).ToBoolean();

        /// <summary>True when all elements are: bool scalar.</summary>
        public Tensor all() => s_all.Run(this);

        /// <summary>True where all elements along a dimension are: bool.</summary>
        public Tensor all(long dim, bool keepdim = false) => s_all_dim.Run(this, dim, keepdim);

        /// <summary>True when any element is: bool scalar.</summary>
        public Tensor any() => s_any.Run(this);

        /// <summary>True where any element along a dimension is: bool.</summary>
        public Tensor any(long dim, bool keepdim = false) => s_any_dim.Run(this, dim, keepdim);

        /// <summary>This where the condition is true, else y, broadcast.</summary>
        public Tensor where(Tensor condition, Tensor y) => s_where_self.Run(condition, this, y);

        /// <summary>This where the condition is true, else a number.</summary>
        public Tensor where(Tensor condition, Scalar y) => s_where_ScalarOther.Run(condition, this, y);
    }
}
