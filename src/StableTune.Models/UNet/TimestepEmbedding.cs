namespace StableTune.Models;

/// <summary>Numbers to sinusoids of many frequencies.</summary>
/// <remarks>Ho et al., DDPM, arXiv:2006.11239; diffusers' <c>Timesteps</c>, here without weights and therefore no module.</remarks>
internal static class Sinusoid
{
    /// <summary>[N] to [N, width], float32 whatever the compute type is.</summary>
    /// <param name="values">Timesteps or sizes, integer or fractional, [N].</param>
    /// <param name="width">Width of the result, even.</param>
    /// <param name="flipSinToCos">Whether the cosines come first.</param>
    /// <param name="freqShift">Frequencies are exp(-ln 10000 · i / (width/2 - freqShift)).</param>
    internal static Tensor Embed(Tensor values, int width, bool flipSinToCos, double freqShift)
    {
        using var scope = NewDisposeScope();
        var half = width / 2;
        var exponents = arange(half, dtype: ScalarType.Float32, device: values.device) * (-Math.Log(10000) / (half - freqShift));
        var angles = values.to(ScalarType.Float32).unsqueeze(-1) * exponents.exp().unsqueeze(0);   // [N, width/2]
        var (sines, cosines) = (angles.sin(), angles.cos());
        return cat(flipSinToCos ? [cosines, sines] : [sines, cosines], -1).MoveToOuterDisposeScope();
    }
}

/// <summary>Two linear layers with SiLU between them: a sinusoid to the embedding that every resnet adds.</summary>
/// <remarks>diffusers' <c>TimestepEmbedding</c>.</remarks>
internal sealed class TimestepEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly Linear linear_1;
    private readonly Linear linear_2;

    internal TimestepEmbedding(int inChannels, int embedDim) : base(nameof(TimestepEmbedding))
    {
        linear_1 = new Linear(inChannels, embedDim);
        linear_2 = new Linear(embedDim, embedDim);
        RegisterComponents();
    }

    /// <summary>[B, in] to [B, embedDim], in the weights' dtype.</summary>
    public override Tensor forward(Tensor sinusoid)
    {
        using var scope = NewDisposeScope();
        return linear_2.call(nn.functional.silu(linear_1.call(sinusoid))).MoveToOuterDisposeScope();
    }

    /// <summary>The embedding of timesteps, and of SDXL's added conditions, as UNets and ControlNets make it.</summary>
    /// <param name="options">The UNet's architecture.</param>
    /// <param name="time">For the timesteps.</param>
    /// <param name="add">For the added conditions; null where there are none.</param>
    /// <param name="timesteps">[B].</param>
    /// <param name="added">Pooled text and sizes; null where there are none.</param>
    /// <param name="dtype">The type that is computed in.</param>
    /// <returns>[B, 4 · first level's channels].</returns>
    internal static Tensor Of(
        UNetOptions options, TimestepEmbedding time, TimestepEmbedding? add, Tensor timesteps, AddedConditions? added, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var sinusoid = Sinusoid.Embed(timesteps, options.BlockOutChannels[0], options.FlipSinToCos, options.FreqShift);
        var embedding = time.call(sinusoid.to(dtype));
        if (add is not null && added is not null)
        {
            var sizes = Sinusoid.Embed(added.TimeIds.flatten(), options.AdditionTimeEmbedDim, options.FlipSinToCos, options.FreqShift);
            var condition = cat([added.PooledEmbeds.to(dtype), sizes.reshape(added.TimeIds.size(0), -1).to(dtype)], -1);
            embedding = embedding + add.call(condition);
        }

        return embedding.MoveToOuterDisposeScope();
    }
}
