using System.Diagnostics;
using StableTune.Optimizers;
using TorchSharp;
using static TorchSharp.torch;

namespace StableTune.FullSize;

/// <summary>
/// A step of every optimizer of the catalogue: over the tensors of a real adapter, against the same formula as a loop of TorchSharp's calls
/// and against TorchSharp's own optimizer, and over 100 million parameters in 24 matrices, with the bytes that are remembered of each.
/// </summary>
internal static class OptimizerSteps
{
    private const double Rate = 1e-4;

    public static void Run(IReadOnlyList<string> chosen)
    {
        NativeBackend.Load();
        // As a run does.
        HostMemory.Keep(new TrainingPlan().EffectiveKeptMemoryBytes);
        Console.WriteLine($"{get_num_threads()} thread(s)");
        Console.WriteLine("optimizer             528 tensors        loop  ratio   TorchSharp  ratio   100 M parameters  bytes each");
        foreach (var name in chosen.Count > 0 ? chosen : [.. OptimizerCatalog.Default.Names])
        {
            using var scope = NewDisposeScope();
            var options = OptimizerCatalog.Default.Create(name);
            var ours = Adapter(name, options);
            var loop = OptimizerLoops.ByName.TryGetValue(name, out var made) ? Milliseconds(made(Tensors(AdapterShapes)), 5) : double.NaN;
            var own = OptimizerLoops.Own.TryGetValue(name, out var create) ? OfTorchSharp(create) : double.NaN;
            var (large, bytes) = Large(options);
            Console.WriteLine(FormattableString.Invariant(
                $"{name,-20} {ours,9:F2} ms {loop,8:F1} ms {loop / ours,6:F1} {own,9:F1} ms {own / ours,6:F1} ")
                + FormattableString.Invariant($"{large,15:F0} ms {bytes,11:F3}"));
        }
    }

    /// <summary>A LoRA of rank 8 on all of the UNet and the text encoder of Stable Diffusion 1.5: 528 tensors, 4.7 million
    /// numbers.</summary>
    private static long[][] AdapterShapes
    {
        get
        {
            var unet = new[] { (320, 5), (640, 5), (1280, 6) }.SelectMany(level => Enumerable.Repeat(level.Item1, level.Item2))
                .SelectMany(width => Enumerable.Range(0, 10).SelectMany(_ => new long[][] { [8, width], [width, 8] })
                    .Concat([[8, width], [8L * width, 8], [8, 4L * width], [width, 8]]));
            var text = Enumerable.Range(0, 12).SelectMany(_ => Enumerable.Range(0, 4).SelectMany(_ => new long[][] { [8, 768], [768, 8] })
                .Concat([[8, 768], [3072, 8], [8, 3072], [768, 8]]));
            return [.. unet, .. text];
        }
    }

    private static double Adapter(string name, OptimizerOptions options)
    {
        using var scope = NewDisposeScope();
        using var optimizer = Create(options, Tensors(AdapterShapes));
        var step = 0;
        return Milliseconds(() => optimizer.Step(new StepInfo([Rate], step++)), 20);
    }

    private static (double Milliseconds, double BytesEach) Large(OptimizerOptions options)
    {
        using var scope = NewDisposeScope();
        var weights = Tensors([.. Enumerable.Repeat(new long[] { 2048, 2048 }, 24)]);
        using var optimizer = Create(options, weights);
        var step = 0;
        var time = Milliseconds(() => optimizer.Step(new StepInfo([Rate], step++)), 3);
        return (time, (double)((StatefulOptimizer)optimizer).StateBytes / weights.Sum(weight => weight.numel()));
    }

    private static double OfTorchSharp(Func<IEnumerable<Parameter>, optim.Optimizer> create)
    {
        using var scope = NewDisposeScope();
        Parameter[] parameters = [.. Tensors(AdapterShapes).Select(weight =>
            new Parameter(weight.detach()) { grad = weight.grad })];
        using var optimizer = create(parameters);
        return Milliseconds(() => optimizer.step(), 5);
    }

    private static IOptimizer Create(OptimizerOptions options, Tensor[] weights) =>
        options.Create([new ParameterGroup("all", [.. weights.Select((weight, i) => new NamedParameter($"{i}", weight))], Rate)]);

    private static Tensor[] Tensors(long[][] shapes) => [.. shapes.Select(shape =>
    {
        var weight = randn(shape).requires_grad_();
        weight.grad = randn(shape);
        return weight;
    })];

    /// <summary>What a call takes, the mean after two that are not counted: with one thread the processor's time, which other programs do
    /// not change; else the median of the clock's.</summary>
    private static double Milliseconds(Action action, int calls)
    {
        action();
        action();
        using var process = Process.GetCurrentProcess();
        var begun = process.TotalProcessorTime;
        var times = Enumerable.Range(0, calls).Select(_ =>
        {
            var clock = Stopwatch.GetTimestamp();
            action();
            return Stopwatch.GetElapsedTime(clock).TotalMilliseconds;
        }).Order().ToArray();
        process.Refresh();
        return get_num_threads() == 1 ? (process.TotalProcessorTime - begun).TotalMilliseconds / calls : times[calls / 2];
    }
}
