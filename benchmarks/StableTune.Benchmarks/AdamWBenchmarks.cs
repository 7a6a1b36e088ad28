using BenchmarkDotNet.Attributes;
using StableTune.Optimizers;

namespace StableTune.Benchmarks;

/// <summary>One step of AdamW over the tensors of a real adapter: a LoRA of rank 8 on all of a UNet of Stable Diffusion 1.5, 384
/// tensors.</summary>
[MemoryDiagnoser]
public class AdamWBenchmarks
{
    private static readonly AdamWRates Rates = new(1e-4, 0.9, 0.999, 1e-8, 0.01);

    private Tensor[] _weights = [], _gradients = [], _first = [], _second = [];
    private torch.optim.Optimizer _torchSharp = null!;
    private AdamWTensors _tensors = null!, _flat = null!;
    private IOptimizer _whole = null!, _eightBit = null!;
    private StepInfo _info;

    [GlobalSetup]
    public void SetUp()
    {
        NativeBackend.Load();
        // Widths of the attention's and feed-forward layers at the four levels, each with a down and an up factor.
        var layers = new[] { (320, 5), (640, 5), (1280, 6) }.SelectMany(level => Enumerable.Repeat(level.Item1, level.Item2)).ToArray();
        long[][] shapes = [.. layers.SelectMany(width => Enumerable.Range(0, 10).SelectMany(_ => new long[][] { [8, width], [width, 8] })
            .Concat([[8, width], [8 * width, 8], [8, 4 * width], [width, 8]]))];
        Tensor[] Make(Func<long[], Tensor> make) => [.. shapes.Select(make)];
        (_weights, _gradients, _first, _second) = (
            Make(shape => randn(shape)), Make(shape => randn(shape)), Make(shape => zeros(shape)), Make(shape => zeros(shape)));
        _tensors = new AdamWTensors(_weights, _gradients, _first, _second, null, [.. _weights.Select(_ => ones([]))]);
        Parameter[] parameters = [.. _weights.Select(weight => LayerInitialization.NewParameter(weight.clone()))];
        foreach (var (parameter, gradient) in parameters.Zip(_gradients)) parameter.grad = gradient;
        _torchSharp = optim.AdamW(parameters, Rates.LearningRate, weight_decay: Rates.WeightDecay);
        (_whole, _eightBit) = (Create(new AdamWOptions()), Create(new AdamW8bitOptions()));
        _info = new StepInfo([Rates.LearningRate], 0);
        var count = shapes.Sum(shape => shape[0] * shape[1]);
        _flat = new AdamWTensors([randn(count)], [randn(count)], [zeros(count)], [zeros(count)], null, [ones([])]);
    }

    private IOptimizer Create(OptimizerOptions options)
    {
        NamedParameter[] parameters = [.. _weights.Select((weight, i) => new NamedParameter($"{i}", weight.clone().requires_grad_()))];
        foreach (var (parameter, gradient) in parameters.Zip(_gradients)) parameter.Value.grad = gradient;
        return options.Create([new ParameterGroup("all", parameters, Rates.LearningRate)]);
    }

    [Benchmark(Baseline = true, Description = "torch.optim.AdamW")]
    public void TorchSharpsOwn() => _ = _torchSharp.step();

    [Benchmark(Description = "loop of calls in place")]
    public void Loop()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        for (var i = 0; i < _weights.Length; i++)
        {
            _weights[i].mul_(1 - Rates.LearningRate * Rates.WeightDecay);
            _first[i].mul_(Rates.Beta1).add_(_gradients[i], alpha: 1 - Rates.Beta1);
            _second[i].mul_(Rates.Beta2).addcmul_(_gradients[i], _gradients[i], 1 - Rates.Beta2);
            var denominator = (_second[i].sqrt() / Math.Sqrt(1 - Rates.Beta2)).add_(Rates.Epsilon);
            _weights[i].addcdiv_(_first[i], denominator, -Rates.LearningRate / (1 - Rates.Beta1));
        }
    }

    [Benchmark(Description = "fused, list of tensors")]
    public void Fused() => FusedAdamW.Step(_tensors, Rates);

    [Benchmark(Description = "fused, one flat tensor")]
    public void Flat() => FusedAdamW.Step(_flat, Rates);

    [Benchmark(Description = "AdamW of a run")]
    public void OfARun() => _whole.Step(_info);

    [Benchmark(Description = "AdamW8bit of a run")]
    public void EightBit() => _eightBit.Step(_info);
}
