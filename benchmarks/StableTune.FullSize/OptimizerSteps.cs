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

    /// <summary>Measures.</summary>
    /// <param name="rank">Of the adapter.</param>
    /// <param name="chosen">Names of the catalogue; all where there are none.</param>
    public static void Run(long rank, IReadOnlyList<string> chosen)
    {
        var shapes = AdapterShapes(rank);
        NativeBackend.Load();
        // As a run does.
        HostMemory.Keep(new TrainingPlan().KeptMemoryBytes, ofAnySize: true);
        Console.WriteLine($"{get_num_threads()} thread(s), rank {rank}: "
            + $"{shapes.Sum(shape => shape[0] * shape[1]) / 1e6:F1} million numbers");
        Console.WriteLine("optimizer             528 tensors        loop  ratio   TorchSharp  ratio   100 M parameters  bytes each");
        foreach (var name in chosen.Count > 0 ? chosen : [.. OptimizerCatalog.Default.Names])
        {
            using var scope = NewDisposeScope();
            var options = OptimizerCatalog.Default.Create(name);
            var ours = Adapter(shapes, options);
            var loop = OptimizerLoops.ByName.TryGetValue(name, out var made) ? Milliseconds(made(Tensors(shapes)), 11) : double.NaN;
            var own = OptimizerLoops.Own.TryGetValue(name, out var create) ? OfTorchSharp(shapes, create) : double.NaN;
            var (large, bytes) = Large(options);
            Console.WriteLine(FormattableString.Invariant(
                $"{name,-20} {ours,9:F2} ms {loop,8:F1} ms {loop / ours,6:F1} {own,9:F1} ms {own / ours,6:F1} ")
                + FormattableString.Invariant($"{large,15:F0} ms {bytes,11:F3}"));
        }
    }

    /// <summary>A LoRA on the transformers of the UNet and the text encoder of Stable Diffusion 1.5: 528 tensors.</summary>
    private static long[][] AdapterShapes(long rank)
    {
        var unet = new[] { (320, 5), (640, 5), (1280, 6) }.SelectMany(level => Enumerable.Repeat(level.Item1, level.Item2))
            .SelectMany(width => Enumerable.Range(0, 10).SelectMany(_ => new long[][] { [rank, width], [width, rank] })
                .Concat([[rank, width], [8 * width, rank], [rank, 4L * width], [width, rank]]));
        var text = Enumerable.Range(0, 12).SelectMany(_ => Enumerable.Range(0, 4).SelectMany(_ => new long[][] { [rank, 768], [768, rank] })
            .Concat([[rank, 768], [3072, rank], [rank, 3072], [768, rank]]));
        return [.. unet, .. text];
    }

    private static double Adapter(long[][] shapes, OptimizerOptions options)
    {
        using var scope = NewDisposeScope();
        using var optimizer = Create(options, Tensors(shapes));
        var step = 0;
        return Milliseconds(() => optimizer.Step(new StepInfo([Rate], step++)), 50);
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

    private static double OfTorchSharp(long[][] shapes, Func<IEnumerable<Parameter>, optim.Optimizer> create)
    {
        using var scope = NewDisposeScope();
        Parameter[] parameters = [.. Tensors(shapes).Select(weight =>
            new Parameter(weight.detach()) { grad = weight.grad })];
        using var optimizer = create(parameters);
        return Milliseconds(() => optimizer.step(), 11);
    }

    private static IOptimizer Create(OptimizerOptions options, Tensor[] weights) =>
        options.Create([new ParameterGroup("all", [.. weights.Select((weight, i) => new NamedParameter($"{i}", weight))], Rate)]);

    private static Tensor[] Tensors(long[][] shapes) => [.. shapes.Select(shape =>
    {
        var weight = randn(shape).requires_grad_();
        weight.grad = randn(shape);
        return weight;
    })];

    /// <summary>What a call takes, the mean of calls that follow a second of others, until the code is compiled as well as it will be: with
    /// one thread the processor's time, which other programs do not change; else the median of the clock's.</summary>
    private static double Milliseconds(Action action, int calls)
    {
        var warming = Stopwatch.StartNew();
        for (var i = 0; i < 2 || warming.Elapsed < TimeSpan.FromSeconds(1.5); i++) action();
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
