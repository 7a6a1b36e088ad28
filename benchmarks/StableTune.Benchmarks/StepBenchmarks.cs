using BenchmarkDotNet.Attributes;
using StableTune.Adapters;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Torch;

namespace StableTune.Benchmarks;

/// <summary>A whole step of a LoRA (rank 8) on the UNet of the tests' tiny model, 128x128, batch 2: what is left of a step when kernels are
/// small, and what each part of it takes. For full size see <c>full-size.sh</c>.</summary>
[MemoryDiagnoser]
public class StepBenchmarks
{
    private UNet2DConditionModel _unet = null!;
    private AdapterNetwork _lora = null!;
    private IOptimizer _optimizer = null!;
    private Tensor _latents = null!, _noise = null!, _timesteps = null!, _context = null!;
    private StepInfo _info;

    [GlobalSetup]
    public void SetUp()
    {
        NativeBackend.Load();
        var random = new Generator(1);
        _unet = new UNet2DConditionModel(UNetOptions.Tiny);
        foreach (var parameter in _unet.parameters()) parameter.requires_grad = false;
        _lora = AdapterNetwork.Attach(new AdapterHosts(_unet), new LoRAOptions { Rank = 8, Alpha = 8 }, random);
        NamedParameter[] parameters = [.. _lora.NamedParameters().Select(entry => new NamedParameter(entry.Name, entry.Parameter))];
        _optimizer = new AdamWOptions().Create([new ParameterGroup("unet", parameters, 1e-4)]);
        _info = new StepInfo([1e-4], 0);
        (_latents, _noise) = (randn(2, 4, 16, 16), randn(2, 4, 16, 16));
        (_timesteps, _context) = (tensor(new long[] { 100, 700 }), randn(2, 77, UNetOptions.Tiny.CrossAttentionDim));
    }

    [Benchmark(Baseline = true, Description = "whole step")]
    public void Step()
    {
        Backward();
        _optimizer.Step(_info);
    }

    [Benchmark(Description = "forward, without gradients")]
    public void Forward()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        _ = _unet.forward(_latents, _timesteps, _context, null);
    }

    [Benchmark(Description = "forward and backward")]
    public void Backward()
    {
        using var scope = NewDisposeScope();
        foreach (var entry in _lora.NamedParameters()) entry.Parameter.grad?.zero_();
        nn.functional.mse_loss(_unet.forward(_latents, _timesteps, _context, null), _noise).backward();
    }

    [Benchmark(Description = "optimizer")]
    public void Optimizer() => _optimizer.Step(_info);
}
