using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

/// <remarks>
/// Foreach operators treat a whole list of tensors in one call, which on a GPU is one kernel launch and on a CPU saves the cost of
/// the calls. Lists of one call have the same length, and tensors of the same place the same shape.
/// </remarks>
public static partial class engine
{
    private static readonly Operator s_foreach_add__Scalar = new("_foreach_add_", "Scalar");
    private static readonly Operator s_foreach_add__List = new("_foreach_add_", "List");
    private static readonly Operator s_foreach_add_List = new("_foreach_add", "List");
    private static readonly Operator s_foreach_sub__List = new("_foreach_sub_", "List");
    private static readonly Operator s_foreach_sub_List = new("_foreach_sub", "List");
    private static readonly Operator s_foreach_mul__Scalar = new("_foreach_mul_", "Scalar");
    private static readonly Operator s_foreach_mul__List = new("_foreach_mul_", "List");
    private static readonly Operator s_foreach_mul_Scalar = new("_foreach_mul", "Scalar");
    private static readonly Operator s_foreach_mul_List = new("_foreach_mul", "List");
    private static readonly Operator s_foreach_div__Scalar = new("_foreach_div_", "Scalar");
    private static readonly Operator s_foreach_div__List = new("_foreach_div_", "List");
    private static readonly Operator s_foreach_div_Scalar = new("_foreach_div", "Scalar");
    private static readonly Operator s_foreach_div_List = new("_foreach_div", "List");
    private static readonly Operator s_foreach_addcmul__Scalar = new("_foreach_addcmul_", "Scalar");
    private static readonly Operator s_foreach_addcdiv__Scalar = new("_foreach_addcdiv_", "Scalar");
    private static readonly Operator s_foreach_lerp_Scalar = new("_foreach_lerp_", "Scalar");
    private static readonly Operator s_foreach_sqrt = new("_foreach_sqrt");
    private static readonly Operator s_foreach_sqrt_ = new("_foreach_sqrt_");
    private static readonly Operator s_foreach_abs = new("_foreach_abs");
    private static readonly Operator s_foreach_neg = new("_foreach_neg");
    private static readonly Operator s_foreach_neg_ = new("_foreach_neg_");
    private static readonly Operator s_foreach_zero_ = new("_foreach_zero_");
    private static readonly Operator s_foreach_norm_Scalar = new("_foreach_norm", "Scalar");

    /// <summary>self + scalar, in place.</summary>
    public static void foreach_add_(IEnumerable<Tensor> self, Scalar scalar)
        => s_foreach_add__Scalar.Do(Argument.List(self), scalar);

    /// <summary>self + alpha * other, in place.</summary>
    public static void foreach_add_(IEnumerable<Tensor> self, IEnumerable<Tensor> other, Scalar? alpha = null)
        => s_foreach_add__List.Do(Argument.List(self), Argument.List(other), alpha ?? 1);

    /// <summary>self + alpha * other.</summary>
    public static Tensor[] foreach_add(IEnumerable<Tensor> self, IEnumerable<Tensor> other, Scalar? alpha = null)
        => s_foreach_add_List.RunList(Argument.List(self), Argument.List(other), alpha ?? 1);

    /// <summary>self - alpha * other, in place.</summary>
    public static void foreach_sub_(IEnumerable<Tensor> self, IEnumerable<Tensor> other, Scalar? alpha = null)
        => s_foreach_sub__List.Do(Argument.List(self), Argument.List(other), alpha ?? 1);

    /// <summary>self - alpha * other.</summary>
    public static Tensor[] foreach_sub(IEnumerable<Tensor> self, IEnumerable<Tensor> other, Scalar? alpha = null)
        => s_foreach_sub_List.RunList(Argument.List(self), Argument.List(other), alpha ?? 1);

    /// <summary>self * scalar, in place.</summary>
    public static void foreach_mul_(IEnumerable<Tensor> self, Scalar scalar)
        => s_foreach_mul__Scalar.Do(Argument.List(self), scalar);

    /// <summary>self * other, in place.</summary>
    public static void foreach_mul_(IEnumerable<Tensor> self, IEnumerable<Tensor> other)
        => s_foreach_mul__List.Do(Argument.List(self), Argument.List(other));

    /// <summary>self * scalar.</summary>
    public static Tensor[] foreach_mul(IEnumerable<Tensor> self, Scalar scalar)
        => s_foreach_mul_Scalar.RunList(Argument.List(self), scalar);

    /// <summary>self * other.</summary>
    public static Tensor[] foreach_mul(IEnumerable<Tensor> self, IEnumerable<Tensor> other)
        => s_foreach_mul_List.RunList(Argument.List(self), Argument.List(other));

    /// <summary>self / scalar, in place.</summary>
    public static void foreach_div_(IEnumerable<Tensor> self, Scalar scalar)
        => s_foreach_div__Scalar.Do(Argument.List(self), scalar);

    /// <summary>self / other, in place.</summary>
    public static void foreach_div_(IEnumerable<Tensor> self, IEnumerable<Tensor> other)
        => s_foreach_div__List.Do(Argument.List(self), Argument.List(other));

    /// <summary>self / scalar.</summary>
    public static Tensor[] foreach_div(IEnumerable<Tensor> self, Scalar scalar)
        => s_foreach_div_Scalar.RunList(Argument.List(self), scalar);

    /// <summary>self / other.</summary>
    public static Tensor[] foreach_div(IEnumerable<Tensor> self, IEnumerable<Tensor> other)
        => s_foreach_div_List.RunList(Argument.List(self), Argument.List(other));

    /// <summary>self + value * tensor1 * tensor2, in place.</summary>
    public static void foreach_addcmul_(IEnumerable<Tensor> self, IEnumerable<Tensor> tensor1, IEnumerable<Tensor> tensor2, Scalar value)
        => s_foreach_addcmul__Scalar.Do(Argument.List(self), Argument.List(tensor1), Argument.List(tensor2), value);

    /// <summary>self + value * tensor1 / tensor2, in place.</summary>
    public static void foreach_addcdiv_(IEnumerable<Tensor> self, IEnumerable<Tensor> tensor1, IEnumerable<Tensor> tensor2, Scalar value)
        => s_foreach_addcdiv__Scalar.Do(Argument.List(self), Argument.List(tensor1), Argument.List(tensor2), value);

    /// <summary>self + weight * (end - self), in place. Tensor by tensor where libtorch has no such operator on lists (1.13).</summary>
    public static void foreach_lerp_(IEnumerable<Tensor> self, IEnumerable<Tensor> end, Scalar weight)
    {
        if (s_foreach_lerp_Scalar.Exists)
        {
            s_foreach_lerp_Scalar.Do(Argument.List(self), Argument.List(end), weight);
            return;
        }
        foreach (var (from, to) in self.Zip(end)) from.lerp_(to, weight);
    }

    /// <summary>Square roots.</summary>
    public static Tensor[] foreach_sqrt(IEnumerable<Tensor> self)
        => s_foreach_sqrt.RunList(Argument.List(self));

    /// <summary>Square roots, in place.</summary>
    public static void foreach_sqrt_(IEnumerable<Tensor> self)
        => s_foreach_sqrt_.Do(Argument.List(self));

    /// <summary>Absolute values.</summary>
    public static Tensor[] foreach_abs(IEnumerable<Tensor> self)
        => s_foreach_abs.RunList(Argument.List(self));

    /// <summary>Negatives.</summary>
    public static Tensor[] foreach_neg(IEnumerable<Tensor> self)
        => s_foreach_neg.RunList(Argument.List(self));

    /// <summary>Negatives, in place.</summary>
    public static void foreach_neg_(IEnumerable<Tensor> self)
        => s_foreach_neg_.Do(Argument.List(self));

    /// <summary>Sets all elements to 0.</summary>
    public static void foreach_zero_(IEnumerable<Tensor> self)
        => s_foreach_zero_.Do(Argument.List(self));

    /// <summary>The norm of each tensor, a scalar tensor each; 2-norms when not given.</summary>
    public static Tensor[] foreach_norm(IEnumerable<Tensor> self, Scalar? ord = null)
        => s_foreach_norm_Scalar.RunList(Argument.List(self), ord ?? 2);
}
