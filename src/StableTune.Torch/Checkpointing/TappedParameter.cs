using System.Runtime.CompilerServices;

namespace StableTune.Torch;

/// <summary>A parameter whose gradient is taken as soon as it is complete: counts its uses, and adds up what comes back.</summary>
internal sealed class TappedParameter
{
    private static readonly ConditionalWeakTable<Tensor, TappedParameter> s_tapped = [];
    private static int s_count;

    private readonly Tensor _parameter;
    private readonly GradientTap _tap;
    private readonly Lock _gate = new();
    private Tensor? _sum;
    private int _uses;

    private TappedParameter(Tensor parameter, GradientTap tap) => (_parameter, _tap) = (parameter, tap);

    internal static TappedParameter Add(Tensor parameter, GradientTap tap)
    {
        var tapped = new TappedParameter(parameter, tap);
        if (!s_tapped.TryAdd(parameter, tapped))
            throw new ArgumentException("A parameter is tapped already: dispose the other GradientTap first.", nameof(parameter));
        Interlocked.Increment(ref s_count);
        return tapped;
    }

    internal void Remove()
    {
        if (s_tapped.Remove(_parameter)) Interlocked.Decrement(ref s_count);
        _sum?.Dispose();
        _sum = null;
    }

    /// <summary>The parameter as a layer reads it: itself, or through a node that takes its gradient.</summary>
    internal static Tensor? Of(Tensor? parameter)
    {
        if (s_count == 0 || parameter is null || !parameter.requires_grad || !s_tapped.TryGetValue(parameter, out var tapped))
            return parameter;
        // The first pass of a checkpoint records nothing; its second one is the use that was counted then.
        if (CheckpointPass.IsCounted) Interlocked.Increment(ref tapped._uses);
        return is_grad_enabled() ? TapFunction.Apply(tapped) : parameter;
    }

    /// <summary>The parameter under another tensor object, in the current dispose scope, for a node's output.</summary>
    internal Tensor Alias()
    {
        using (no_grad()) return _parameter.detach();
    }

    internal Tensor Parameter => _parameter;

    /// <summary>Takes in what came back to one use.</summary>
    /// <param name="gradient">Of the parameter's shape and type; becomes this object's. Null where the use had no part in the loss.</param>
    internal void TakeIn(Tensor? gradient)
    {
        lock (_gate)
        {
            if (gradient is not null && _sum is not null)
            {
                // Not in place: libtorch may share the memory of what came first.
                var sum = (_sum + gradient).DetachFromDisposeScope();
                _sum.Dispose();
                gradient.Dispose();
                _sum = sum;
            }
            else _sum ??= gradient;

            if (--_uses > 0) return;
        }

        Complete();
    }

    internal void Finish()
    {
        _uses = 0;
        Complete();
    }

    private void Complete()
    {
        if (_sum is not { } sum) return;
        _sum = null;
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        // Some come from uses that are no layer's.
        var all = _parameter.grad is { } others ? others + sum : sum;
        using (sum) _parameter.grad = _parameter.is_contiguous() ? all.contiguous() : all;
        _tap.Complete(_parameter);
    }
}

/// <summary>The node through which a layer reads a tapped parameter.</summary>
internal sealed class TapFunction : autograd.SingleTensorFunction<TapFunction>
{
    private const string Key = "tap";

    public override string Name => "StableTune.GradientTap";

    internal static Tensor Apply(TappedParameter tapped)
    {
        GradientFaults.ThrowPending();
        // TorchSharp's node holds an empty tensor of the output's size for as long as the scope lets it.
        using var scope = NewDisposeScope();
        return apply(new Use(tapped, tapped.Alias(), GradientFaults.OfThisThread), tapped.Parameter).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var use = (Use)vars[0];
        ctx.set_materialize_grads(false);
        ctx.save_data(Key, use with { Output = null! });
        return use.Output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var use = (Use)ctx.get_data(Key);
        var faults = GradientFaults.OfPass(use.Faults);
        try
        {
            var gradient = grad_output.IsInvalid || faults.HasPending ? null : grad_output.detach().DetachFromDisposeScope();
            if (!faults.HasPending) use.Tapped.TakeIn(gradient);
        }
        catch (Exception e)
        {
            // No exception may pass through libtorch's frames.
            faults.Keep(e);
        }
        finally
        {
            if (!grad_output.IsInvalid) grad_output.Dispose();
        }

        // The parameter itself gets none from here.
        return ReturnedGradients.HandOver(new Tensor?[2]);
    }

    private sealed record Use(TappedParameter Tapped, Tensor Output, GradientFaults Faults);
}
