using StableTune.Adapters;
using StableTune.Diffusion;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>Gives adapters that a control picture steers (ControlNet-LLLite) the second image of each sample.</summary>
/// <param name="network">The adapters.</param>
/// <param name="device">Where they lie.</param>
internal sealed class AdapterControl(AdapterNetwork network, Device device) : IConditionStage, ISampleStage, IDisposable
{
    private Tensor? _picture;

    /// <inheritdoc/>
    public UNetConditions Add(StepPass pass)
    {
        var second = pass.Batch.Conditioning ?? throw new InvalidOperationException(
            $"'{pass.Batch.Items.FirstOrDefault()?.Path}' has no second image, which ControlNet-LLLite is steered by: " +
            "set SubsetOptions.ConditioningFolder.");
        using var scope = NewDisposeScope();
        // Second images are in [0, 1], control pictures in [-1, 1]. Kept until the next: the backward pass needs it too.
        Use((second.to(pass.Latents.device) * 2 - 1).DetachFromDisposeScope());
        return pass.Conditions;
    }

    /// <summary>The picture of the sample that is drawn next; none where it has none.</summary>
    public UNetConditions Add(SamplePass pass)
    {
        using var scope = NewDisposeScope();
        Use(pass.Prompt.ControlImage is { } image ? (ControlPicture.Of(image, device) * 2 - 1).DetachFromDisposeScope() : null);
        return pass.Conditions;
    }

    /// <summary>Takes the picture away, so that the adapters act no more: samples are drawn without one.</summary>
    public void Forget() => Use(null);

    /// <inheritdoc/>
    public void Dispose()
    {
        _picture?.Dispose();
        _picture = null;
    }

    private void Use(Tensor? picture)
    {
        network.SetControl(picture);
        _picture?.Dispose();
        _picture = picture;
    }
}
