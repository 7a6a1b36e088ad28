using StableTune.Models;
using StableTune.Torch;

namespace StableTune.Training;

/// <summary>Gives a model, and the process, what a plan says of memory.</summary>
internal static class MemorySettings
{
    /// <summary>Settings of the model that hold from the first use on.</summary>
    public static void Prepare(TrainingPlan plan, StableDiffusionModel model)
    {
        var memory = plan.Memory;
        if (model.Parts.HasFlag(ModelParts.UNet)) model.UNet.Attention = memory.Attention;
        if (!model.Parts.HasFlag(ModelParts.Vae)) return;
        (model.Vae.Attention, model.Vae.Tiling) = (memory.Attention, memory.VaeTiling);
        model.Vae.UseSlicing = memory.VaeSlicing;
    }

    /// <summary>What begins with the steps, when everything is attached.</summary>
    public static void Begin(TrainingPlan plan, StableDiffusionModel model, TrainingRandom random, OwnedThings owned)
    {
        var memory = plan.Memory;
        if (memory.CpuThreads is { } threads) owned.Add(new Threads(threads));
        if (!model.Parts.HasFlag(ModelParts.UNet)) return;
        model.UNet.TokenMerging = memory.TokenMerging?.Create(random["token merging"]);
        // On the CPU all of it lies in host memory anyway.
        if (model.Device.type == DeviceType.CPU) return;
        if (memory.OffloadCheckpoints) model.UNet.CheckpointMover = TensorMover.Default;
        if (memory.BlocksToSwap > 0) owned.Add(model.UNet.SwapBlocks(memory.BlocksToSwap));
    }

    /// <summary>Lets the model see all tokens until disposed.</summary>
    public static IDisposable WholeTokens(StableDiffusionModel model) => new MergingPaused(model);

    private sealed class MergingPaused : IDisposable
    {
        private readonly UNet2DConditionModel? _unet;
        private readonly TokenMerging? _merging;

        public MergingPaused(StableDiffusionModel model)
        {
            if (!model.Parts.HasFlag(ModelParts.UNet)) return;
            (_unet, _merging) = (model.UNet, model.UNet.TokenMerging);
            _unet.TokenMerging = null;
        }

        public void Dispose()
        {
            if (_unet is not null) _unet.TokenMerging = _merging;
        }
    }

    private sealed class Threads : IDisposable
    {
        private readonly int _before = get_num_threads();

        public Threads(int count) => set_num_threads(count);

        public void Dispose() => set_num_threads(_before);
    }
}
