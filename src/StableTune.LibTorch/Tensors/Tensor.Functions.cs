namespace StableTune.LibTorch;

public static partial class torch
{
    public partial class Tensor
    {
        private static readonly Operator s_sqrt = new("sqrt");
        private static readonly Operator s_sqrt_ = new("sqrt_");
        private static readonly Operator s_rsqrt = new("rsqrt");
        private static readonly Operator s_rsqrt_ = new("rsqrt_");
        private static readonly Operator s_square = new("square");
        private static readonly Operator s_square_ = new("square_");
        private static readonly Operator s_exp = new("exp");
        private static readonly Operator s_exp_ = new("exp_");
        private static readonly Operator s_expm1 = new("expm1");
        private static readonly Operator s_expm1_ = new("expm1_");
        private static readonly Operator s_log = new("log");
        private static readonly Operator s_log_ = new("log_");
        private static readonly Operator s_log1p = new("log1p");
        private static readonly Operator s_log1p_ = new("log1p_");
        private static readonly Operator s_log2 = new("log2");
        private static readonly Operator s_log2_ = new("log2_");
        private static readonly Operator s_log10 = new("log10");
        private static readonly Operator s_log10_ = new("log10_");
        private static readonly Operator s_sin = new("sin");
        private static readonly Operator s_sin_ = new("sin_");
        private static readonly Operator s_cos = new("cos");
        private static readonly Operator s_cos_ = new("cos_");
        private static readonly Operator s_tan = new("tan");
        private static readonly Operator s_tan_ = new("tan_");
        private static readonly Operator s_asin = new("asin");
        private static readonly Operator s_asin_ = new("asin_");
        private static readonly Operator s_acos = new("acos");
        private static readonly Operator s_acos_ = new("acos_");
        private static readonly Operator s_atan = new("atan");
        private static readonly Operator s_atan_ = new("atan_");
        private static readonly Operator s_sinh = new("sinh");
        private static readonly Operator s_sinh_ = new("sinh_");
        private static readonly Operator s_cosh = new("cosh");
        private static readonly Operator s_cosh_ = new("cosh_");
        private static readonly Operator s_tanh = new("tanh");
        private static readonly Operator s_tanh_ = new("tanh_");
        private static readonly Operator s_abs = new("abs");
        private static readonly Operator s_abs_ = new("abs_");
        private static readonly Operator s_neg = new("neg");
        private static readonly Operator s_neg_ = new("neg_");
        private static readonly Operator s_sign = new("sign");
        private static readonly Operator s_sign_ = new("sign_");
        private static readonly Operator s_reciprocal = new("reciprocal");
        private static readonly Operator s_reciprocal_ = new("reciprocal_");
        private static readonly Operator s_floor = new("floor");
        private static readonly Operator s_floor_ = new("floor_");
        private static readonly Operator s_ceil = new("ceil");
        private static readonly Operator s_ceil_ = new("ceil_");
        private static readonly Operator s_round = new("round");
        private static readonly Operator s_round_ = new("round_");
        private static readonly Operator s_trunc = new("trunc");
        private static readonly Operator s_trunc_ = new("trunc_");
        private static readonly Operator s_frac = new("frac");
        private static readonly Operator s_frac_ = new("frac_");
        private static readonly Operator s_sigmoid = new("sigmoid");
        private static readonly Operator s_sigmoid_ = new("sigmoid_");
        private static readonly Operator s_relu = new("relu");
        private static readonly Operator s_relu_ = new("relu_");
        private static readonly Operator s_erf = new("erf");
        private static readonly Operator s_erf_ = new("erf_");
        private static readonly Operator s_erfc = new("erfc");
        private static readonly Operator s_erfc_ = new("erfc_");
        private static readonly Operator s_softmax_int = new("softmax", "int");
        private static readonly Operator s_log_softmax_int = new("log_softmax", "int");
        private static readonly Operator s_log_sigmoid = new("log_sigmoid");
        private static readonly Operator s_silu = new("silu");
        private static readonly Operator s_silu_ = new("silu_");
        private static readonly Operator s_gelu = new("gelu");

        /// <summary>Square root, of every element.</summary>
        public Tensor sqrt() => s_sqrt.Run(this);

        /// <summary>Square root, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor sqrt_() => s_sqrt_.Apply(this);

        /// <summary>One over the square root, of every element.</summary>
        public Tensor rsqrt() => s_rsqrt.Run(this);

        /// <summary>One over the square root, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor rsqrt_() => s_rsqrt_.Apply(this);

        /// <summary>Square, of every element.</summary>
        public Tensor square() => s_square.Run(this);

        /// <summary>Square, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor square_() => s_square_.Apply(this);

        /// <summary>e to the power, of every element.</summary>
        public Tensor exp() => s_exp.Run(this);

        /// <summary>e to the power, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor exp_() => s_exp_.Apply(this);

        /// <summary>e to the power, minus 1, exact near 0, of every element.</summary>
        public Tensor expm1() => s_expm1.Run(this);

        /// <summary>e to the power, minus 1, exact near 0, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor expm1_() => s_expm1_.Apply(this);

        /// <summary>Natural logarithm, of every element.</summary>
        public Tensor log() => s_log.Run(this);

        /// <summary>Natural logarithm, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor log_() => s_log_.Apply(this);

        /// <summary>Natural logarithm of 1 plus, of every element.</summary>
        public Tensor log1p() => s_log1p.Run(this);

        /// <summary>Natural logarithm of 1 plus, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor log1p_() => s_log1p_.Apply(this);

        /// <summary>Logarithm to base 2, of every element.</summary>
        public Tensor log2() => s_log2.Run(this);

        /// <summary>Logarithm to base 2, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor log2_() => s_log2_.Apply(this);

        /// <summary>Logarithm to base 10, of every element.</summary>
        public Tensor log10() => s_log10.Run(this);

        /// <summary>Logarithm to base 10, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor log10_() => s_log10_.Apply(this);

        /// <summary>Sine, radians, of every element.</summary>
        public Tensor sin() => s_sin.Run(this);

        /// <summary>Sine, radians, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor sin_() => s_sin_.Apply(this);

        /// <summary>Cosine, radians, of every element.</summary>
        public Tensor cos() => s_cos.Run(this);

        /// <summary>Cosine, radians, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor cos_() => s_cos_.Apply(this);

        /// <summary>Tangent, radians, of every element.</summary>
        public Tensor tan() => s_tan.Run(this);

        /// <summary>Tangent, radians, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor tan_() => s_tan_.Apply(this);

        /// <summary>Arc sine, radians, of every element.</summary>
        public Tensor asin() => s_asin.Run(this);

        /// <summary>Arc sine, radians, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor asin_() => s_asin_.Apply(this);

        /// <summary>Arc cosine, radians, of every element.</summary>
        public Tensor acos() => s_acos.Run(this);

        /// <summary>Arc cosine, radians, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor acos_() => s_acos_.Apply(this);

        /// <summary>Arc tangent, radians, of every element.</summary>
        public Tensor atan() => s_atan.Run(this);

        /// <summary>Arc tangent, radians, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor atan_() => s_atan_.Apply(this);

        /// <summary>Hyperbolic sine, of every element.</summary>
        public Tensor sinh() => s_sinh.Run(this);

        /// <summary>Hyperbolic sine, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor sinh_() => s_sinh_.Apply(this);

        /// <summary>Hyperbolic cosine, of every element.</summary>
        public Tensor cosh() => s_cosh.Run(this);

        /// <summary>Hyperbolic cosine, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor cosh_() => s_cosh_.Apply(this);

        /// <summary>Hyperbolic tangent, of every element.</summary>
        public Tensor tanh() => s_tanh.Run(this);

        /// <summary>Hyperbolic tangent, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor tanh_() => s_tanh_.Apply(this);

        /// <summary>Absolute value, of every element.</summary>
        public Tensor abs() => s_abs.Run(this);

        /// <summary>Absolute value, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor abs_() => s_abs_.Apply(this);

        /// <summary>Negative, of every element.</summary>
        public Tensor neg() => s_neg.Run(this);

        /// <summary>Negative, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor neg_() => s_neg_.Apply(this);

        /// <summary>-1, 0 or 1 by the sign, of every element.</summary>
        public Tensor sign() => s_sign.Run(this);

        /// <summary>-1, 0 or 1 by the sign, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor sign_() => s_sign_.Apply(this);

        /// <summary>One over, of every element.</summary>
        public Tensor reciprocal() => s_reciprocal.Run(this);

        /// <summary>One over, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor reciprocal_() => s_reciprocal_.Apply(this);

        /// <summary>Rounded down, of every element.</summary>
        public Tensor floor() => s_floor.Run(this);

        /// <summary>Rounded down, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor floor_() => s_floor_.Apply(this);

        /// <summary>Rounded up, of every element.</summary>
        public Tensor ceil() => s_ceil.Run(this);

        /// <summary>Rounded up, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor ceil_() => s_ceil_.Apply(this);

        /// <summary>Rounded to the nearest, halves to even, of every element.</summary>
        public Tensor round() => s_round.Run(this);

        /// <summary>Rounded to the nearest, halves to even, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor round_() => s_round_.Apply(this);

        /// <summary>Rounded towards 0, of every element.</summary>
        public Tensor trunc() => s_trunc.Run(this);

        /// <summary>Rounded towards 0, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor trunc_() => s_trunc_.Apply(this);

        /// <summary>What follows the point, of every element.</summary>
        public Tensor frac() => s_frac.Run(this);

        /// <summary>What follows the point, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor frac_() => s_frac_.Apply(this);

        /// <summary>1 / (1 + exp(-x)), of every element.</summary>
        public Tensor sigmoid() => s_sigmoid.Run(this);

        /// <summary>1 / (1 + exp(-x)), of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor sigmoid_() => s_sigmoid_.Apply(this);

        /// <summary>max(x, 0), of every element.</summary>
        public Tensor relu() => s_relu.Run(this);

        /// <summary>max(x, 0), of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor relu_() => s_relu_.Apply(this);

        /// <summary>Error function, of every element.</summary>
        public Tensor erf() => s_erf.Run(this);

        /// <summary>Error function, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor erf_() => s_erf_.Apply(this);

        /// <summary>One minus the error function, of every element.</summary>
        public Tensor erfc() => s_erfc.Run(this);

        /// <summary>One minus the error function, of every element, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor erfc_() => s_erfc_.Apply(this);

        /// <summary>exp(x) divided by its sum along a dimension; computed in dtype when given.</summary>
        public Tensor softmax(long dim, ScalarType? dtype = null) => s_softmax_int.Run(this, dim, dtype);

        /// <summary>Logarithm of the softmax along a dimension.</summary>
        public Tensor log_softmax(long dim, ScalarType? dtype = null) => s_log_softmax_int.Run(this, dim, dtype);

        /// <summary>Logarithm of the sigmoid.</summary>
        public Tensor logsigmoid() => s_log_sigmoid.Run(this);

        /// <summary>x * sigmoid(x).</summary>
        public Tensor silu() => s_silu.Run(this);

        /// <summary>x * sigmoid(x), in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor silu_() => s_silu_.Apply(this);

        /// <summary>x times the normal distribution function of x.</summary>
        public Tensor gelu() => s_gelu.Run(this);
    }
}
