namespace StableTune.LibTorch;

public static partial class torch
{
    public partial class Tensor
    {
        private static readonly Operator s_add_Tensor = new("add", "Tensor");
        private static readonly Operator s_add_Scalar = new("add", "Scalar");
        private static readonly Operator s_add__Tensor = new("add_", "Tensor");
        private static readonly Operator s_add__Scalar = new("add_", "Scalar");
        private static readonly Operator s_sub_Tensor = new("sub", "Tensor");
        private static readonly Operator s_sub_Scalar = new("sub", "Scalar");
        private static readonly Operator s_sub__Tensor = new("sub_", "Tensor");
        private static readonly Operator s_sub__Scalar = new("sub_", "Scalar");
        private static readonly Operator s_mul_Tensor = new("mul", "Tensor");
        private static readonly Operator s_mul_Scalar = new("mul", "Scalar");
        private static readonly Operator s_mul__Tensor = new("mul_", "Tensor");
        private static readonly Operator s_mul__Scalar = new("mul_", "Scalar");
        private static readonly Operator s_div_Tensor = new("div", "Tensor");
        private static readonly Operator s_div_Scalar = new("div", "Scalar");
        private static readonly Operator s_div__Tensor = new("div_", "Tensor");
        private static readonly Operator s_div__Scalar = new("div_", "Scalar");
        private static readonly Operator s_div_Tensor_mode = new("div", "Tensor_mode");
        private static readonly Operator s_div_Scalar_mode = new("div", "Scalar_mode");
        private static readonly Operator s_floor_divide = new("floor_divide");
        private static readonly Operator s_floor_divide_Scalar = new("floor_divide", "Scalar");
        private static readonly Operator s_remainder_Tensor = new("remainder", "Tensor");
        private static readonly Operator s_remainder_Scalar = new("remainder", "Scalar");
        private static readonly Operator s_remainder__Tensor = new("remainder_", "Tensor");
        private static readonly Operator s_remainder__Scalar = new("remainder_", "Scalar");
        private static readonly Operator s_fmod_Tensor = new("fmod", "Tensor");
        private static readonly Operator s_fmod_Scalar = new("fmod", "Scalar");
        private static readonly Operator s_fmod__Tensor = new("fmod_", "Tensor");
        private static readonly Operator s_fmod__Scalar = new("fmod_", "Scalar");
        private static readonly Operator s_pow_Tensor_Tensor = new("pow", "Tensor_Tensor");
        private static readonly Operator s_pow_Tensor_Scalar = new("pow", "Tensor_Scalar");
        private static readonly Operator s_pow__Tensor = new("pow_", "Tensor");
        private static readonly Operator s_pow__Scalar = new("pow_", "Scalar");
        private static readonly Operator s_addcmul = new("addcmul");
        private static readonly Operator s_addcmul_ = new("addcmul_");
        private static readonly Operator s_addcdiv = new("addcdiv");
        private static readonly Operator s_addcdiv_ = new("addcdiv_");
        private static readonly Operator s_lerp_Scalar = new("lerp", "Scalar");
        private static readonly Operator s_lerp_Tensor = new("lerp", "Tensor");
        private static readonly Operator s_lerp__Scalar = new("lerp_", "Scalar");
        private static readonly Operator s_lerp__Tensor = new("lerp_", "Tensor");
        private static readonly Operator s_atan2 = new("atan2");
        private static readonly Operator s_hypot = new("hypot");
        private static readonly Operator s_maximum = new("maximum");
        private static readonly Operator s_minimum = new("minimum");
        private static readonly Operator s_clamp = new("clamp");
        private static readonly Operator s_clamp_Tensor = new("clamp", "Tensor");
        private static readonly Operator s_clamp_ = new("clamp_");
        private static readonly Operator s_clamp_min = new("clamp_min");
        private static readonly Operator s_clamp_max = new("clamp_max");
        private static readonly Operator s_nan_to_num = new("nan_to_num");

        /// <summary>Sum, element by element, broadcast.</summary>
        public Tensor add(Tensor other) => s_add_Tensor.Run(this, other);

        /// <summary>Sum, each element with one number.</summary>
        public Tensor add(Scalar other) => s_add_Scalar.Run(this, other);

        /// <summary>Sum, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor add_(Tensor other) => s_add__Tensor.Apply(this, other);

        /// <summary>Sum with one number, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor add_(Scalar other) => s_add__Scalar.Apply(this, other);

        /// <summary>Sum with alpha times other, broadcast.</summary>
        public Tensor add(Tensor other, Scalar alpha) => s_add_Tensor.Run(this, other, alpha);

        /// <summary>Sum with alpha times a number.</summary>
        public Tensor add(Scalar other, Scalar alpha) => s_add_Scalar.Run(this, other, alpha);

        /// <summary>Sum with alpha times other, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor add_(Tensor other, Scalar alpha) => s_add__Tensor.Apply(this, other, alpha);

        /// <summary>Sum with alpha times a number, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor add_(Scalar other, Scalar alpha) => s_add__Scalar.Apply(this, other, alpha);

        /// <summary>Difference, element by element, broadcast.</summary>
        public Tensor sub(Tensor other) => s_sub_Tensor.Run(this, other);

        /// <summary>Difference, each element with one number.</summary>
        public Tensor sub(Scalar other) => s_sub_Scalar.Run(this, other);

        /// <summary>Difference, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor sub_(Tensor other) => s_sub__Tensor.Apply(this, other);

        /// <summary>Difference with one number, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor sub_(Scalar other) => s_sub__Scalar.Apply(this, other);

        /// <summary>Difference with alpha times other, broadcast.</summary>
        public Tensor sub(Tensor other, Scalar alpha) => s_sub_Tensor.Run(this, other, alpha);

        /// <summary>Difference with alpha times a number.</summary>
        public Tensor sub(Scalar other, Scalar alpha) => s_sub_Scalar.Run(this, other, alpha);

        /// <summary>Difference with alpha times other, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor sub_(Tensor other, Scalar alpha) => s_sub__Tensor.Apply(this, other, alpha);

        /// <summary>Difference with alpha times a number, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor sub_(Scalar other, Scalar alpha) => s_sub__Scalar.Apply(this, other, alpha);

        /// <summary>Product, element by element, broadcast.</summary>
        public Tensor mul(Tensor other) => s_mul_Tensor.Run(this, other);

        /// <summary>Product, each element with one number.</summary>
        public Tensor mul(Scalar other) => s_mul_Scalar.Run(this, other);

        /// <summary>Product, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor mul_(Tensor other) => s_mul__Tensor.Apply(this, other);

        /// <summary>Product with one number, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor mul_(Scalar other) => s_mul__Scalar.Apply(this, other);

        /// <summary>Quotient, element by element, broadcast.</summary>
        public Tensor div(Tensor other) => s_div_Tensor.Run(this, other);

        /// <summary>Quotient, each element with one number.</summary>
        public Tensor div(Scalar other) => s_div_Scalar.Run(this, other);

        /// <summary>Quotient, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor div_(Tensor other) => s_div__Tensor.Apply(this, other);

        /// <summary>Quotient with one number, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor div_(Scalar other) => s_div__Scalar.Apply(this, other);

        /// <summary>Quotient, rounded as asked.</summary>
        public Tensor div(Tensor other, RoundingMode rounding_mode) => s_div_Tensor_mode.Run(this, other, rounding_mode.Name());

        /// <summary>Quotient by one number, rounded as asked.</summary>
        public Tensor div(Scalar other, RoundingMode rounding_mode) => s_div_Scalar_mode.Run(this, other, rounding_mode.Name());

        /// <summary>Quotient rounded down.</summary>
        public Tensor floor_divide(Tensor other) => s_floor_divide.Run(this, other);

        /// <summary>Quotient by one number, rounded down.</summary>
        public Tensor floor_divide(Scalar other) => s_floor_divide_Scalar.Run(this, other);

        /// <summary>Remainder with the sign of the divisor, element by element, broadcast.</summary>
        public Tensor remainder(Tensor other) => s_remainder_Tensor.Run(this, other);

        /// <summary>Remainder with the sign of the divisor, each element with one number.</summary>
        public Tensor remainder(Scalar other) => s_remainder_Scalar.Run(this, other);

        /// <summary>Remainder with the sign of the divisor, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor remainder_(Tensor other) => s_remainder__Tensor.Apply(this, other);

        /// <summary>Remainder with the sign of the divisor with one number, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor remainder_(Scalar other) => s_remainder__Scalar.Apply(this, other);

        /// <summary>Remainder with the sign of the dividend, element by element, broadcast.</summary>
        public Tensor fmod(Tensor other) => s_fmod_Tensor.Run(this, other);

        /// <summary>Remainder with the sign of the dividend, each element with one number.</summary>
        public Tensor fmod(Scalar other) => s_fmod_Scalar.Run(this, other);

        /// <summary>Remainder with the sign of the dividend, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor fmod_(Tensor other) => s_fmod__Tensor.Apply(this, other);

        /// <summary>Remainder with the sign of the dividend with one number, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor fmod_(Scalar other) => s_fmod__Scalar.Apply(this, other);

        /// <summary>Power, element by element.</summary>
        public Tensor pow(Tensor exponent) => s_pow_Tensor_Tensor.Run(this, exponent);

        /// <summary>Power with one exponent.</summary>
        public Tensor pow(Scalar exponent) => s_pow_Tensor_Scalar.Run(this, exponent);

        /// <summary>Power, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor pow_(Tensor exponent) => s_pow__Tensor.Apply(this, exponent);

        /// <summary>Power with one exponent, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor pow_(Scalar exponent) => s_pow__Scalar.Apply(this, exponent);

        /// <summary>this + value * tensor1 * tensor2.</summary>
        public Tensor addcmul(Tensor tensor1, Tensor tensor2, Scalar value) => s_addcmul.Run(this, tensor1, tensor2, value);

        /// <summary>this + value * tensor1 * tensor2, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor addcmul_(Tensor tensor1, Tensor tensor2, Scalar value) => s_addcmul_.Apply(this, tensor1, tensor2, value);

        /// <summary>this + value * tensor1 / tensor2.</summary>
        public Tensor addcdiv(Tensor tensor1, Tensor tensor2, Scalar value) => s_addcdiv.Run(this, tensor1, tensor2, value);

        /// <summary>this + value * tensor1 / tensor2, in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2, Scalar value) => s_addcdiv_.Apply(this, tensor1, tensor2, value);

        /// <summary>this + weight * (end - this).</summary>
        public Tensor lerp(Tensor end, Scalar weight) => s_lerp_Scalar.Run(this, end, weight);

        /// <summary>this + weight * (end - this), broadcast.</summary>
        public Tensor lerp(Tensor end, Tensor weight) => s_lerp_Tensor.Run(this, end, weight);

        /// <summary>this + weight * (end - this), in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor lerp_(Tensor end, Scalar weight) => s_lerp__Scalar.Apply(this, end, weight);

        /// <summary>this + weight * (end - this), in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor lerp_(Tensor end, Tensor weight) => s_lerp__Tensor.Apply(this, end, weight);

        /// <summary>Angle of the point (other, this), in radians.</summary>
        public Tensor atan2(Tensor other) => s_atan2.Run(this, other);

        /// <summary>Square root of the sum of both squares.</summary>
        public Tensor hypot(Tensor other) => s_hypot.Run(this, other);

        /// <summary>The larger of both, element by element.</summary>
        public Tensor maximum(Tensor other) => s_maximum.Run(this, other);

        /// <summary>The smaller of both, element by element.</summary>
        public Tensor minimum(Tensor other) => s_minimum.Run(this, other);

        /// <summary>Every element moved into [min, max]; null is no bound.</summary>
        public Tensor clamp(Scalar? min = null, Scalar? max = null) => s_clamp.Run(this, min, max);

        /// <summary>Every element moved into [min, max], bounds broadcast; null is no bound.</summary>
        public Tensor clamp(Tensor? min, Tensor? max) => s_clamp_Tensor.Run(this, min, max);

        /// <summary>Every element moved into [min, max], in place.</summary>
        /// <returns>This tensor.</returns>
        public Tensor clamp_(Scalar? min = null, Scalar? max = null) => s_clamp_.Apply(this, min, max);

        /// <summary>Every element at least min.</summary>
        public Tensor clamp_min(Scalar min) => s_clamp_min.Run(this, min);

        /// <summary>Every element at most max.</summary>
        public Tensor clamp_max(Scalar max) => s_clamp_max.Run(this, max);

        /// <summary>Not-a-number and infinities replaced: by 0 and the largest numbers unless given.</summary>
        public Tensor nan_to_num(double? nan = null, double? posinf = null, double? neginf = null)
            => s_nan_to_num.Run(this, nan, posinf, neginf);
    }
}
