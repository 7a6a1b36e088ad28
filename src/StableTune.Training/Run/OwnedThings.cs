using StableTune.Models;

namespace StableTune.Training;

/// <summary>What a run has made and disposes of when it ends, the last thing first.</summary>
internal sealed class OwnedThings : IDisposable
{
    private readonly Stack<IDisposable> _things = new();
    private readonly List<IDisposable> _handedBack = [];

    /// <summary>Takes over a thing.</summary>
    public T Add<T>(T made) where T : IDisposable
    {
        _things.Push(made);
        return made;
    }

    /// <summary>Takes over a thing that the result hands back where the run goes through.</summary>
    public T AddUnlessKept<T>(T made) where T : IDisposable
    {
        _handedBack.Add(made);
        return Add(made);
    }

    /// <summary>The run went through: what is handed back is not disposed of here.</summary>
    public void Keep()
    {
        var kept = _handedBack.ToHashSet<IDisposable>(ReferenceEqualityComparer.Instance);
        var others = _things.Where(thing => !kept.Contains(thing)).Reverse().ToArray();
        _things.Clear();
        foreach (var thing in others) _things.Push(thing);
    }

    public void Dispose()
    {
        while (_things.TryPop(out var made)) made.Dispose();
    }
}

/// <summary>How a host's model was set before the run, and is set again after it.</summary>
internal sealed class ModelSettings : IDisposable
{
    private readonly List<Action> _restore = [];

    /// <summary>Notes the settings.</summary>
    /// <param name="model">The host's model.</param>
    /// <param name="keepsSchedule">Whether the noise schedule of the run stays with the model, which was trained for it.</param>
    public ModelSettings(StableDiffusionModel model, bool keepsSchedule)
    {
        var scheduler = model.Scheduler;
        if (!keepsSchedule) _restore.Add(() => model.Scheduler = scheduler);
        if (model.Parts.HasFlag(ModelParts.UNet))
        {
            var (unet, checkpointing, type) = (model.UNet, model.UNet.GradientCheckpointing, model.UNet.ComputeType);
            var (attention, merging, mover) = (unet.Attention, unet.TokenMerging, unet.CheckpointMover);
            _restore.Add(() => (unet.GradientCheckpointing, unet.ComputeType) = (checkpointing, type));
            _restore.Add(() => (unet.Attention, unet.TokenMerging, unet.CheckpointMover) = (attention, merging, mover));
        }

        if (model.Parts.HasFlag(ModelParts.Vae))
        {
            var (vae, attention, tiling, slicing) = (model.Vae, model.Vae.Attention, model.Vae.Tiling, model.Vae.UseSlicing);
            _restore.Add(() => (vae.Attention, vae.Tiling, vae.UseSlicing) = (attention, tiling, slicing));
        }

        foreach (var encoder in model.TextEncoders)
        {
            var (checkpointing, type) = (encoder.GradientCheckpointing, encoder.ComputeType);
            _restore.Add(() => (encoder.GradientCheckpointing, encoder.ComputeType) = (checkpointing, type));
        }
    }

    public void Dispose() => _restore.ForEach(restore => restore());
}
