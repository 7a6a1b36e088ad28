using StableTune.Optimizers;

namespace StableTune.Training;

/// <summary>Norms of the trained tensors and of their gradients, for logs: how large a training has made what it trains, and where it
/// stands still.</summary>
internal sealed class KeyNorms(IOptimizer optimizer)
{
    private readonly Tensor[] _trained =
        [.. optimizer.Groups.SelectMany(group => group.Parameters).Select(parameter => (Tensor)parameter.Value)];

    private Dictionary<string, double> _last = [];

    /// <summary>The norms after the last step, under sd-scripts' names; empty before the first.</summary>
    public IReadOnlyDictionary<string, double> Metrics => _last;

    /// <summary>Measures, while the step's gradients are there still, as the optimizer got them.</summary>
    public void Measure()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var norms = new Dictionary<string, double>();
        Add(norms, "key", _trained);
        // Where each is stepped in the backward pass, gradients are gone already.
        Add(norms, "grad", [.. _trained.Select(tensor => tensor.grad).OfType<Tensor>()]);
        _last = norms;
    }

    private static void Add(Dictionary<string, double> norms, string kind, Tensor[] tensors)
    {
        if (tensors.Length == 0) return;
        var device = tensors[0].device;
        var all = stack([.. tensors.Select(tensor => tensor.to(ScalarType.Float32).norm().to(device))]);
        norms[$"norm/avg_{kind}_norm"] = all.mean().item<float>();
        norms[$"norm/max_{kind}_norm"] = all.max().item<float>();
    }
}
