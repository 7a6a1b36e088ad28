using System.Runtime.InteropServices;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Torch;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>Adds up what a run will need. Looks at shapes alone: the model may be on <c>META</c>.</summary>
/// <param name="plan">The options of the run.</param>
/// <param name="dataset">The images; null for a run without.</param>
/// <param name="model">The base model, all of its parts.</param>
/// <param name="device">Where the run takes place.</param>
internal sealed class MemoryEstimator(TrainingPlan plan, TrainingDataset? dataset, StableDiffusionModel model, Device device)
{
    // Code and tables of libtorch's kernels that come with their first use, measured on the CPU.
    private const long Kernels = 120L << 20;

    // Of a resnet at the size of the picture: its input, the normed and activated map, the result, and the convolution's own copies.
    private const int OfVaeResnet = 5;

    /// <summary>Parameters of the autoencoder that all published models have, for a model whose own is not loaded.</summary>
    private const long PublishedVae = 83_653_863;

    private readonly List<string> _notes = [];

    private bool IsCpu => device.type == DeviceType.CPU;

    private PixelSize Largest => dataset?.Buckets.MaxBy(bucket => bucket.Size.Area)?.Size
        ?? (plan.Method as LecoOptions)?.Resolution ?? new PixelSize(SampleSide, SampleSide);

    private int SampleSide => model.Parts.HasFlag(ModelParts.UNet) ? model.UNet.Options.SampleSize * Vae.Downscale : 512;

    private VaeOptions Vae => model.Parts.HasFlag(ModelParts.Vae) ? model.Vae.Options : VaeOptions.Sd15;

    private bool Masks => model.Parts.HasFlag(ModelParts.UNet) && model.UNet.TakesMask;

    private bool CachesLatents => dataset is not null
        && plan.CachesLatents(dataset, Masks || plan.Method.Needs.HasFlag(MethodNeeds.Pixels));

    private bool CachesText => dataset is not null && plan.CachesTextOutputs(dataset);

    /// <summary>Estimates.</summary>
    public MemoryEstimate Estimate()
    {
        var shapes = TrainedShapes().ToList();
        var trained = shapes.Sum(Count);
        var process = IsCpu ? Math.Max(Environment.WorkingSet - Loaded, 0) + Kernels : 0;
        var frozen = Parts().Where(part => IsHeldInSteps(part.Part)).Sum(part => Frozen(part.Part, part.Module))
            + (UnseenVae && IsHeldInSteps(ModelParts.Vae) ? PublishedVae * Size(plan.Precision.Weights) : 0);
        var estimate = new MemoryEstimate
        {
            Device = device, Process = process, FrozenWeights = frozen,
            TrainedWeights = trained * Size(plan.Precision.Trainable), Gradients = Gradients(shapes) * Size(plan.Precision.Trainable),
            OptimizerState = OptimizerState(shapes) + Average(trained), Activations = Activations(trained), Kept = Idle(),
            CachingPeak = CachesLatents ? process + WholeWeights + VaeEncoding : 0,
            SamplingPeak = 0, Free = DeviceMemory.Free(device), Notes = _notes,
        };
        var held = estimate.FrozenWeights + estimate.TrainedWeights + estimate.OptimizerState + process;
        if (plan.Samples is { } samples)
            estimate = estimate with
            {
                SamplingPeak = held + samples.Prompts.AddRange(samples.CaptionCount > 0 ? [samples.Captions] : []).Select(prompt =>
                    VaeDecoding(prompt.Width ?? SampleSide, prompt.Height ?? SampleSide)).DefaultIfEmpty(0).Max(),
            };
        return estimate with { Advice = [.. MemoryShortage.Advice(plan, device)] };
    }

    /// <summary>Weights that the process holds already, and that are counted with the run's.</summary>
    private long Loaded => model.Device.type != DeviceType.CPU ? 0 : Parts().Sum(part => ModuleMemory.Bytes(part.Module));

    private static long Size(ScalarType type) => type.ElementSize();

    private static long Count(long[] shape) => shape.Aggregate(1L, (product, size) => product * size);

    private IEnumerable<(ModelParts Part, nn.Module Module)> Parts()
    {
        if (model.Parts.HasFlag(ModelParts.UNet)) yield return (ModelParts.UNet, model.UNet);
        if (model.Parts.HasFlag(ModelParts.Vae)) yield return (ModelParts.Vae, model.Vae);
        foreach (var encoder in model.TextEncoders) yield return (ModelParts.TextEncoder, encoder);
    }

    private bool UnseenVae => !model.Parts.HasFlag(ModelParts.Vae);

    private long WholeWeights => (Parts().Sum(part => ModuleTree.Parameters(part.Module).Sum(parameter => parameter.numel()))
        + (UnseenVae ? PublishedVae : 0)) * Size(plan.Precision.Weights);

    /// <summary>Whether a part is on the device while steps are taken, needed or not.</summary>
    private bool IsHeldInSteps(ModelParts part)
    {
        if (part == ModelParts.UNet) return plan.Method.Needs.HasFlag(MethodNeeds.UNet) || plan.Samples is not null || plan.KeepModel;
        var isUsed = part == ModelParts.Vae
            ? !CachesLatents || Masks || plan.Method.Needs.HasFlag(MethodNeeds.Vae)
            : !CachesText || plan.ChangesTextEncoder || plan.Method.Needs.HasFlag(MethodNeeds.TextEncoder);
        var isKept = plan.Samples is not null || plan.KeepModel || plan.GivenModel is not null
            || plan.Trainables.Any(trainable => trainable.KeptParts.HasFlag(part));
        return isUsed || (isKept && (IsCpu || plan.Memory.KeepPartsOnDevice || plan.GivenModel is not null));
    }

    /// <summary>Weights of a part that stay frozen, as they are held.</summary>
    private long Frozen(ModelParts part, nn.Module module)
    {
        var all = ModuleTree.Parameters(module).Sum(parameter => parameter.numel());
        var trained = plan.Trainables.OfType<ModelTrainableOptions>().Where(options => options.Trained)
            .SelectMany(options => ModelRates.Of(options, plan, model)).Where(tensor => tensor.Module == module)
            .Sum(tensor => tensor.Value.numel());
        var bytes = (all - trained) * Size(plan.Precision.Weights);
        if (plan.Memory.QuantizedWeights is { } quantized && quantized.Parts.HasFlag(part))
            bytes -= Products(module) * Size(plan.Precision.Weights) - (long)(Products(module) * quantized.Quantization.BitsPerWeight / 8);
        return part == ModelParts.UNet && !IsCpu && plan.Memory.BlocksToSwap > 0
            ? bytes - (bytes * (plan.Memory.BlocksToSwap - 1) / model.UNet.Segments) : bytes;
    }

    private static long Products(nn.Module module) =>
        ModuleTree.Modules(module).OfType<ProductLayer>().Sum(layer => layer.weight.numel());

    private IEnumerable<long[]> TrainedShapes()
    {
        foreach (var trainable in plan.Trainables.Where(trainable => trainable.Trained))
        {
            if (trainable.TrainedShapes(plan, model) is not { } shapes)
            {
                _notes.Add($"What {trainable.EffectiveName} trains is not counted.");
                continue;
            }

            foreach (var shape in shapes) yield return shape;
        }
    }

    /// <summary>Numbers of all gradients; with fused backward of those that are there at a time. Factors of adapters are stepped at the
    /// end.</summary>
    private long Gradients(List<long[]> shapes)
    {
        var counts = shapes.Select(shape => shape.Aggregate(1L, (product, side) => product * side)).ToList();
        if (plan.FusedBackward is not { } fused || counts.Count == 0 || plan.Trainables.Exists(one => one is AdapterTrainableOptions))
            return counts.Sum();
        return Math.Max(counts.Max(), fused.Groups is { } groups ? counts.Sum() / groups : 0);
    }

    /// <summary>A moving average in float32, and the trained weights that wait while it is evaluated.</summary>
    private long Average(long trained) => plan.Ema is null or { OnHost: true } && device.type != DeviceType.CPU ? 0
        : plan.Ema is null ? 0 : trained * (sizeof(float) + Size(plan.Precision.Trainable));

    private long OptimizerState(List<long[]> shapes)
    {
        if (plan.Optimizer.KeepsStateInHostMemory && device.type != DeviceType.CPU) return 0;
        using var scope = NewDisposeScope();
        NamedParameter[] parameters = [.. shapes.Select((shape, i) => new NamedParameter(
            $"{i}", empty(shape, dtype: plan.Precision.Trainable, device: META)))];
        try
        {
            using var optimizer = plan.Optimizer.Create([new ParameterGroup("estimate", parameters, plan.LearningRate)]);
            if (optimizer is StatefulOptimizer stateful) return stateful.StateBytes;
        }
        catch (Exception fault) when (fault is ExternalException or TorchException or NotSupportedException)
        {
            // An optimizer that looks at numbers when it is made: there are none here.
        }

        _notes.Add($"{plan.Optimizer.GetType().Name} does not say what it remembers; two numbers for each weight are counted.");
        return shapes.Sum(Count) * 2 * sizeof(float);
    }

    private long Activations(long trained)
    {
        if (OfUNet() is not { } unet)
        {
            _notes.Add($"Activations of {plan.Method.GetType().Name} are not counted.");
            return 0;
        }

        var compute = plan.Precision.Compute;
        var offloaded = plan.Memory.OffloadCheckpoints && !IsCpu && plan.GradientCheckpointing ? 0.5 : 1;
        var bytes = (long)(unet.Kept * Size(compute) * offloaded) + (unet.Working * sizeof(float)) + Copies(compute, trained);
        if (plan.TrainsTextEncoder) bytes += Texts(Samples) * Size(compute);
        return bytes;
    }

    private long Samples => (long)(dataset?.Options.BatchSize ?? 1) / plan.Distributed.Shares;

    /// <summary>What a pass through the UNet keeps; null for a method without one.</summary>
    private UNetActivations? OfUNet()
    {
        if (!plan.Method.Needs.HasFlag(MethodNeeds.UNet) || !model.Parts.HasFlag(ModelParts.UNet)) return null;
        var learning = plan.TrainedParts.HasFlag(ModelParts.UNet) ? UNetLearning.Weights
            : plan.Trainables.OfType<AdapterTrainableOptions>().Any() ? UNetLearning.Adapters : UNetLearning.Through;
        return new UNetActivations(model.UNet.Options, Largest.Height / Vae.Downscale, Largest.Width / Vae.Downscale, Samples, learning,
            plan.GradientCheckpointing);
    }

    /// <summary>The type that products are computed in.</summary>
    private ScalarType Computed =>
        IsCpu && HalfPrecision.IsStorageOnly(plan.Precision.Compute) ? ScalarType.Float32 : plan.Precision.Compute;

    /// <summary>Gaps between blocks that are kept: measured as about what activations take in float32, where that is computed in.</summary>
    private long Idle() => IsCpu && HostMemory.IsSupported && Computed == ScalarType.Float32
        ? Math.Min(plan.KeptMemoryBytes, (OfUNet()?.Kept ?? 0) * sizeof(float)) : 0;

    /// <summary>Weights of another type than products are computed in, cast where they are used.</summary>
    private long Copies(ScalarType compute, long trained)
    {
        var largest = ModuleTree.Modules(model.UNet).OfType<ProductLayer>().Max(layer => layer.weight.numel());
        if (plan.TrainedParts != ModelParts.None && plan.Precision.Trainable != compute && !plan.GradientCheckpointing)
            return trained * Size(compute);                                   // kept for the backward pass
        return Computed != plan.Precision.Weights || plan.Memory.QuantizedWeights is not null ? 2 * largest * Size(Computed) : 0;
    }

    /// <summary>Numbers that the text encoders keep: about twenty for each channel of each token and layer, five with
    /// checkpoints.</summary>
    private long Texts(long samples)
    {
        var tokens = samples * (plan.MaxTokenLength + 2L);
        return model.TextEncoders.Sum(encoder => tokens * encoder.Width * encoder.Layers * (plan.GradientCheckpointing ? 5L : 20L));
    }

    private long VaeEncoding => VaeNumbers(Largest.Width, Largest.Height, Vae.BlockOutChannels[0])
        * (plan.Memory.VaeSlicing ? 1 : plan.Cache.VaeBatchSize) * VaeBytes;

    /// <summary>The decoder's last level begins with the channels of the one below.</summary>
    private long VaeDecoding(int width, int height) =>
        VaeNumbers(width, height, Vae.BlockOutChannels[Math.Min(1, Vae.BlockOutChannels.Count - 1)]) * VaeBytes;

    private long VaeBytes => Size(plan.Model.VaeType ?? plan.Precision.Weights) == 4 || IsCpu ? 4 : 3;

    private long VaeNumbers(long width, long height, long channels)
    {
        if (plan.Memory.VaeTiling is { } tiling)
            (width, height) = (Math.Min(width, tiling.TilePixels), Math.Min(height, tiling.TilePixels));
        return width * height * channels * OfVaeResnet;
    }
}
