using StableTune.Optimizers;

namespace StableTune.Training;

/// <summary>
/// Steps parameters while the backward pass goes on, each (or each group) when its gradients are there, and frees those. The backward pass
/// tells of each by <see cref="GradientTap"/>.
/// </summary>
internal sealed class FusedBackward : IDisposable
{
    private readonly IOptimizer _optimizer;
    private readonly IGradientStage _stage;
    private readonly Tensor[] _trained;
    private readonly Dictionary<Tensor, List<Tensor>> _arrived;               // each parameter's group: what has come of it
    private readonly Dictionary<List<Tensor>, int> _sizes;
    private readonly HashSet<Tensor> _stepped;
    private readonly List<(Tensor Norm, Tensor[] StepsCounted)> _norms = [];
    private readonly GradientTap _tap;
    private StepInfo _info;

    public FusedBackward(FusedBackwardOptions options, IOptimizer optimizer, IGradientStage stage)
    {
        (_optimizer, _stage) = (optimizer, stage);
        _trained = [.. optimizer.Groups.SelectMany(group => group.Parameters).Select(parameter => parameter.Value)];
        (_arrived, _sizes, _stepped) = (new(ReferenceEqualityComparer.Instance), new(ReferenceEqualityComparer.Instance),
            new(ReferenceEqualityComparer.Instance));
        foreach (var members in Groups(_trained, options.Groups))
        {
            List<Tensor> group = [];
            _sizes.Add(group, members.Count);
            foreach (var parameter in members) _arrived[parameter] = group;
        }

        _tap = new GradientTap(_trained, Arrived);
    }

    /// <summary>Begins a step; the backward pass follows.</summary>
    public void Begin(StepInfo info)
    {
        Forget();
        _info = info;
    }

    /// <summary>Ends a step when the backward pass is over: steps what is left.</summary>
    /// <returns>The norm of all gradients, and whether some parameters were stepped though others' gradients are not finite.</returns>
    /// <exception cref="InvalidOperationException">A parameter got gradients after it was stepped.</exception>
    public (double Norm, bool PartWasStepped) End()
    {
        _tap.Finish();
        if (_trained.FirstOrDefault(parameter => _stepped.Contains(parameter) && parameter.grad is not null) is not null)
            throw new InvalidOperationException(
                "A parameter is used outside of its layer too, and got a gradient after it was stepped: train without FusedBackward.");
        var left = _trained.Where(parameter => parameter.grad is not null).ToArray();
        if (left.Length > 0) Step(left);
        using var scope = NewDisposeScope();
        if (_norms.Count == 0) return (0, false);
        var device = _norms[0].Norm.device;
        var all = stack([.. _norms.Select(entry => entry.Norm.to(device).to(ScalarType.Float64))]).cpu();
        var norms = all.data<double>().ToArray();
        foreach (var (entry, norm) in _norms.Zip(norms))
            if (!double.IsFinite(norm)) (_optimizer as StatefulOptimizer)?.TakeBackStep(entry.StepsCounted);
        Forget();
        return (Math.Sqrt(norms.Sum(norm => norm * norm)), norms.Any(double.IsFinite) && !norms.All(double.IsFinite));
    }

    public void Dispose()
    {
        Forget();
        _tap.Dispose();
    }

    /// <summary>Neighbours, so many that each group has about as many numbers; or each parameter alone.</summary>
    private static IEnumerable<List<Tensor>> Groups(Tensor[] parameters, int? count)
    {
        var most = count is { } groups ? parameters.Sum(parameter => parameter.numel()) / (double)groups : 0;
        var (begun, members) = (0L, new List<Tensor>());
        foreach (var parameter in parameters)
        {
            members.Add(parameter);
            begun += parameter.numel();
            if (begun < most) continue;
            yield return members;
            (begun, members) = (0, []);
        }

        if (members.Count > 0) yield return members;
    }

    private void Arrived(Tensor parameter)
    {
        var group = _arrived[parameter];
        group.Add(parameter);
        if (group.Count < _sizes[group]) return;
        Step([.. group]);
        group.Clear();
    }

    private void Step(Tensor[] parameters)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var norm = _stage.Apply(parameters);
        // On a CPU nothing waits for the norm; elsewhere the device itself leaves the parameters as they were where it is not finite.
        var isKnown = norm.device_type == DeviceType.CPU;
        if (!isKnown) _optimizer.Step(_info with { Only = parameters, IsFinite = norm.isfinite() });
        else if (double.IsFinite(norm.to(ScalarType.Float64).item<double>())) _optimizer.Step(_info with { Only = parameters });
        foreach (var parameter in parameters)
        {
            parameter.grad = null;
            _stepped.Add(parameter);
        }

        _norms.Add((norm.DetachFromDisposeScope(), isKnown ? [] : parameters));
    }

    private void Forget()
    {
        foreach (var (norm, _) in _norms) norm.Dispose();
        _norms.Clear();
        _stepped.Clear();
        foreach (var group in _sizes.Keys) group.Clear();
    }
}
