using StableTune.Data;
using StableTune.Models;

namespace StableTune.Training;

/// <summary>
/// Masks for training inpainting models: in each picture one rectangle or ellipse, anywhere, a tenth to the whole of the sides long. The
/// picture
/// without it goes through the VAE in every step, so batches must carry pixels.
/// </summary>
internal sealed class RandomMaskStage(StableDiffusionModel model, Generator random) : IConditionStage
{
    private const int NumbersPerMask = 5;

    public UNetConditions Add(StepPass pass) => pass.Conditions with { Inpainting = Input(pass.Batch) };

    private InpaintingInput Input(Batch batch)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var pixels = batch.Pixels ?? throw new InvalidOperationException(
            "The batch has no pixels to mask: inpainting models are trained without cached latents.");
        var mask = batch.Share.Cut(Masks(batch.Share.Total, (int)pixels.shape[2], (int)pixels.shape[3]));
        var input = InpaintingInput.From(model.Vae, pixels.to(model.Device), mask.to(model.Device), random, batch.Share);
        return new InpaintingInput(input.Mask.MoveToOuterDisposeScope(), input.MaskedLatents.MoveToOuterDisposeScope());
    }

    /// <summary>[B, 1, H, W], float32: 1 inside the shape.</summary>
    internal Tensor Masks(int count, int height, int width)
    {
        using var scope = NewDisposeScope();
        var numbers = rand([count, NumbersPerMask], dtype: ScalarType.Float32, generator: random).data<float>().ToArray();
        var rows = arange(height, dtype: ScalarType.Float32).view(-1, 1) + 0.5;
        var columns = arange(width, dtype: ScalarType.Float32).view(1, -1) + 0.5;
        var masks = new List<Tensor>();
        for (var i = 0; i < count; i++)
        {
            var drawn = numbers.AsSpan(i * NumbersPerMask, NumbersPerMask);
            // Distance from the centre, in halves of the shape's sides.
            var down = ((rows - drawn[0] * height) / ((0.1 + 0.9 * drawn[1]) * height / 2)).abs();
            var across = ((columns - drawn[2] * width) / ((0.1 + 0.9 * drawn[3]) * width / 2)).abs();
            var distance = drawn[4] < 0.5f ? maximum(down, across) : (down.pow(2) + across.pow(2)).sqrt();
            masks.Add(distance.le(1).to(ScalarType.Float32).unsqueeze(0));
        }

        return stack([.. masks]).MoveToOuterDisposeScope();
    }
}
