namespace StableTune.Models;

/// <summary>Steps between layers that keep as few tensors alive as possible.</summary>
internal static class Flow
{
    /// <summary>Calls a layer and lets its input go at once, instead of at the end of the scope. Autograd keeps what it needs by
    /// itself.</summary>
    /// <param name="input">A tensor of the caller's own, not needed afterwards.</param>
    /// <param name="layer">Any layer; it returns a fresh tensor.</param>
    internal static Tensor Into(this Tensor input, nn.Module<Tensor, Tensor> layer)
    {
        var output = layer.call(input);
        input.Dispose();
        return output;
    }

    /// <summary>Runs steps one after another and lets each result go when the next has taken it; the input stays the caller's.</summary>
    /// <returns>The last step's result, or the input itself when there are no steps.</returns>
    internal static Tensor Through(this Tensor input, IEnumerable<Func<Tensor, Tensor>> steps)
    {
        var current = input;
        foreach (var step in steps)
        {
            var next = step(current);
            if (!ReferenceEquals(current, input)) current.Dispose();
            current = next;
        }

        return current;
    }

    /// <summary>silu(norm(x)) computed in float32, of x's shape and dtype.</summary>
    /// <remarks>With gradients only x is kept (see <see cref="ForwardSettings.RecomputeActivations"/>); without, the activation is done
    /// in place.</remarks>
    internal static Tensor NormSilu(this ForwardSettings settings, GroupNorm norm, Tensor x) =>
        settings.Elementwise(inputs =>
        {
            using var scope = NewDisposeScope();
            var normed = inputs[0].dtype == ScalarType.Float32 ? norm.call(inputs[0]) : norm.Float32(inputs[0]);
            var activated = nn.functional.silu(normed, inplace: !is_grad_enabled());
            return activated.As(inputs[0].dtype).MoveToOuterDisposeScope();
        }, x);
}
